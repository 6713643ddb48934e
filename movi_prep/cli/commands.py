"""The function of each command. Its module is imported only when the command runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

Command = Callable[["argparse.Namespace"], int]

_FUNCTIONS: dict[str, tuple[str, str]] = {
    "demo": ("demo_command", "run_demo"),
    "init": ("init_command", "init"),
    "check": ("check_command", "check_data"),
    "markers": ("run_command", "run_stages"),
    "ik": ("ik_command", "run_ik"),
    "shard": ("run_command", "run_stages"),
    "run": ("run_command", "run_stages"),
    "status": ("status_command", "show_status"),
    "verify": ("verify_command", "verify"),
    "inspect": ("inspect_command", "inspect"),
    "report": ("report_command", "report"),
    "augment": ("augment_command", "augment_shards"),
    "export": ("export_command", "export_shards"),
    "view": ("view_command", "view"),
    "overlay": ("overlay_command", "overlay"),
    "batch": ("batch_command", "write_batch_scripts"),
    "completion": ("completion_command", "print_completion"),
}
"""By the name of the command: the module of this folder, and the function in it."""

COMMANDS = tuple(_FUNCTIONS)
"""Names of all commands."""


def find_command(name: str) -> Command:
    """Return the function that takes a command's parsed arguments and returns an exit code."""
    module, function = _FUNCTIONS[name]
    command: Command = getattr(import_module(f"movi_prep.cli.{module}"), function)
    return command
