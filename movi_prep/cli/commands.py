"""Which function each command is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.cli.looking import check_data, inspect, report, show_status, verify
from movi_prep.cli.running import run_demo, run_stages, write_batch_scripts
from movi_prep.cli.tracking import run_ik

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": run_demo,
    "check": check_data,
    "markers": run_stages,
    "ik": run_ik,
    "shard": run_stages,
    "run": run_stages,
    "status": show_status,
    "verify": verify,
    "inspect": inspect,
    "report": report,
    "batch": write_batch_scripts,
}
"""From the name at the command line to the function that takes its parsed arguments and returns an exit code."""
