"""The command line's table: commands, their flags, the setting that each flag overrides, and their help."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from movi_prep.errors import UsageError, cut, list_names, suggest
from movi_prep.plain_text import shell_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUMMARIES = {
    "demo": "write a small data set of the project's own and run every stage on it",
    "init": "write a first manifest and settings for a folder of your own recordings",
    "check": "what data are there, what is missing, what would run, and how long it takes",
    "markers": "AMASS motion to virtual markers, static trial, height and mass",
    "ik": "scale each subject's model and solve inverse kinematics (after markers)",
    "shard": "align and crop the videos, write training shards (after markers and ik)",
    "run": "every stage for which there are data",
    "status": "which units of a work folder are done, out of date, failed or waiting",
    "verify": "read every sample of the shards as training does; name shards that are out of date",
    "inspect": "what files hold: arrays, dimensions, units, names, provenance",
    "report": "write pages on quality: one for the corpus and one per subject",
    "augment": "write test sets that are flipped, brighter, coarser or cropped",
    "export": "write files that training codes, Blender (glb, bvh) or OpenSim open, or tables of joint angles",
    "view": "write pages on which clips move: model, pictures, angles, residuals",
    "overlay": "write a film of a clip with skeleton, markers and flags drawn on the video",
    "batch": "write SLURM array scripts, for clusters that allow no long-running scheduler",
    "completion": "print a completion script for bash and zsh",
}

COMMAND_GROUPS = {
    "run": ("demo", "init", "check", "markers", "ik", "shard", "run", "batch"),
    "train": ("export", "augment"),
    "look": ("status", "verify", "report", "view", "overlay", "inspect"),
    "tools": ("completion",),
}
"""The commands under the headings of `movi-prep --help`."""

_TRIALS = """\
OpenSim trials (no AMASS needed):
  ik --marker-file walk.trc --model scaled.osim --ik-setup weights.xml
                 track marker files (.trc, .c3d)
  ik --setup Setup_Scale.xml Setup_IK.xml
                 do what documents of OpenSim's scale tool and inverse kinematics tool say
"""

EXAMPLES = {
    "demo": "movi-prep demo ~/movi-demo",
    "init": "movi-prep init ~/recordings",
    "check": "movi-prep check --config bmlmovi.yaml",
    "markers": "movi-prep markers --amass ~/amass --body-models ~/body_models --subjects 1-5 --work ~/work",
    "ik": (
        "movi-prep ik --amass ~/amass --body-models ~/body_models --subset ACCAD,KIT --work ~/work\n"
        "  movi-prep ik --marker-file walk.trc --static-file static.trc --model generic.osim "
        "--scale-setup scale.xml --ik-setup ik.xml --work out\n"
        "  movi-prep ik --setup subject01_Setup_Scale.xml subject01_Setup_IK.xml"
    ),
    "shard": "movi-prep shard --config bmlmovi.yaml --cameras PG1",
    "run": "movi-prep run --config bmlmovi.yaml --subjects 1-5 --set shard.jpeg_quality=90",
    "status": "movi-prep status ~/work",
    "verify": "movi-prep verify ~/work --workers 4",
    "inspect": "movi-prep inspect ~/work/shards/S001_PG1.h5",
    "report": "movi-prep report ~/work",
    "augment": (
        "movi-prep augment --kind flip,brightness=+40,contrast=0.6,resize=0.33,crop=0.7 --split test "
        "~/work/shards ~/augmented"
    ),
    "export": (
        "movi-prep export --to videopose3d ~/work ~/videopose3d-data\n"
        "  movi-prep export --to glb ~/work ~/scenes\n"
        "  movi-prep export --to motionbert --train 1-60 --test 61-90 ~/work ~/motionbert-data"
    ),
    "view": "movi-prep view ~/work\n  movi-prep view ~/work S001/C03 S015",
    "overlay": "movi-prep overlay ~/work S001/C03 film.mp4 --camera PG1",
    "batch": "movi-prep batch --config bmlmovi.yaml --slurm-profile slurm.yaml --chunk 4",
    "completion": (
        "source <(movi-prep completion)          # in ~/.bashrc\n"
        "  autoload -U bashcompinit; bashcompinit  # in ~/.zshrc, before the same line"
    ),
}
"""The end of each command's help: one or more examples."""

