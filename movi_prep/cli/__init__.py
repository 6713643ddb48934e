"""The command line: `movi-prep COMMAND`. Everything it does is a function elsewhere first.

Exit codes: 0 all that was asked is done; 2 wrong usage or configuration; 3 done, but some units failed and are
named; 1 anything else.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

from movi_prep.errors import MoviPrepError, UsageError, describe_os_error
from movi_prep.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _use_one_thread()
    _complete_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except MoviPrepError as error:
        return _tell(visible(error), words, code=2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        return _tell("stopped; the same command goes on where it stopped", words)
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough; Python would complain once more at exit.
        _drop_output()
        return 1
    except OSError as error:
        # A full disk, a folder without permission: nothing that a traceback would explain better.
        return _tell(visible(describe_os_error(error)), words)


def _run(words: list[str]) -> int:
    from movi_prep.cli.commands import find_command
    from movi_prep.cli.flags import parse_arguments
    from movi_prep.runtime.interruption import stop_once

    given = parse_arguments(words)
    with stop_once(process_ends=True):
        code = find_command(given.command)(given)
        # What a full disk or a reader that has gone does not take shows now, not after the exit code is said.
        sys.stdout.flush()
        return code


def _tell(error: str, words: Sequence[str], *, code: int = 1) -> int:
    """Print why a command ended, for a person and, with `--json`, as the one object; return the exit code."""
    print(f"movi-prep: {error}", file=sys.stderr)
    try:
        if "--json" in words:
            print(json.dumps({"error": error, "exit_code": code}))
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return code


def _complete_streams() -> None:
    """Open what the caller has closed (`>&-`), so that no file of ours takes the number of a standard stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is the one that was closed: those below it are open by now.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
            if name == "stdout":
                print("movi-prep: standard output is closed; what would be printed there is lost", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding does not have is spelt out, not a traceback.
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _use_one_thread() -> None:
    """Give this process the environment of workers, before numpy is loaded: serial runs give the same bytes."""
    from movi_prep.runtime.one_thread import ONE_THREAD

    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
