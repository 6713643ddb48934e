"""The flags: one table, which command takes which, and which setting each one lays over the file."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from movi_prep._version import __version__
from movi_prep.errors import UsageError, cut, list_names, suggest
from movi_prep.plain_text import shell_line

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARIES = {
    "demo": "write the embedded data set and run everything on it",
    "check": "what is there, what is missing, what will run",
    "markers": "AMASS to markers, static trial, height, mass",
    "ik": "scaling (once per subject) and inverse kinematics, with all before it",
    "shard": "alignment, crops and shards, with all before it",
    "run": "everything for which there are data",
    "status": "what is done, stale, failed, waiting",
    "verify": "read shards the way training does, check every sample, name those of earlier runs",
    "inspect": "what a file holds: dims, units, rate, names, provenance",
    "report": "one page on quality, for the corpus and each subject",
    "batch": "write a SLURM array script, for sites without long-running schedulers",
}

PLANNED = ("check", "markers", "ik", "shard", "run", "status", "report", "batch")
RUNNING = ("markers", "ik", "shard", "run")
TAKES_WORK = ("status", "report", "verify")
"""Commands that look at a work folder, and take it without a flag, too."""
MARKERS = ("check", "markers", "ik", "shard", "run", "batch", "status")
IK = ("check", "ik", "shard", "run", "batch", "status")
SHARD = ("check", "shard", "run", "batch", "status")


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: `--work`.
        commands: the commands that take it.
        help: one line.
        setting: dotted setting that it lays over the file; None for a flag that is no setting.
        value: what a flag without argument sets; None for one with an argument.
        metavar: name of the argument.
        choices: allowed values; empty for any.
        more: further keywords for argparse.
    """

    name: str
    commands: tuple[str, ...]
    help: str
    setting: str | None = None
    value: Any = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def dest(self) -> str:
        """Name in the parsed arguments."""
        return self.name.lstrip("-").replace("-", "_")


