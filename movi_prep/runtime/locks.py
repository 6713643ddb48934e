"""One run at a time per subject of a work folder; a dead run holds nothing.

`WORK/.locks/SCOPE.lock` is held with `flock`, which the kernel gives back when the process ends, however it ends.
The scope of a unit is the first part of its key: two runs on different subjects (array jobs) do not wait for each
other. Not every network file system shares `flock` between hosts, so the file also names its holder and is touched
every few seconds: a lock of another host counts while its time stamp is fresh.

A worker whose run was killed must not publish its result, even if no other run has taken the lock yet: on the host of
the run it asks the kernel whether the lock is held, on another host whether it is fresh.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.errors import MoviPrepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from movi_prep.records.work_folder import WorkFolder

# A lock counts as held for eight missed beats: file servers cache time stamps for up to a minute.
_HEARTBEAT_S = 15.0
_FRESH_S = 120.0
# What file systems without locks answer (NFS without its lock service, some FUSE mounts).
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


class LockedError(MoviPrepError):
    """Another run works on the same subjects of the work folder."""


def scope_of(key: str) -> str:
    """Return the key to lock for a unit: its subject, `S001` for `S001/C01`."""
    return key.split("/", maxsplit=1)[0]


@contextmanager
def hold_scopes(work: WorkFolder, scopes: Iterable[str], run_id: str) -> Iterator[None]:
    """Hold the locks of some scopes while the block runs.

    Raises:
        LockedError: another run holds one of them; nothing is held then.
    """
    with ExitStack() as stack:
        # Sorted: two runs that want the same scopes meet at the first one, and neither holds what the other waits for.
        paths = [lock_path(work, scope) for scope in sorted(set(scopes))]
        for path in paths:
            stack.enter_context(_hold(path, run_id))
        stack.enter_context(_heartbeat(paths))
        yield


def check_still_held(work: WorkFolder, key: str, run_id: str) -> None:
    """Raise LockedError unless the run lives and its lock names it: an orphaned worker must not publish."""
    path = lock_path(work, scope_of(key))
    holder = _read_holder(path)
    if holder.get("run_id") != run_id:
        raise LockedError(f"{key}: run {run_id} no longer holds {scope_of(key)} (another run took over); nothing kept")
    if not _holder_lives(path, holder):
        raise LockedError(f"{key}: run {run_id} was killed, so this unit's result is discarded")


def _holder_lives(path: Path, holder: Mapping[str, Any]) -> bool:
    """Return whether the process that a lock file names still holds it."""
    if holder.get("host") != socket.gethostname():
        return time.time() - path.stat().st_mtime < _FRESH_S
    # A second lock on another descriptor would conflict with this process's own.
    if holder.get("pid") == os.getpid():
        return True
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Shared, and only for a moment: two orphans that ask at once must not take each other for the run.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return _is_running(holder)
    finally:
        os.close(descriptor)
    return False


def _is_running(holder: Mapping[str, Any]) -> bool:
    """Return whether a process of the number that a lock file names runs on this host."""
    return Path(f"/proc/{holder.get('pid')}").exists()


def lock_path(work: WorkFolder, scope: str) -> Path:
    """Return the lock file of a scope."""
    return work.root / ".locks" / f"{scope}.lock"


@contextmanager
def _hold(path: Path, run_id: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Close-on-exec, or a child process would keep the lock after the run's death.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _lock(descriptor, path)
        # The file is emptied and written in place, never replaced: the lock belongs to this inode.
        holder = {"run_id": run_id, "host": socket.gethostname(), "pid": os.getpid(), "since": _now()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
        # Emptied before it is given back: an orderly end leaves nothing that looks like a holder.
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_exclusive_here = True
    except BlockingIOError as error:
        raise LockedError(_say(path, "wait for it, or stop it and run again")) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        is_exclusive_here = False
    # The kernel knows the holders on its own host only; for a holder on another host there is only its time stamp.
    holder = _read_holder(path)
    on_this_host = holder.get("host") == socket.gethostname()
    if not holder or (on_this_host and (is_exclusive_here or not _is_running(holder))):
        return
    age_s = time.time() - path.stat().st_mtime
    if age_s < _FRESH_S:
        wait_s = int(_FRESH_S - age_s) + 1
        raise LockedError(_say(path, f"stop it there; if it is dead already, run again in {wait_s} s"))


def _say(path: Path, remedy: str) -> str:
    holder = _read_holder(path)
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
    return f"{path}: another run works on {path.stem} ({who}); {remedy}"


def _read_holder(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


@contextmanager
def _heartbeat(paths: list[Path]) -> Iterator[None]:
    """Touch the lock files now and then, from a thread: a unit in this process may take minutes."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_HEARTBEAT_S):
            for path in paths:
                with suppress(OSError):
                    os.utime(path)

    thread = threading.Thread(target=beat, name="lock-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
