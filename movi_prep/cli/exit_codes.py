"""Exit codes of all commands: all is done; any other failure; wrong usage or configuration; some units failed.

What a user typed wrongly is wrong usage: a path that leads nowhere, or a configuration, set-up or marker set that
cannot be read, too. What is wrong inside a file of data, or in one document of `--setup`, is a failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MissingError, MoviPrepError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

OK, FAILED, USAGE, UNITS_FAILED = 0, 1, 2, 3


def exit_code_of(error: MoviPrepError, words: Iterable[str]) -> int:
    """Return the exit code of a command that ended with an error.

    Args:
        error: the error.
        words: what the user typed.
    """
    if isinstance(error, UsageError):
        return USAGE
    is_typed = isinstance(error, MissingError) and names_typed(error.where, words)
    # What is wrong with a flag is said of it by its name: `--train`.
    return USAGE if is_typed or (isinstance(error, InputError) and error.where.startswith("--")) else FAILED


def names_typed(where: str, words: Iterable[str]) -> bool:
    """Return whether a path is one that the user typed, by itself or as `--flag=PATH`."""
    typed = (part for word in words for part in (word, word.partition("=")[2]) if part)
    return Path(where).absolute() in {Path(part).expanduser().absolute() for part in typed}
