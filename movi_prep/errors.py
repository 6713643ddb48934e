"""The error tree of the project.

Every error says what it is about, what was expected, what came instead, and what to do.
`str(error)` is one line, so that it fits into a table of failures.

    MoviPrepError
    ├── UsageError       the command line or the configuration asks for something impossible
    ├── InputError       a file or value from outside does not hold what it should
    │   └── MissingError a file that should exist does not
    ├── ModelError       a model cannot be represented or solved in the way asked for
    ├── AuditError       a result was computed, but fails a stated quality bound
    └── InternalError    two parts of the project disagree (a defect of movi-prep, not of the data)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


_UNFINISHED = re.compile(r"\.partial-[0-9a-f]{12}-([^/]+?)(?:/new|/\1)?(?=/|: $)")
LONGEST_PART = 600
"""Characters of one part of a message."""


_NEEDED = frozenset(
    {
        *("cv2", "dask", "dask_jobqueue", "deflate", "distributed", "h5py", "isal", "llvmlite", "numba", "numpy"),
        *("opensim", "pydantic", "rich", "scipy", "simplejpeg", "smplx", "torch", "trimesh", "yaml"),
    }
)
"""Packages that movi-prep depends on, by the names under which they are imported."""


class MoviPrepError(Exception):
    """Base of all errors that a user of movi-prep should see as one line."""


class UsageError(MoviPrepError):
    """The command line or the configuration asks for something impossible."""


class InputError(MoviPrepError):
    """A file or a value from outside does not hold what it should.

    Args:
        where: the file (or file and field) that is wrong.
        expected: what should have been there.
        got: what was there.
        remedy: what the user can do about it.
    """

    def __init__(self, where: Path | str, *, expected: str, got: str, remedy: str) -> None:
        """Keep the four parts, each on one line, as attributes."""
        # `got` may quote a whole file; a message shows only its beginning.
        expected, got = cut(expected), cut(got)
        super().__init__(where, expected, got, remedy)
        self.where = str(where)
        self.expected = expected
        self.got = got
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the one line that tables and logs carry."""
        return f"{self.where}: expected {self.expected}, but got {self.got}; {self.remedy}"

    # Worker processes send their errors back pickled.
    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable; exceptions with keyword arguments are not by default."""
        return (_rebuild_input_error, (type(self), self.where, self.expected, self.got, self.remedy))


class MissingError(InputError):
    """A file that should exist does not."""


class ModelError(MoviPrepError):
    """A model cannot be represented or solved in the way asked for."""


class AuditError(MoviPrepError):
    """A result was computed but fails a stated quality bound; the message holds the numbers."""


class InternalError(MoviPrepError):
    """Two parts of the project disagree: a defect of movi-prep."""


def _rebuild_input_error(kind: type[InputError], where: str, expected: str, got: str, remedy: str) -> InputError:
    return kind(where, expected=expected, got=got, remedy=remedy)


def describe_os_error(error: OSError) -> str:
    """Return in one line what the operating system refused: a full disk, a folder without permission."""
    # Files appear under their own name when they are whole; nobody knows the name that they have until then.
    where = _UNFINISHED.sub(r"\1", f"{error.filename}: ") if error.filename else ""
    return f"{where}{error.strerror or error}; check the path, permissions and free space"


def absent_package(error: ImportError) -> str:
    """Return the package of ours that is not installed; empty where something else cannot be imported.

    A file may name modules, too: a pickle of another program's objects.
    """
    package = (error.name or "").partition(".")[0]
    return package if package in _NEEDED and isinstance(error, ModuleNotFoundError) else ""


def cut(text: str, *, at_most: int = LONGEST_PART) -> str:
    """Return text on one line; if it is longer than `at_most`, its beginning and its length."""
    # Cut before joining lines: splitting a gigabyte of text takes long, too.
    line = " ".join(text[: 4 * at_most].split())
    if len(text) <= 4 * at_most and len(line) <= at_most:
        return line
    return f"{line[:at_most]}... ({len(text)} characters)"


def list_names(names: Iterable[str], *, at_most: int = 12) -> str:
    """Return names sorted and joined for a message; after `at_most` of them, only how many more there are."""
    ordered = sorted(names)
    if not ordered:
        return "none"
    shown = ", ".join(ordered[:at_most])
    rest = len(ordered) - at_most
    return f"{shown} and {rest} more" if rest > 0 else shown


def suggest(name: str, existing: Iterable[str]) -> str:
    """Return " (did you mean X?)" if an existing name is close to `name` (case aside), else an empty string."""
    # Imported here: whoever makes no mistake does not wait for it.
    from difflib import get_close_matches

    folded = {entry.casefold(): entry for entry in existing}
    close = get_close_matches(name.casefold(), list(folded), n=1)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
