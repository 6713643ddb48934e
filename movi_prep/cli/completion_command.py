"""`completion`: prints a script by which bash and zsh complete commands, flags and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK
from movi_prep.cli.flags import FLAGS, SUMMARIES

if TYPE_CHECKING:
    import argparse

# `-o default`: if the function offers nothing, the shell completes file names.
_SCRIPT = """\
_movi_prep() {{
    local words="" word="${{COMP_WORDS[COMP_CWORD]}}"
    if [ "$COMP_CWORD" = 1 ]; then
        words="{commands} --help --version"
    elif [ "${{word#-}}" != "$word" ]; then
        case "${{COMP_WORDS[1]}}" in
{flags}
        esac
    else
        case "${{COMP_WORDS[COMP_CWORD-1]}}" in
{choices}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _movi_prep movi-prep
"""


def print_completion(given: argparse.Namespace) -> int:
    """`completion`: print the script."""
    del given
    print(completion_script(), end="")
    return OK


def completion_script() -> str:
    """Return the script. It holds all words of the tables, because starting Python at each tab would be slow."""
    flags = {
        command: " ".join(["--help", *(flag.name for flag in FLAGS if command in flag.commands)])
        for command in SUMMARIES
    }
    choices = {flag.name: " ".join(flag.choices) for flag in FLAGS if flag.choices}
    return _SCRIPT.format(commands=" ".join(SUMMARIES), flags=_branches(flags), choices=_branches(choices))


def _branches(words: dict[str, str]) -> str:
    return "\n".join(f'            {name}) words="{said}" ;;' for name, said in words.items())
