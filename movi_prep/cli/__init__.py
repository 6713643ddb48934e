"""The command line: `movi-prep COMMAND`. Everything it does is a function elsewhere first.

Exit codes: 0 all that was asked is done; 2 wrong usage or configuration; 3 done, but some units failed and are
named; 1 anything else.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from movi_prep.errors import MoviPrepError, UsageError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    from movi_prep.cli.flags import parse_arguments
    from movi_prep.runtime.interruption import stop_once

    _use_one_thread()
    try:
        given = parse_arguments(list(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    try:
        with stop_once(process_ends=True):
            from movi_prep.cli.commands import COMMANDS

            return COMMANDS[given.command](given)
    except MoviPrepError as error:
        print(f"movi-prep: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("movi-prep: stopped; the same command goes on where it stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        # A full disk, a folder without permission: nothing that a traceback would explain better.
        print(f"movi-prep: {describe_os_error(error)}", file=sys.stderr)
        return 1


def _use_one_thread() -> None:
    """Give this process the environment of workers, before numpy is loaded: serial runs give the same bytes."""
    from movi_prep.runtime.process import ONE_THREAD

    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
