"""Where compiled kernels are kept: beside the source, else in the user's cache folder, else in a temporary folder.

NUMBA_CACHE_DIR comes before all of them, for the machine code of `machine_code` as for numba's own cache. On clusters
both lasting places are often read-only for jobs. A temporary folder of this user is then as good: it lasts as long as
the machine.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from movi_prep.errors import UsageError
from movi_prep.formats.user_cache import user_cache

VARIABLE = "NUMBA_CACHE_DIR"

_PREFIX = "movi-prep-kernels-"
_SOURCES = ("kernels.py", "machine_code.py", "workspace.py", "folded_model.py", "elimination.py")
"""What the file is made from: the kernels, the layout of the file, and the tuples that kernels take."""
_NO_MATTER = (VARIABLE, "NUMBA_NUM_THREADS")
"""numba's variables that change nothing in its code."""


def machine_code_file() -> Path:
    """Return the file in which the machine code of these sources for this processor is kept, or will be."""
    name = f"kernels.{_key()}.code"
    asked = os.environ.get(VARIABLE)
    folders = [Path(asked)] if asked else [Path(__file__).parent / "__pycache__", user_cache()]
    # A folder that holds it needs no more to be writable: somebody else may have installed and compiled.
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    place = next(filter(_can_write, folders), None)
    return (place or use_temporary_cache()) / name


def use_temporary_cache() -> Path:
    """Keep compiled kernels in a temporary folder, in this process and those it starts; return the folder.

    Raises:
        UsageError: no temporary folder can be written.
    """
    folder = _private_folder()
    # Processes that are started inherit the variable; numba has read it when it was loaded.
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def temporary_cache() -> str:
    """Return the temporary folder that kernels are kept in; empty where they have a lasting place."""
    place = os.environ.get(VARIABLE, "")
    return place if Path(place).name.startswith(_PREFIX) else ""


@lru_cache(maxsize=1)
def _key() -> str:
    """Return a name for all that machine code depends on."""
    import llvmlite
    import llvmlite.binding as llvm

    sources = [Path(__file__).with_name(name).read_bytes() for name in _SOURCES]
    # Without importing numba, which would take longer than all else.
    numba = find_spec("numba")
    version = b"" if numba is None or numba.origin is None else Path(numba.origin).with_name("_version.py").read_bytes()
    meant = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_") and name not in _NO_MATTER}
    processor = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    known = (*sources, version, llvmlite.__version__, sys.version, processor, sorted(meant.items()))
    return sha256(repr(known).encode()).hexdigest()[:16]


def _can_write(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder.is_absolute() and os.access(folder, os.W_OK | os.X_OK)


def _private_folder() -> Path:
    """Return a folder that only this user can write: what lies in it is loaded and executed."""
    try:
        folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # lstat above, so that a link planted in the shared temporary folder is not followed; 0o022 refuses folders that
        # others can write.
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        with tempfile.TemporaryFile(dir=folder if is_ours else None):
            return folder if is_ours else Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise UsageError(
            "the converged solver stores compiled code: expected the installation, the home folder or a temporary "
            f"folder to be writable, but {error.strerror or error}; name a folder in {VARIABLE}"
        ) from error
