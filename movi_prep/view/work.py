"""Pages of a work folder: `WORK/view/S001/C03.html` per clip, and `WORK/view/index.html` that lists all of them.

The list is made from the records of units, which are small: it takes a second for thousands of clips. Pages of clips
take longer and are made as they are asked for; the list shows the worst clips first, and the command for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MissingError, UsageError, list_names, suggest
from movi_prep.formats.atomic import write_text
from movi_prep.formats.ik_file import read_ik_provenance, read_ik_solution
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.formats.unit_outcome import read_outcome
from movi_prep.names import natural_order
from movi_prep.plain_text import count_of, shell_line
from movi_prep.records.choice import choose_names
from movi_prep.records.identity import ClipId
from movi_prep.report.measures import measure_clip
from movi_prep.report.verdicts import IK_MAX_LIMITS_MM, IK_RMS_LIMIT_MM, LEAST_VALID_PERCENT
from movi_prep.stages.ik import ik_setup_path
from movi_prep.stages.whole_solution import read_whole_solution
from movi_prep.view.clip_page import ClipView, write_clip_page

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from movi_prep.config.root import Config
    from movi_prep.formats.unit_outcome import Outcome
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.work_folder import WorkFolder

INDEX = "index.html"

_MOST_LOST = 0.05
"""A clip without a usable pose in a larger share of its frames is looked at."""


@dataclass(frozen=True)
class Trial:
    """One solution of a work folder.

    Attributes:
        name: `S001/C03`, or the name of a marker file.
        solution: the file.
        model: the model that it was solved with.
        clip: which clip of AMASS; None for a marker file.
    """

    name: str
    solution: Path
    model: Path
    clip: ClipId | None

    @property
    def page(self) -> str:
        """Address of its page, from the folder of all pages."""
        return f"{self.name}.html"

    @property
    def index(self) -> str:
        """Address of the list of all pages, from its own page."""
        return "../" * self.name.count("/") + INDEX


@dataclass(frozen=True)
class TrialNumbers:
    """One row of the list of trials; NaN where a number is not known.

    Attributes:
        trial: which one.
        n_rows: solved frames; `n_usable` of them have a usable pose.
        marker_rms_mm: RMS over all weighted markers.
        landmark_rms_mm: RMS over landmarks.
        max_mm: the largest residual of a weighted marker.
        valid_percent: valid angles of all.
        warnings: sentences that must be read.
        n_findings: number of further sentences.
    """

    trial: Trial
    n_rows: int
    n_usable: int
    marker_rms_mm: float
    landmark_rms_mm: float
    max_mm: float
    valid_percent: float
    warnings: tuple[str, ...]
    n_findings: int

    @property
    def urgency(self) -> float:
        """How far the clip is beyond its worst guideline: above 1 it should be looked at."""
        lost = 1.0 - self.n_usable / self.n_rows if self.n_rows else 1.0
        parts = (
            self.marker_rms_mm / IK_RMS_LIMIT_MM,
            self.landmark_rms_mm / IK_RMS_LIMIT_MM,
            self.max_mm / IK_MAX_LIMITS_MM[0],
            lost / _MOST_LOST,
            (100.0 - self.valid_percent) / (100.0 - LEAST_VALID_PERCENT),
            2.0 if self.warnings else 0.0,
        )
        # Never empty: the warnings' part is always finite.
        return max(part for part in parts if isfinite(part))


def find_trials(work: WorkFolder) -> tuple[Trial, ...]:
    """Return every solution of a work folder, of clips first, then of marker files.

    Raises:
        MissingError: there is none.
    """
    folder = work.root / "ik"
    trials = [
        Trial(str(clip), path, work.scaled_model(clip.subject), clip)
        for path in folder.glob("*/*.h5")
        for clip in [ClipId(path.parent.name, path.stem)]
    ]
    trials += [Trial(path.stem, path, _model_of(path, work), None) for path in folder.glob("*.h5")]
    if not trials:
        raise MissingError(work.root, expected="solutions of inverse kinematics", got="none", remedy="run movi-prep ik")
    return tuple(sorted(trials, key=lambda trial: natural_order(trial.name)))


def choose_trials(trials: Sequence[Trial], wanted: Collection[str]) -> tuple[Trial, ...]:
    """Return the trials of these names; `S001` stands for all clips of a subject, `1/3` for S001/C03.

    Raises:
        UsageError: there is none of a name.
    """
    chosen = []
    for name in wanted:
        found = _called(trials, name)
        if not found:
            names = [trial.name for trial in trials]
            raise UsageError(
                f"expected a clip or subject with a solution, but got {name!r}{suggest(name, names)}; "
                f"there are {list_names(names)}"
            )
        chosen += found
    # A clip may be named by itself and by its subject.
    return tuple(dict.fromkeys(chosen))


def _called(trials: Sequence[Trial], name: str) -> list[Trial]:
    """Return the trials of a name, a number or a pattern, as `--subjects` and `--clips` take them."""
    exact = [trial for trial in trials if trial.name == name]
    if exact:
        return exact
    subject, _, clip = name.partition("/")
    named = choose_names([name], [trial.name for trial in trials if trial.clip is None])[0]
    subjects = choose_names([subject], {trial.clip.subject for trial in trials if trial.clip})[0]
    clips = {trial.clip.clip for trial in trials if trial.clip and trial.clip.subject in subjects}
    chosen = choose_names([clip], clips)[0] if clip else clips
    return [
        trial
        for trial in trials
        if trial.name in named or (trial.clip and trial.clip.subject in subjects and trial.clip.clip in chosen)
    ]


def write_trial_page(
    trial: Trial,
    work: WorkFolder,
    config: Config,
    *,
    videos: Mapping[str, Path] | None = None,
    into: Path | None = None,
) -> Path:
    """Write the page of one solution; return its path.

    Args:
        trial: the solution.
        work: its work folder.
        config: the weight of landmarks.
        videos: camera -> the video that shows it, as far as they are known.
        into: where the page goes instead of into the work folder.

    Raises:
        InputError: solution or model cannot be read.
    """
    solution = read_trial_solution(trial, work, ik_setup_path(config))
    if not solution.n_rows:
        raise InputError(trial.solution, expected="at least one frame", got="none", remedy="run movi-prep ik again")
    outcome = _outcome(trial, work)
    outline = read_model_outline(trial.model)
    weight = config.ik.landmark_weight
    view = ClipView(
        title=trial.name,
        subtitle=f"model {outline.name}, {count_of(solution.n_rows, 'sample')} at {solution.rate_hz:g} Hz",
        solution=solution,
        outline=outline,
        measures=measure_clip(trial.clip or trial.name, solution, labels=(), landmark_weight=weight),
        shards=() if trial.clip is None else tuple(sorted(work.shards().glob(f"{trial.clip.subject}_*.h5"))),
        clip=trial.clip,
        videos=videos or {},
        to_shard=_shard_command(trial, work),
        findings=() if outcome is None else (*outcome.warnings, *outcome.findings),
        landmark_weight=weight,
    )
    path = (into or work.view()) / trial.page
    write_text(path, write_clip_page(view, index=trial.index))
    return path


def _shard_command(trial: Trial, work: WorkFolder) -> str:
    subject = [] if trial.clip is None else ["--subjects", trial.clip.subject]
    return shell_line(["movi-prep", "shard", "--config", str(work.root / "config.yaml"), *subject])


def read_trial_numbers(trial: Trial, work: WorkFolder, config: Config) -> TrialNumbers:
    """Return the row of a trial in the list: from its record, or from the solution where there is none.

    The row of a file that cannot be read says so; the others must not fail with it.
    """
    try:
        outcome = _outcome(trial, work)
        if outcome is None:
            return _measured(trial, work, config)
    except InputError as error:
        return TrialNumbers(
            trial=trial,
            n_rows=0,
            n_usable=0,
            marker_rms_mm=nan,
            landmark_rms_mm=nan,
            max_mm=nan,
            valid_percent=nan,
            warnings=(str(error),),
            n_findings=0,
        )
    numbers = outcome.numbers

    def number(name: str) -> float:
        value = numbers.get(name)
        return float(value) if isinstance(value, int | float) else nan

    return TrialNumbers(
        trial=trial,
        n_rows=int(numbers.get("rows", 0)),
        n_usable=int(numbers.get("usable_rows", 0)),
        marker_rms_mm=number("marker_rms_mm"),
        landmark_rms_mm=number("landmark_rms_mm"),
        max_mm=number("marker_max_mm"),
        valid_percent=number("valid_coordinates_percent"),
        warnings=outcome.warnings,
        n_findings=len(outcome.findings),
    )


def read_trial_solution(trial: Trial, work: WorkFolder, setup: Path) -> IkSolution:
    """Return the solution of a trial with bodies and markers; `setup` is the set-up that clips were solved with."""
    if trial.clip is None:
        return read_ik_solution(trial.solution)
    return read_whole_solution(work, trial.clip, setup)


def _measured(trial: Trial, work: WorkFolder, config: Config) -> TrialNumbers:
    solution = read_trial_solution(trial, work, ik_setup_path(config))
    measures = measure_clip(trial.name, solution, labels=(), landmark_weight=config.ik.landmark_weight)
    return TrialNumbers(
        trial=trial,
        n_rows=measures.n_rows,
        n_usable=measures.n_usable,
        marker_rms_mm=measures.marker_rms_mm,
        landmark_rms_mm=measures.landmark_rms_mm,
        max_mm=measures.max_mm,
        valid_percent=measures.valid_percent,
        warnings=(),
        n_findings=0,
    )


def _outcome(trial: Trial, work: WorkFolder) -> Outcome | None:
    path = work.records() / "ik" / f"{trial.name}.json"
    return read_outcome(path) if trial.clip is not None and path.is_file() else None


def _model_of(solution: Path, work: WorkFolder) -> Path:
    """Return the model that a marker file was solved with: that of the work folder, or one that came scaled."""
    named = read_ik_provenance(solution).get("model")
    if not isinstance(named, str):
        raise InputError(
            solution, expected="the model that it was solved with", got="none named", remedy="run movi-prep ik again"
        )
    model, own = Path(named), work.root / "models" / "scaled.osim"
    # The folder may have been moved since.
    return own if own.is_file() and model.parts[-2:] == own.parts[-2:] else model
