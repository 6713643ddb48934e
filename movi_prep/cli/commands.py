"""Which function each command is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.cli.batch_command import write_batch_scripts
from movi_prep.cli.check_command import check_data
from movi_prep.cli.demo_command import run_demo
from movi_prep.cli.ik_command import run_ik
from movi_prep.cli.inspect_command import inspect
from movi_prep.cli.report_command import report
from movi_prep.cli.run_command import run_stages
from movi_prep.cli.status_command import show_status
from movi_prep.cli.verify_command import verify

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