PLANNED = ("check", "markers", "ik", "shard", "run", "status", "report", "batch")
RUNNING = ("markers", "ik", "shard", "run")
TAKES_WORK = ("status", "report", "verify")
"""Commands that read a work folder, and take it with and without `--work`."""
MARKERS = ("check", "markers", "ik", "shard", "run", "batch", "status")
IK = ("check", "ik", "shard", "run", "batch", "status")
SHARD = ("check", "shard", "run", "batch", "status")
EXPORTS = ("videopose3d", "3d-pose-baseline", "motionbert", "pose-hg-3d", "csv")
SCENES = ("glb", "bvh", "osim")
"""What `export` writes for other programs: Blender and the web, animation, OpenSim."""


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: `--work`.
        commands: the commands that take it.
        help: one line.
        setting: dotted name of the setting that it overrides; None if it overrides none.
        value: the value that a flag without argument gives; None for a flag with an argument.
        metavar: name of the argument.
        choices: allowed values; empty for any.
        default: the default in words, if the value of the setting's own default (None, say) does not explain it.
        more: further keywords for argparse.
    """

    name: str
    commands: tuple[str, ...]
    help: str
    setting: str | None = None
    value: Any = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def dest(self) -> str:
        """Name in the parsed arguments."""
        return self.name.lstrip("-").replace("-", "_")


def at_least_one(text: str) -> int:
    """Return a number of workers from its text; raise ArgumentTypeError if it is not a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, but got {text!r}")
    return int(text)