def at_least_one(text: str) -> int:
    """Return a number of workers; raise ArgumentTypeError for what cannot be one, before anything is written."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, but got {text!r}")
    return int(text)


FLAGS = (
    Flag("--config", PLANNED, "configuration file (YAML); flags win over it", metavar="FILE.yaml"),
    Flag("--work", (*PLANNED, "verify"), "work folder: everything is written there", "work", metavar="DIR"),
    Flag("--amass", PLANNED, "folder with AMASS", "amass", metavar="DIR"),
    Flag("--body-models", PLANNED, "folder with smplh/ and, if there, dmpls/", "body_models", metavar="DIR"),
    Flag("--v3d", PLANNED, "folder with F_v3d_Subject_N.mat", "v3d", metavar="DIR"),
    Flag("--videos", PLANNED, "folder with F_PG1_Subject_N_L.avi", "videos", metavar="DIR"),
    Flag("--calibration", PLANNED, "folder with camera calibration", "calibration", metavar="DIR"),
    Flag("--subset", PLANNED, "subsets of AMASS, as ACCAD,KIT, or all; without it BMLmovi", "subset", metavar="LIST"),
    Flag("--subjects", PLANNED, "subjects, as 1,15 or 1-5, or by name", "subjects", metavar="LIST"),
    Flag("--clips", PLANNED, "clips, as 1,3 or 1-5, or by name", "clips", metavar="LIST"),
    Flag("--exclude", PLANNED, "keys to leave out, as S007,S012/C03", "exclude", metavar="KEYS"),
    Flag("--set", PLANNED, "any setting, as markers.soft_tissue=true", metavar="NAME=VALUE", more={"action": "append"}),
    Flag("--rate", MARKERS, "clock of markers and labels", "markers.rate", choices=("video", "mocap")),
    Flag("--device", MARKERS, "torch device of the body model", "markers.device", metavar="NAME"),
    Flag("--marker-set", MARKERS, "marker set (YAML)", "markers.marker_set", metavar="FILE"),
    Flag("--trc", ("markers", "ik", "shard", "run", "batch", "status"), "write .trc files too"),
    Flag("--model", IK, "generic OpenSim model", "scaling.model", metavar="FILE.osim"),
    Flag("--scale-setup", IK, "scaling set-up (.yaml, .xml)", "scaling.setup", metavar="FILE"),
    Flag("--ik-setup", IK, "marker weights (.yaml, .xml)", "ik.setup", metavar="FILE"),
    Flag("--solver", IK, "our converged solver or OpenSim's", "ik.solver", choices=("converged", "opensim")),
    Flag(
        "--setup",
        ("ik",),
        "do what these OpenSim documents say (InverseKinematicsTool, ScaleTool)",
        metavar="FILE.xml",
        more={"nargs": "+"},
    ),
    Flag(
        "--marker-file",
        ("ik",),
        "track these .trc files, without AMASS, with --model as it is or scaled to --static-file",
        metavar="FILE.trc",
        more={"nargs": "+"},
    ),
    Flag(
        "--static-file",
        ("ik",),
        "scale to this static .trc first; without --marker-file, only scale",
        metavar="FILE.trc",
    ),
    Flag("--cameras", SHARD, "cameras, as PG1,PG2", "shard.cameras", metavar="LIST"),
    Flag("--layout", SHARD, "layout of shards", "shard.layout", choices=("native", "d3ke", "both")),
    Flag(
        "--context-quality",
        SHARD,
        "JPEG quality away from the body; 95 and above keeps the whole crop alike",
        "shard.context_quality",
        metavar="N",
        more={"type": int},
    ),
    Flag("--executor", (*RUNNING, "demo"), "where units run", "run.executor", choices=("serial", "local", "slurm")),
    Flag(
        "--workers",
        (*RUNNING, "demo", "verify"),
        "number of worker processes",
        "run.workers",
        metavar="N",
        more={"type": at_least_one},
    ),
    Flag("--scheduler", RUNNING, "address of a running Dask scheduler", "run.scheduler", metavar="tcp://HOST:PORT"),
    Flag("--slurm-profile", (*RUNNING, "batch"), "cluster profile (YAML)", "run.slurm_profile", metavar="FILE"),
    Flag("--on-error", RUNNING, "go on or stop after a failure", "run.on_error", choices=("continue", "abort")),
    Flag(
        "--full-hash",
        (*RUNNING, "status"),
        "compare large files by all bytes, not by samples",
        "run.full_hash",
        value=True,
    ),
    Flag("--force", RUNNING, "run the command's own stages again", value=True),
    Flag(
        "--only",
        RUNNING,
        "run one unit and what it needs, as 'ik S001/C03', or all units of a stage, as ik",
        metavar="UNIT",
        more={"action": "append"},
    ),
    Flag("--per-subject", RUNNING, "leave out what concerns all subjects at once (array jobs)", value=True),
    Flag("--dry-run", RUNNING, "say what would run and why, and stop", value=True),
    Flag("--self-test", ("check",), "solve known-answer problems without any data", value=True),
    Flag("--seed", ("demo",), "seed of the embedded data set", metavar="N", more={"type": int, "default": 0}),
    Flag("--chunk", ("batch",), "subjects per array task", metavar="N", more={"type": int, "default": 1}),
    Flag("--output", ("batch",), "folder of the scripts (WORK/batch)", metavar="DIR"),
    Flag("--beside", ("report",), "another work folder, whose residuals stand beside", metavar="DIR"),
    Flag("--verbose", (*RUNNING, "demo", "status"), "name every failed unit with its own command", value=True),
    Flag("--json", tuple(SUMMARIES), "end with one JSON object on standard output, and nothing else there", value=True),
)


@dataclass(frozen=True)
class Positional:
    """An argument without a flag."""

    name: str
    command: str
    help: str
    more: dict[str, Any]


POSITIONALS = (
    Positional("folder", "demo", "where the data set and its results go", {"nargs": "?", "default": "demo"}),
    Positional("files", "inspect", "files that the project reads or writes", {"nargs": "+"}),
    Positional("folder", "status", "the work folder (as --work)", {"nargs": "?"}),
    Positional("folder", "report", "the work folder (as --work)", {"nargs": "?"}),
    Positional("folder", "verify", "a work folder (as --work), or a folder of shards", {"nargs": "?"}),
)


class _Parser(argparse.ArgumentParser):
    """Errors are one line with a suggestion, as those of the configuration."""

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("movi-prep").strip()
        raise UsageError(f"{command}{': ' if command else ''}{message} (see {self.prog} --help)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line.

    Raises:
        UsageError: it cannot be parsed.
        SystemExit: help or version was asked for, and is printed.
    """
    parser = _parser()
    command = arguments[0] if arguments else None
    if command is None:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    if not command.startswith("-") and command not in SUMMARIES:
        parser.error(f"no command {command!r}{suggest(command, SUMMARIES)}; there are {', '.join(SUMMARIES)}")
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        flags = [flag.name for flag in FLAGS if given.command in flag.commands]
        name = unknown[0].split("=", maxsplit=1)[0]
        there = list_names(flags, at_most=60)
        parser.error(f"{given.command} takes no {name!r}{suggest(name, flags)}; there are {there}")
    _join_work_folder(parser, given)
    return given


