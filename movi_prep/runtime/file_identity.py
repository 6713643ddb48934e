"""Identity of a file, wherever it lies: the hash of its content, remembered so that asking again is cheap.

| identity | of | made from |
|---|---|---|
| `sha256:...` | any file up to 64 MiB | all bytes |
| `sampled:...+sha256:...` | larger files (videos) | size and 32 samples of 64 KiB spread over it; then all bytes |
| the same | folders (pictures) | names and sizes, and 32 of the files; then all bytes of all files |

A unit that reads or writes a file hashes all of it: that costs little beside the unit. Later a large file is
compared by its samples: **a change between them that keeps the size is not seen**.

Hashes are remembered by path, size and time stamps, so that a file that nobody touched is not read twice. `--full-hash`
reads all bytes of all files once more, whatever their stamps say: programs can set these, and disks can rot.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from movi_prep.formats.atomic import write_text

if TYPE_CHECKING:
    import os

Kind = Literal["sha256", "sampled"]

LARGE_BYTES = 64 * 2**20
_SAMPLES = 32
_SAMPLE_BYTES = 64 * 2**10
# Two seconds: the coarsest time stamp of a common file system (FAT), and more than clocks of file servers drift.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Stamp:
    """What the file system knows about a file without reading it."""

    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the stamp of a file; raise FileNotFoundError if it does not exist."""
        return cls._from(path.stat())

    @classmethod
    def _from(cls, status: os.stat_result) -> Stamp:
        return cls(size=status.st_size, modified_ns=status.st_mtime_ns, changed_ns=status.st_ctime_ns)

    def is_settled(self) -> bool:
        """Whether the file is old enough that a later change would surely show in its time stamps."""
        return time.time_ns() - max(self.modified_ns, self.changed_ns) > _SETTLED_NS


@dataclass
class FileIdentities:
    """Identities of files, remembered by their stamps.

    Attributes:
        full_hash: whether large files, too, are compared by all of their bytes, and nothing that an earlier run
            remembered is believed.
        known: (path, kind) -> stamp and hash of what was read before.
    """

    full_hash: bool = False
    known: dict[tuple[str, Kind], tuple[Stamp, str]] = field(default_factory=dict)

    def identity(self, path: Path) -> str:
        """Return the identity of a file: the hash of its content, and of its samples where it is large.

        Raises:
            FileNotFoundError: the file does not exist.
        """
        try:
            if path.is_dir():
                return f"{_of_folder(path, every=False)}+{_of_folder(path, every=True)}"
            whole = self._hash(path, "sha256")
            return f"{self._hash(path, 'sampled')}+{whole}" if path.stat().st_size > LARGE_BYTES else whole
        except PermissionError:
            # One of many inputs, perhaps: the unit that reads it fails with the reason, the others go on.
            stamp = Stamp.of(path)
            return f"unreadable:{stamp.size}-{stamp.modified_ns}"

    def holds(self, path: Path, identity: str) -> bool:
        """Return whether a file is unchanged; for a large one without `full_hash`, whether its samples are."""
        sampled, _, whole = identity.rpartition("+")
        try:
            if path.is_dir():
                # Its own time stamp says nothing of what its files hold: it is looked into each time.
                is_same = _of_folder(path, every=self.full_hash) == (whole if self.full_hash else sampled)
                return bool(sampled) and is_same
            if sampled and not self.full_hash:
                return self._hash(path, "sampled") == sampled
            return self._hash(path, "sha256") == whole
        except OSError:
            return False

    def _hash(self, path: Path, kind: Kind) -> str:
        stamp = Stamp.of(path)
        before = self.known.get((str(path), kind))
        # The change time (ctime) is part of the stamp: programs can set the modification time back, but not that one.
        if before is not None and before[0] == stamp:
            return before[1]
        found = _sampled(path, stamp.size) if kind == "sampled" else _whole(path)
        # A file that changed meanwhile, or was written so lately that it could change within the same time stamp, is
        # read again the next time.
        if stamp == Stamp.of(path) and stamp.is_settled():
            self.known[str(path), kind] = (stamp, found)
        return found


def is_sampled(identity: str) -> bool:
    """Whether a file is compared by samples unless all bytes are asked for."""
    return identity.startswith("sampled:")


def read_identities(path: Path, *, full_hash: bool) -> FileIdentities:
    """Return what earlier runs remembered; nothing where the file is absent or damaged, for it only saves time.

    Nor anything with `full_hash`, which is to see what stamps do not show.
    """
    identities = FileIdentities(full_hash=full_hash)
    if full_hash:
        return identities
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for name, kind, size, modified_ns, changed_ns, identity in rows:
            identities.known[name, kind] = (Stamp(size, modified_ns, changed_ns), identity)
    except (OSError, ValueError, TypeError, RecursionError):
        identities.known.clear()
    return identities


def write_identities(path: Path, identities: FileIdentities) -> None:
    """Write the known hashes, together with those that other runs have added to the file meanwhile."""
    # Read again just before writing: runs on other subjects share this file. What one of them loses is only hashed
    # anew.
    merged = read_identities(path, full_hash=False).known | identities.known
    rows = [
        [name, kind, stamp.size, stamp.modified_ns, stamp.changed_ns, identity]
        for (name, kind), (stamp, identity) in sorted(merged.items())
    ]
    write_text(path, json.dumps(rows, separators=(",", ":")))


def _of_folder(folder: Path, *, every: bool) -> str:
    """Return what a folder of files holds: names and sizes, and the bytes of every file or of some."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    listed = "".join(f"{path.name}\0{path.stat().st_size}\0" for path in files)
    digest = hashlib.sha256(listed.encode(errors="surrogateescape"))
    chosen = files if every or len(files) <= _SAMPLES else files[:: len(files) // _SAMPLES]
    for path in chosen:
        digest.update(_whole(path).encode())
    return f"{'sha256' if every else 'sampled'}:{digest.hexdigest()}"


def _whole(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _sampled(path: Path, size: int) -> str:
    # Without the time stamp, so that a copy of a data set counts as the same data.
    digest = hashlib.sha256(str(size).encode())
    last = max(size - _SAMPLE_BYTES, 0)
    with path.open("rb") as file:
        for index in range(_SAMPLES):
            file.seek(last * index // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return "sampled:" + digest.hexdigest()
