"""The wrapper of every reader: whatever a library raises while it reads a file becomes one error of that file.

Libraries raise all kinds of errors on damaged files: `RuntimeError` for an encrypted archive, `KeyError` for a member
that is not there, `MemoryError`, `RecursionError`, errors of zlib and lzma. This module turns them into `InputError`.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from movi_prep.errors import InputError, MissingError, MoviPrepError, absent_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    import numpy as np

More = ParamSpec("More")
Result = TypeVar("Result")

AGAIN = "the file is damaged or of another kind: fetch it again, or leave it out"
"""The remedy for most files that cannot be read."""

HIGHEST_RATIO = 1100
"""Most bytes that one packed byte can stand for: deflate's limit is 1032 (zlib.net/zlib_tech.html)."""

REAL_KINDS = "iuf"
"""Kinds of dtype that are real numbers; numpy converts complex numbers, dates and truth values to floats silently."""


@contextmanager
def reading(path: Path | str, *, expected: str, remedy: str = AGAIN) -> Iterator[None]:
    """Turn whatever is raised inside into an error of the file; the project's own errors pass through.

    Args:
        path: the file, or the file and the part of it that is read.
        expected: what the file should be: "a whole .npz archive".
        remedy: what to do about it.

    Raises:
        MissingError: the file does not exist.
        InputError: everything else that went wrong.
    """
    try:
        yield
    # First: an inner reader knows better than this one what is wrong.
    except MoviPrepError:
        raise
    except FileNotFoundError as error:
        raise MissingError(path, expected=expected, got="no file", remedy="check the path") from error
    except PermissionError as error:
        raise InputError(
            path, expected=expected, got=f"{error.strerror or error}", remedy="give yourself the right to read it"
        ) from error
    # Exception, not BaseException: Ctrl-C is not the file's fault.
    except Exception as error:
        if isinstance(error, ImportError) and absent_package(error):
            # Nor is an installation without h5py.
            raise
        raise InputError(path, expected=expected, got=_say(error), remedy=remedy) from error


def reads(
    expected: str, remedy: str = AGAIN
) -> Callable[[Callable[Concatenate[Path, More], Result]], Callable[Concatenate[Path, More], Result]]:
    """Decorate a function whose first argument is a path: it raises only errors of that file, as `reading` does."""

    def through_the_door(
        read: Callable[Concatenate[Path, More], Result],
    ) -> Callable[Concatenate[Path, More], Result]:
        @wraps(read)
        def read_or_tell(path: Path, /, *args: More.args, **kwargs: More.kwargs) -> Result:
            with reading(path, expected=expected, remedy=remedy):
                return read(path, *args, **kwargs)

        return read_or_tell

    return through_the_door


def check_real(dtype: np.dtype[Any], *, where: Path | str, name: str, remedy: str = AGAIN) -> None:
    """Raise InputError unless a dtype is one of real numbers."""
    if dtype.kind not in REAL_KINDS:
        raise InputError(f"{where}: {name}", expected="real numbers", got=f"dtype {dtype}", remedy=remedy)


def _say(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "one that asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "one that is nested deeper than anything real"
    if isinstance(error, RuntimeError) and "is encrypted" in str(error):
        return "an encrypted one"
    return f"a damaged one ({type(error).__name__}{f': {error}' if str(error) else ''})"