def _join_work_folder(parser: _Parser, given: argparse.Namespace) -> None:
    """Take `status WORK` for `status --work WORK`, and refuse two that differ."""
    if given.command not in TAKES_WORK or given.folder is None:
        return
    if given.work is not None and Path(given.work).absolute() != Path(given.folder).absolute():
        parser.error(f"{given.command}: expected one work folder, but got {given.folder!r} and --work {given.work!r}")
    given.work = given.folder


def _read_value(text: str, value: str) -> Any:
    """Return the value of a `--set`, read as YAML reads it."""
    from movi_prep.config.yaml_text import YamlError, parse_yaml

    try:
        return parse_yaml(value)
    except YamlError as error:
        raise UsageError(
            f"--set {shell_line([cut(text)])}: expected a value (YAML), but {cut(str(error))}; correct it"
        ) from error


def settings_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that flags lay over the configuration file, nested like it."""
    nested: dict[str, Any] = {}
    for flag in FLAGS:
        value = getattr(given, flag.dest, None)
        if flag.setting is not None and value is not None:
            # Lists of numbers have ranges (1-5), which their settings parse themselves.
            is_list = flag.dest in ("cameras", "exclude")
            _put(nested, flag.setting, [part.strip() for part in value.split(",")] if is_list else value)
    if getattr(given, "trc", None):
        _put(nested, "markers.write_trc", value=True)
        _put(nested, "ik.write_trc", value=True)
    for text in getattr(given, "set", None) or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set: expected NAME=VALUE, but got {text!r}")
        _check_full_name(name.strip())
        _put(nested, name.strip(), _read_value(text, value))
    return nested


def typed_of(given: argparse.Namespace) -> dict[str, str]:
    """Return what was typed for each setting, by its dotted name: `--set markers.rate=vido`, `--rate vido`."""
    typed = {
        flag.setting: f"{flag.name} {shell_line([str(value)])}" if flag.value is None else flag.name
        for flag in FLAGS
        if flag.setting is not None and (value := getattr(given, flag.dest, None)) is not None
    }
    for text in getattr(given, "set", None) or ():
        typed[text.partition("=")[0].strip()] = f"--set {shell_line([text])}"
    return typed


def config_file_of(given: argparse.Namespace) -> Path | None:
    """Return the configuration file, if one was named."""
    return Path(given.config) if getattr(given, "config", None) else None


def _check_full_name(name: str) -> None:
    """Refuse a setting that is named by its last part only, and say its full name."""
    from movi_prep.config.load import settings_named

    full = () if "." in name else settings_named(name)
    if full and name not in full:
        raise UsageError(f"--set: expected the whole name of a setting ({' or '.join(full)}), but got {name!r}")


def _put(nested: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, name = dotted.split(".")
    for section in sections:
        nested = nested.setdefault(section, {})
        if not isinstance(nested, dict):
            raise UsageError(f"{dotted}: {section!r} is a setting, not a section")
    nested[name] = value


def _parser() -> _Parser:
    parser = _Parser(
        prog="movi-prep",
        description="Ground truth for video-to-kinematics networks from AMASS BMLmovi, SMPL+H and BML-MoVi.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"movi-prep {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command, summary in SUMMARIES.items():
        below = commands.add_parser(command, help=summary, description=summary, allow_abbrev=False)
        for positional in POSITIONALS:
            if positional.command == command:
                below.add_argument(positional.name, help=positional.help, **positional.more)
        for flag in FLAGS:
            if command in flag.commands:
                _add(below, flag)
    return parser


def _add(parser: argparse.ArgumentParser, flag: Flag) -> None:
    if flag.value is not None or flag.name == "--trc":
        # None where it is not given: a flag that is absent must not overrule the file.
        names = ("-v", flag.name) if flag.name == "--verbose" else (flag.name,)
        parser.add_argument(*names, help=flag.help, action="store_const", const=flag.value or True, default=None)
        return
    more: dict[str, Any] = {"metavar": flag.metavar} if flag.metavar else {}
    if flag.choices:
        more["choices"] = flag.choices
    parser.add_argument(flag.name, help=flag.help, **more, **flag.more)