FLAG_GROUPS: dict[str, tuple[Flag, ...]] = {
    "where the data are, and where results go": (
        Flag("--config", PLANNED, "configuration file; flags override it", metavar="FILE.yaml"),
        Flag(
            "--work", (*PLANNED, "verify"), "work folder: all results go there", "work", metavar="DIR", default="work"
        ),
        Flag("--manifest", PLANNED, "list of your own recordings, instead of the folders", "manifest", metavar="FILE"),
        Flag("--amass", PLANNED, "folder with the AMASS clips (.npz)", "amass", metavar="DIR"),
        Flag("--body-models", PLANNED, "folder with smplh/ and, if there, dmpls/", "body_models", metavar="DIR"),
        Flag("--v3d", PLANNED, "folder with F_v3d_Subject_N.mat", "v3d", metavar="DIR"),
        Flag("--videos", PLANNED, "folder with F_PG1_Subject_N_L.avi", "videos", metavar="DIR"),
        Flag(
            "--calibration", (*PLANNED, "augment"), "folder with the cameras' calibration", "calibration", metavar="DIR"
        ),
    ),
    "which subjects and clips": (
        Flag(
            "--subset",
            PLANNED,
            "subsets of AMASS, without video: ACCAD,KIT or all",
            "subset",
            metavar="LIST",
            default="BMLmovi, with video",
        ),
        Flag(
            "--reader",
            PLANNED,
            "what --amass holds where it is not AMASS: 3dpw, emdb or results (of networks)",
            "reader",
            metavar="NAME",
            default="AMASS",
        ),
        Flag("--subjects", PLANNED, "1,15 or 1-5, names or patterns", "subjects", metavar="LIST", default="all"),
        Flag("--clips", PLANNED, "1,3 or 1-5, names or patterns", "clips", metavar="LIST", default="all"),
        Flag("--exclude", PLANNED, "subjects and clips to leave out: S007,S012/C03", "exclude", metavar="KEYS"),
    ),
    "markers, model and inverse kinematics": (
        Flag(
            "--rate",
            MARKERS,
            "solve at every video frame or at every mocap sample",
            "markers.rate",
            choices=("video", "mocap"),
        ),
        Flag("--device", MARKERS, "torch device of the body model: cpu, cuda", "markers.device", metavar="NAME"),
        Flag(
            "--marker-set",
            MARKERS,
            "marker set on the body mesh (.yaml)",
            "markers.marker_set",
            metavar="FILE",
            default="D3KE's 142 markers",
        ),
        Flag("--trc", ("markers", "ik", "shard", "run", "batch", "status"), "write .trc files, too"),
        Flag("--model", IK, "OpenSim model", "scaling.model", metavar="FILE.osim", default="the packaged model"),
        Flag(
            "--scale-setup",
            IK,
            "how the model is scaled (.yaml, .xml)",
            "scaling.setup",
            metavar="FILE",
            default="the packaged model's",
        ),
        Flag(
            "--ik-setup",
            IK,
            "marker weights (.yaml, .xml)",
            "ik.setup",
            metavar="FILE",
            default="the packaged model's",
        ),
        Flag("--solver", IK, "our converged solver or OpenSim's", "ik.solver", choices=("converged", "opensim")),
    ),
    "OpenSim trials, instead of AMASS": (
        Flag(
            "--setup",
            ("ik",),
            "do what these documents of OpenSim's tools say (InverseKinematicsTool, ScaleTool)",
            metavar="FILE.xml",
            more={"nargs": "+"},
        ),
        Flag(
            "--marker-file",
            ("ik",),
            "track these .trc or .c3d files with --model, which is scaled first if --static-file is given",
            metavar="FILE.trc",
            more={"nargs": "+"},
        ),
        Flag(
            "--static-file",
            ("ik",),
            "scale --model to this static trial; without --marker-file, only scale",
            metavar="FILE.trc",
        ),
        Flag(
            "--deviations",
            ("ik",),
            "write how far each angle may be off (NAME_ik_deviations.sto), too",
            "ik.write_deviations",
            value=True,
        ),
    ),
    "shards": (
        Flag(
            "--cameras",
            (*SHARD, "export"),
            "cameras to write",
            "shard.cameras",
            metavar="LIST",
            default="all of a manifest; of BMLmovi PG1,PG2",
        ),
        Flag("--layout", SHARD, "layout of the shards", "shard.layout", choices=("native", "d3ke", "both")),
        Flag(
            "--pascal",
            SHARD,
            "VOC2012 folder; --layout d3ke then writes objects to paste over pictures",
            "shard.pascal",
            metavar="DIR",
            default="none",
        ),
        Flag(
            "--context-quality",
            SHARD,
            "JPEG quality away from the body; 95 or more stores the whole crop at one quality",
            "shard.context_quality",
            metavar="N",
            more={"type": int},
        ),
    ),
    "exports": (
        Flag(
            "--kind",
            ("augment",),
            "flip, brightness=+40, contrast=0.6, resize=0.33, crop=0.7, separated by commas",
            metavar="LIST",
            more={"required": True},
        ),
        Flag("--split", ("augment",), "part of the data", choices=("train", "validation", "test"), default="all"),
        Flag("--allow-asymmetric", ("augment",), "flip models that are no mirror image of themselves", value=True),
        Flag(
            "--to",
            ("export",),
            "training code to write for, csv, or kind of file for other programs",
            choices=(*EXPORTS, *SCENES),
            more={"required": True},
        ),
        Flag(
            "--train",
            ("export",),
            "subjects to train on: 1,15 or 1-5, names or patterns",
            metavar="LIST",
            default="as the shards say",
        ),
        Flag("--test", ("export",), "subjects to test on", metavar="LIST", default="as the shards say"),
        Flag(
            "--joint-centres",
            ("export",),
            "where hips, knees, ankles, shoulders, elbows and wrists come from",
            choices=("smpl", "opensim"),
            default="smpl",
        ),
    ),
    "how to run": (
        Flag(
            "--executor",
            (*RUNNING, "demo"),
            "one process, the processes of this machine, or a SLURM cluster",
            "run.executor",
            choices=("serial", "local", "slurm"),
        ),
        Flag(
            "--workers",
            (*RUNNING, "demo", "verify"),
            "number of worker processes",
            "run.workers",
            metavar="N",
            default="one per core; for verify 1; on SLURM the profile's",
            more={"type": at_least_one},
        ),
        Flag(
            "--scheduler", RUNNING, "use a Dask scheduler that runs already", "run.scheduler", metavar="tcp://HOST:PORT"
        ),
        Flag(
            "--slurm-profile",
            (*RUNNING, "batch"),
            "cluster profile (.yaml)",
            "run.slurm_profile",
            metavar="FILE",
            default="the packaged slurm.yaml",
        ),
        Flag(
            "--on-error",
            RUNNING,
            "after a failed unit, go on with the others or stop",
            "run.on_error",
            choices=("continue", "abort"),
        ),
        Flag(
            "--full-hash",
            (*RUNNING, "status"),
            "compare all bytes of large files, not samples of them",
            "run.full_hash",
            value=True,
        ),
        Flag("--force", RUNNING, "run the command's own stages again, even where nothing changed", value=True),
        Flag(
            "--only",
            RUNNING,
            "run this unit and what it needs ('ik S001/C03'), or all units of a stage (ik)",
            metavar="UNIT",
            more={"action": "append"},
        ),
        Flag("--per-subject", RUNNING, "leave out files that all subjects share (for array jobs)", value=True),
        Flag("--dry-run", RUNNING, "say what would run and why, and stop", value=True),
    ),
    "this command": (
        Flag("--self-test", ("check",), "solve problems with known answers; needs no data", value=True),
        Flag(
            "--seed",
            ("demo",),
            "seed of the data set",
            metavar="N",
            default="0",
            more={"type": int, "default": 0},
        ),
        Flag(
            "--chunk",
            ("batch",),
            "subjects per array task",
            metavar="N",
            default="1",
            more={"type": int, "default": 1},
        ),
        Flag("--output", ("batch",), "folder of the scripts", metavar="DIR", default="WORK/batch"),
        Flag("--camera", ("overlay",), "the camera", metavar="NAME", more={"required": True}),
        Flag(
            "--pages",
            ("view",),
            "clips with a page if none are named, the most urgent first",
            metavar="N",
            more={"type": at_least_one, "default": 20},
        ),
        Flag("--beside", ("report",), "second work folder, whose residuals are shown beside", metavar="DIR"),
    ),
    "settings and output": (
        Flag(
            "--set",
            PLANNED,
            "any setting of the configuration file: markers.soft_tissue=true; repeatable",
            metavar="NAME=VALUE",
            more={"action": "append"},
        ),
        Flag(
            "--verbose",
            (*RUNNING, "demo", "status"),
            "name every failed unit with the command that repeats it",
            value=True,
        ),
        Flag(
            "--json",
            tuple(name for name in SUMMARIES if name != "completion"),
            "print one JSON object to standard output, and everything else to standard error",
            value=True,
        ),
    ),
}
"""The flags under the headings of each command's help."""

