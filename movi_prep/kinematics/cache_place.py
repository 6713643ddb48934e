"""A place for compiled kernels where neither the installation nor the home folder can be written.

numba keeps them beside the source, else in the user's cache folder, or in NUMBA_CACHE_DIR. On clusters both
places are often read-only for jobs. A temporary folder of this user is then as good: it lasts as long as the machine.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from movi_prep.errors import UsageError

VARIABLE = "NUMBA_CACHE_DIR"

_PREFIX = "movi-prep-kernels-"


def use_temporary_cache() -> Path:
    """Have numba keep compiled kernels in a temporary folder, in this process and those it starts; return the folder.

    Raises:
        UsageError: no temporary folder can be written.
    """
    import numba

    folder = _private_folder()
    # numba reads the variable again whenever it changes; processes that are started inherit it.
    os.environ[VARIABLE] = str(folder)
    numba.config.CACHE_DIR = str(folder)
    return folder


def temporary_cache() -> str:
    """Return the temporary folder that kernels are kept in; empty where they have a lasting place."""
    place = os.environ.get(VARIABLE, "")
    return place if Path(place).name.startswith(_PREFIX) else ""


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
