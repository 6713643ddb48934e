"""The command line: `movi-prep COMMAND`. Each command parses its flags, calls other packages, and prints the result.

Exit codes: 0 all is done; 2 wrong usage or configuration, a path that leads nowhere too; 3 done, but some units failed
and are listed; 1 anything else.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import exit_code_of
from movi_prep.errors import MoviPrepError, absent_package, describe_os_error
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
        # argparse exits after help and version; a text as exit code means failure, as in Python itself.
        return ended.code if isinstance(ended.code, int) else 1
    except MoviPrepError as error:
        return _tell(visible(error), words, code=exit_code_of(error, words))
    except KeyboardInterrupt:
        return _tell("stopped; the same command resumes where it stopped", words)
    except BrokenPipeError:
        # The reader of our output (head, less) has closed the pipe; at exit, Python would flush and complain again.
        _drop_output()
        return 1
    except OSError as error:
        # A full disk or a folder without permission: a traceback would not explain it better.
        return _tell(visible(describe_os_error(error)), words)


def _run(words: list[str]) -> int:
    from movi_prep.cli.commands import find_command
    from movi_prep.cli.flags import parse_arguments
    from movi_prep.runtime.interruption import stop_once

    given = parse_arguments(words)
    with stop_once(process_ends=True):
        try:
            code = find_command(given.command)(given)
        except ModuleNotFoundError as error:
            raise _name_package(error) from error
        # Flush now: an error of a full disk or a closed pipe must show before the exit code is decided.
        sys.stdout.flush()
        return code


def _name_package(error: ModuleNotFoundError) -> Exception:
    """Return an error of one line where a package of ours is not installed; another module is a defect."""
    package = absent_package(error)
    said = f"{package} is not installed in {sys.prefix}: install movi-prep there with all that it needs"
    return MoviPrepError(said) if package else error


def _tell(error: str, words: Sequence[str], *, code: int = 1) -> int:
    """Print why a command failed to standard error and, with `--json`, as the one object; return the exit code."""
    print(f"movi-prep: {error}", file=sys.stderr)
    try:
        if "--json" in words:
            print(json.dumps({"error": error, "exit_code": code}))
        sys.stdout.flush()
    except OSError:
        _drop_output()
    return code


def _complete_streams() -> None:
    """Open standard streams that the caller closed (`>&-`), so that no file of ours gets the number of one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # open() returns the lowest free number. That is `number`, because the loop has opened all below it.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
            if name == "stdout":
                print("movi-prep: standard output is closed, so the results are not printed", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name may have characters that the terminal's encoding lacks; without this, printing it raises.
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    # The descriptor itself is replaced: closing sys.stdout would flush it and fail once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _use_one_thread() -> None:
    """Set the environment of workers in this process, before numpy is loaded, so that serial runs give equal bytes."""
    from movi_prep.runtime.one_thread import ONE_THREAD

    for name, value in ONE_THREAD.items():
        # setdefault: a value that the user has set is meant.
        os.environ.setdefault(name, value)