FLAGS = tuple(flag for group in FLAG_GROUPS.values() for flag in group)


@dataclass(frozen=True)
class Positional:
    """An argument without a flag."""

    name: str
    command: str
    help: str
    more: dict[str, Any]

    @property
    def usage(self) -> str:
        """How the usage line shows the argument: `[DIR]`, `FILE ...`."""
        name = self.name.upper()
        return {None: name, "?": f"[{name}]", "+": f"{name} ...", "*": f"[{name} ...]"}[self.more.get("nargs")]


POSITIONALS = (
    Positional(
        "folder", "demo", "where the data set and its results go (default: demo)", {"nargs": "?", "default": "demo"}
    ),
    Positional("folder", "init", "the folder with motions, videos and calibrations", {"nargs": "?", "default": "."}),
    Positional("files", "inspect", "files that movi-prep reads or writes", {"nargs": "+"}),
    Positional("folder", "status", "the work folder (as --work)", {"nargs": "?"}),
    Positional("folder", "report", "the work folder (as --work)", {"nargs": "?"}),
    Positional("folder", "view", "the work folder", {}),
    Positional("clips", "view", "clips or subjects, as S001/C03, S001, 1-5 or S0*", {"nargs": "*"}),
    Positional("folder", "overlay", "the work folder", {}),
    Positional("clip", "overlay", "the clip, as S001/C03", {}),
    Positional("out", "overlay", "the film: .mp4 for players, .webm for browsers", {}),
    Positional("folder", "verify", "a work folder (as --work), or a folder of shards", {"nargs": "?"}),
    Positional("source", "augment", "a folder of shards, native or of D3KE's layout", {}),
    Positional("out", "augment", "where a folder of each kind is written", {}),
    Positional("source", "export", "a work folder, or a folder of shards", {}),
    Positional("out", "export", "folder to write; an export to the same code is replaced", {}),
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are UsageErrors of one line, and that shows defaults of settings in its help."""

    def __init__(self, **how: Any) -> None:
        """Start without flags."""
        # No abbreviations: a new flag with the same beginning would break scripts that used one.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **how)
        self._described: list[tuple[argparse.Action, Flag]] = []

    def add_flag(self, group: argparse._ArgumentGroup, flag: Flag) -> None:
        """Add a flag to a group of this parser."""
        self._described.append((_add(group, flag), flag))

    def format_help(self) -> str:
        """Return the help, each flag with its default."""
        # Only when help is shown: defaults need the settings, which most commands load later.
        for action, flag in self._described:
            # argparse formats help texts with %: a percent sign of our own must be doubled.
            default = default_text(flag).replace("%", "%%")
            action.help = f"{flag.help} (default: {default})" if default else flag.help
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("movi-prep").strip()
        raise UsageError(f"{command}{': ' if command else ''}{message} (see {self.prog} --help)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line.

    Raises:
        UsageError: it cannot be parsed.
        SystemExit: help or version was asked for, and is printed.
    """
    command = arguments[0] if arguments else None
    parser = _parser([command] if command in SUMMARIES else SUMMARIES)
    if command is None:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    if command in ("help", "version"):
        parser.error(f"no command {command!r}; did you mean movi-prep --{command}?")
    if command.startswith("-") and command in {flag.name for flag in FLAGS}:
        parser.error(f"expected a command first, but got {command!r}; write movi-prep COMMAND {command}")
    if not command.startswith("-") and command not in SUMMARIES:
        parser.error(f"no command {command!r}{suggest(command, SUMMARIES)}; there are {', '.join(SUMMARIES)}")
    # parse_known_args, because argparse's own message on unknown flags suggests nothing.
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Only flags of this command are suggested.
        flags = [flag.name for flag in FLAGS if given.command in flag.commands]
        name = unknown[0].split("=", maxsplit=1)[0]
        if not name.startswith("-"):
            raise UsageError(_say_stray(arguments, unknown[0], flags))
        there = list_names(flags, at_most=60)
        parser.error(f"{given.command} takes no {name!r}{suggest(name, flags)}; there are {there}")
    _check_not_empty(parser, given)
    _join_work_folder(parser, given)
    return given


def _check_not_empty(parser: _Parser, given: argparse.Namespace) -> None:
    """Refuse empty paths: an unset variable of a shell script would stand for the current folder."""
    # Paths that are settings are checked where the configuration is read, those of its file too.
    flags = {
        flag.dest: flag.name for flag in FLAGS if (flag.metavar or "").startswith(("FILE", "DIR")) and not flag.setting
    }
    words = {item.name: item.name.upper() for item in POSITIONALS if item.command == given.command}
    for dest, name in (words | flags).items():
        value = getattr(given, dest, None)
        if "" in (value if isinstance(value, list) else [value]):
            parser.error(f"{given.command}: expected a name for {name}, but got an empty one")


_MEANT = {
    ".yaml": "--config",
    ".yml": "--config",
    ".trc": "--marker-file",
    ".c3d": "--marker-file",
    ".osim": "--model",
    ".xml": "--setup",
}
"""The flag with which a file is named, by its suffix."""


def _say_stray(arguments: Sequence[str], word: str, flags: Sequence[str]) -> str:
    """Return what is wrong with a word that no flag takes, and what may be meant."""
    command, at = arguments[0], arguments.index(word)
    path = Path(word)
    if word == "help":
        return f"{command}: expected a flag, but got 'help'; did you mean movi-prep {command} --help?"
    flag_before, value = arguments[at - 2 : at] if at > 2 else ("", "")
    if any(flag.name == flag_before and flag.metavar in ("LIST", "KEYS") for flag in FLAGS):
        return (
            f"{command}: expected a list without blanks, but got {word!r}; did you mean {flag_before} {value},{word}?"
        )
    # A folder of AMASS is what most commands read; of commands that read results it is the work folder.
    folder = "--work" if (path / "records").is_dir() or command in TAKES_WORK else "--amass"
    flag = folder if path.is_dir() else _MEANT.get(path.suffix.lower(), "")
    hint = f"did you mean {flag} {shell_line([word])}?" if flag in flags else "leave it out, or name its flag"
    return f"{command}: expected a flag, but got {word!r}; {hint}"


def _join_work_folder(parser: _Parser, given: argparse.Namespace) -> None:
    """Read `status WORK` as `status --work WORK`; refuse two folders that differ."""
    if given.command not in TAKES_WORK or given.folder is None:
        return
    if given.work is not None and Path(given.work).absolute() != Path(given.folder).absolute():
        parser.error(f"{given.command}: expected one work folder, but got {given.folder!r} and --work {given.work!r}")
    given.work = given.folder


def _read_value(text: str, value: str) -> Any:
    """Return the value of a `--set`, parsed as YAML, like a value in the configuration file."""
    from movi_prep.config.yaml_text import YamlError, parse_yaml

    try:
        return parse_yaml(value)
    except YamlError as error:
        raise UsageError(
            f"--set {shell_line([cut(text)])}: expected a value (YAML), but {cut(str(error))}; correct it"
        ) from error


def settings_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that flags override, nested like the configuration file."""
    nested: dict[str, Any] = {}
    for flag in FLAGS:
        value = getattr(given, flag.dest, None)
        if flag.setting is not None and value is not None:
            # Subjects and clips may be ranges (1-5); their settings parse the text themselves.
            is_list = flag.dest in ("cameras", "exclude")
            _put(nested, flag.setting, [part.strip() for part in value.split(",")] if is_list else value)
    if getattr(given, "trc", None):
        _put(nested, "markers.write_trc", value=True)
        _put(nested, "ik.write_trc", value=True)
    for text in getattr(given, "set", None) or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set: expected NAME=VALUE, but got {text!r}")
        if not value.strip():
            # What a shell makes of a variable that is not set must not be the default without a word.
            raise UsageError(f"--set {text}: expected a value, but got none; write null for none")
        _check_full_name(name.strip())
        _put(nested, name.strip(), _read_value(text, value))
    return nested


def typed_of(given: argparse.Namespace) -> dict[str, str]:
    """Return what the user typed for each setting, by its dotted name: `--set markers.rate=vido`, `--rate vido`."""
    typed = {
        flag.setting: f"{flag.name} {shell_line([str(value)])}" if flag.value is None else flag.name
        for flag in FLAGS
        if flag.setting is not None and (value := getattr(given, flag.dest, None)) is not None
    }
    for text in getattr(given, "set", None) or ():
        typed[text.partition("=")[0].strip()] = f"--set {shell_line([text])}"
    return typed


def config_file_of(given: argparse.Namespace) -> Path | None:
    """Return the configuration file, or None if none was given."""
    return Path(given.config) if getattr(given, "config", None) else None


def _check_full_name(name: str) -> None:
    """Refuse a setting that is named by its last part only; the error gives its full name."""
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


def default_text(flag: Flag) -> str:
    """Return the default that the help of a flag shows; empty if there is nothing to show."""
    if flag.default or flag.setting is None or flag.value is not None:
        return flag.default
    from movi_prep.config.load import default_of

    value = default_of(flag.setting)
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else "" if value is None else str(value)


class _PrintVersions(argparse.Action):
    """Prints the versions for `--version`, without loading torch or OpenSim."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from movi_prep.cli.versions import describe_versions

        print(describe_versions())
        parser.exit()


def _parser(known: Iterable[str]) -> _Parser:
    """Return the parser of these commands: all flags of all take longer to add than most commands to begin."""
    parser = _Parser(
        prog="movi-prep",
        usage="movi-prep COMMAND [FLAGS]",
        description="Ground truth for networks that read 3D human kinematics from video: from AMASS motion, SMPL+H "
        "bodies\nand calibrated video to joint angles, joint centres and image crops.\n\n" + _command_list(),
        epilog="movi-prep COMMAND --help shows the flags of a command and an example.\n"
        "Exit codes: 0 all is done; 2 wrong usage, a path that leads nowhere too; 3 done, but some units failed;\n"
        "1 anything else.",
    )
    parser.add_argument(
        "--version", action=_PrintVersions, nargs=0, help="show the versions of movi-prep, its solver and OpenSim"
    )
    commands = parser.add_subparsers(
        dest="command", required=True, parser_class=_Parser, prog="movi-prep", help=argparse.SUPPRESS
    )
    for command in known:
        taken = [positional for positional in POSITIONALS if positional.command == command]
        usage = " ".join(("%(prog)s [FLAGS]", *(positional.usage for positional in taken)))
        below = commands.add_parser(
            command,
            description=f"movi-prep {command}: {SUMMARIES[command]}.",
            usage=usage,
            epilog=f"example:\n  {EXAMPLES[command]}",
        )
        for positional in taken:
            below.add_argument(
                positional.name, help=positional.help, metavar=positional.name.upper(), **positional.more
            )
        for title, flags in FLAG_GROUPS.items():
            # A group without a flag of this command is added all the same: argparse leaves empty groups out of the
            # help.
            own = [flag for flag in flags if command in flag.commands]
            group = below.add_argument_group(title)
            for flag in own:
                below.add_flag(group, flag)
    return parser


def _command_list() -> str:
    """Return the commands under their headings, one per line."""
    groups = [
        f"{title}:\n" + "".join(f"  {name:<12} {SUMMARIES[name]}\n" for name in names)
        for title, names in COMMAND_GROUPS.items()
    ]
    return "\n".join((*groups[:2], _TRIALS, *groups[2:]))


def _add(group: argparse._ArgumentGroup, flag: Flag) -> argparse.Action:
    if flag.value is not None or flag.name == "--trc":
        # None where it is not given: a flag that is absent must not override the file.
        names = ("-v", flag.name) if flag.name == "--verbose" else (flag.name,)
        return group.add_argument(*names, help=flag.help, action="store_const", const=flag.value or True, default=None)
    more: dict[str, Any] = {"metavar": flag.metavar} if flag.metavar else {}
    if flag.choices:
        more["choices"] = flag.choices
    return group.add_argument(flag.name, help=flag.help, **more, **flag.more)
