"""What the report shows of one subject, measured from the work folder, for its page and the corpus page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from movi_prep.formats.model_outline import read_model_outline
from movi_prep.plain_text import count_of
from movi_prep.report.curves import ClipCurves, measure_curves
from movi_prep.report.looks import (
    ALIGNMENT_MEANS,
    ALIGNMENT_REMEDY,
    BIAS_MEANS,
    BIAS_REMEDY,
    LIMIT_MEANS,
    LIMIT_REMEDY,
    LOST_MEANS,
    LOST_REMEDY,
    MASKED_MEANS,
    MASKED_REMEDY,
    REFUSED_MEANS,
    REFUSED_REMEDY,
    RESIDUAL_MEANS,
    RESIDUAL_REMEDY,
    UNSEEN_MEANS,
    UNSEEN_REMEDY,
    Look,
    doubted_scaling,
    failed_units,
    most_urgent_first,
    stage_warning,
    unreadable,
)
from movi_prep.report.measures import (
    CLIP_GUIDELINES,
    OFTEN_AT_LIMIT_PERCENT,
    coordinate_uses,
    marker_biases,
    measure_clip,
    median_deviations_deg,
)
from movi_prep.report.verdicts import (
    IK_MAX_LIMITS_MM,
    IK_RMS_LIMIT_MM,
    LEAST_VALID_PERCENT,
    judge_valid,
    largest_asymmetry,
)
from movi_prep.stages.ik import ik_setup_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.formats.unit_outcome import Outcome
    from movi_prep.pages.html import Verdict
    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.label_tables import LabelTables
    from movi_prep.records.solved_rows import SolvedRows
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.report.measures import ClipMeasures, CoordinateUse, MarkerBias
    from movi_prep.report.work import PlanFacts, SubjectFiles

T = TypeVar("T")
_CONSTANT = 2.0
"""A bias of so many deviations is what a marker misses by, whatever the pose."""

_N_NAMED = 6
"""How many clips a line names if several share a problem, the worst first."""


@dataclass(frozen=True, eq=False)
class Scope:
    """The work folder that the report is about, and its bounds.

    Attributes:
        work: the work folder.
        config: bounds of audits and rules; `subjects` limits the report.
        tables: names of the labels, and the split.
        outcomes: how every unit ended.
        beside: another work folder to compare residuals with, or None.
        plan: what was left out, and which shards are outdated.
    """

    work: WorkFolder
    config: Config
    tables: LabelTables
    outcomes: tuple[Outcome, ...]
    beside: WorkFolder | None
    plan: PlanFacts

    @property
    def unseen_deg(self) -> float:
        """A coordinate with a larger deviation is not seen, degrees."""
        return unseen_bound_deg(self.config)


def unseen_bound_deg(config: Config) -> float:
    """Return the deviation above which a coordinate is not seen, degrees."""
    return math.degrees(config.ik.converged.unseen_std_rad)


@dataclass(frozen=True, eq=False)
class SubjectQuality:
    """One subject in numbers.

    Attributes:
        files: files of the work folder, except solutions.
        split: part of the data.
        clips: inverse kinematics, clip by clip.
        biases: of markers, the largest bias first.
        uses: of coordinates.
        deviations_deg: label coordinate -> median deviation, the largest first.
        curves: of every clip's coordinates.
        outcomes: how the subject's units ended.
        beside: the same clips of the other work folder, and the model they were solved with.
        problems: files that cannot be read.
    """

    files: SubjectFiles
    split: str
    clips: tuple[ClipMeasures, ...]
    biases: tuple[MarkerBias, ...]
    uses: tuple[CoordinateUse, ...]
    deviations_deg: dict[str, float]
    curves: tuple[ClipCurves, ...]
    outcomes: tuple[Outcome, ...]
    beside: dict[ClipId | str, ClipMeasures]
    beside_model: ModelOutline | None
    problems: tuple[str, ...]

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Units that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def measure_subject(scope: Scope, subject: str) -> SubjectQuality:
    """Read one subject's part of the work folder and measure it."""
    from movi_prep.report.work import read_if_there, read_subject_files

    files = read_subject_files(scope.work, subject)
    problems = list(files.problems)
    ranges = files.model.ranges if files.model else {}
    marker_bodies = files.model.marker_bodies if files.model else {}
    clips, curves, angles = [], [], []
    for clip, rows in _read_solutions(scope, scope.work, files.clips, problems, marker_bodies):
        if rows.n_rows:
            clips.append(_measure_clip(scope, clip, rows))
            page = f"../view/{clip}.html" if _has_page(scope.work, clip) else ""
            turning = files.model.turning if files.model else ()
            curves.append(measure_curves(clip, rows, ranges, turning=turning, page=page))
        # What is summed over all clips is small.
        angles.append(rows.only_angles())
    return SubjectQuality(
        files=files,
        split=scope.tables.split_of(subject),
        clips=tuple(clips),
        biases=marker_biases(angles, marker_bodies),
        uses=coordinate_uses(angles, ranges, scope.tables.coordinates),
        deviations_deg=median_deviations_deg(clips),
        curves=tuple(curves),
        outcomes=tuple(outcome for outcome in scope.outcomes if outcome.subject == subject),
        beside=_measure_beside(scope, files.clips, problems),
        beside_model=(
            read_if_there(scope.beside.scaled_model(subject), read_model_outline, problems) if scope.beside else None
        ),
        problems=tuple(problems),
    )


def attention(quality: SubjectQuality, scope: Scope) -> list[Look]:
    """Return what to look at, including everything that the pages mark, the most urgent first."""
    found: list[Look] = []
    if quality.failures:
        found.append(failed_units(len(quality.failures), sorted({outcome.stage for outcome in quality.failures})))
    found += [unreadable(problem) for problem in quality.problems]
    scale = quality.files.scale
    if scale is not None and not scale.passed:
        found.append(doubted_scaling(scale))
    found += clip_attention(quality.clips)
    found += marker_attention(quality.biases)
    found += coordinate_attention(quality.uses, quality.deviations_deg, unseen_deg=scope.unseen_deg)
    if quality.files.alignment is not None:
        suspects = [clip for clip in quality.files.alignment.clips if clip.is_suspect]
        found += [
            Look(
                "bad",
                f"{clip.timeline.clip} is out of line: {'; '.join(clip.suspicions)}",
                ALIGNMENT_MEANS,
                ALIGNMENT_REMEDY,
            )
            for clip in suspects
        ]
    found += [
        stage_warning(f"{unit.stage} {unit.key}: {text}")
        for unit in quality.outcomes
        # Suspect clips are listed above already, with their reasons.
        if unit.stage != "align"
        for text in unit.warnings
    ]
    refused = [(shard.camera, shard.n_refused) for shard in quality.files.shards if shard.n_refused]
    if refused:
        says = "video frames refused: " + ", ".join(f"{count} of {camera}" for camera, count in refused)
        found.append(Look("check", says, REFUSED_MEANS, REFUSED_REMEDY))
    return most_urgent_first(found)


def asymmetry(quality: SubjectQuality) -> tuple[float, str]:
    """Return the largest left/right difference of scale factors, percent, and where; NaN without scaling."""
    return largest_asymmetry(quality.files.scale) if quality.files.scale is not None else (float("nan"), "")


def clip_attention(clips: Sequence[ClipMeasures], *, what: str = "clip") -> list[Look]:
    """Return one line for each reason why rows in a table of clips or trials are marked."""
    found: list[Look] = []
    # Where nothing is a landmark, tracking markers are all markers: said once.
    no_landmarks = not any(math.isfinite(clip.landmark_rms_mm) for clip in clips)
    for name, field, judge in CLIP_GUIDELINES:
        if no_landmarks and field == "tracking_rms_mm":
            continue
        # The worse grade first: lines of one guideline stand together in the page.
        verdicts: tuple[Verdict, ...] = ("bad", "check")
        for verdict in verdicts:
            marked = [clip for clip in clips if judge(getattr(clip, field)) == verdict]
            if marked:
                says = _say_residuals(name, field, marked, among=f"{len(clips)} {what}s", verdict=verdict)
                found.append(Look(verdict, says, RESIDUAL_MEANS, RESIDUAL_REMEDY))
    poor = [clip for clip in clips if judge_valid(clip.valid_percent) == "check"]
    if poor:
        named = _named([f"{clip.clip} {clip.valid_percent:.0f} %" for clip in sorted(poor, key=_by_valid)])
        says = f"{len(poor)} of {len(clips)} {what}s have less than {LEAST_VALID_PERCENT:.0f} % valid angles: {named}"
        found.append(Look("check", says, MASKED_MEANS, MASKED_REMEDY))
    # Counted over all clips, because a few frames here and there are no reason to look at a certain clip.
    lost = sum(clip.n_rows - clip.n_usable for clip in clips)
    if lost:
        says = f"no usable pose in {lost} of {count_of(sum(clip.n_rows for clip in clips), 'frame')}"
        found.append(Look("check", says, LOST_MEANS, LOST_REMEDY))
    return found


def marker_attention(biases: Sequence[MarkerBias]) -> list[Look]:
    """Return markers that miss by the same vector in all frames."""
    apart = [bias for bias in biases if bias.bias_mm > IK_RMS_LIMIT_MM and bias.bias_mm > _CONSTANT * bias.deviation_mm]
    if not apart:
        return []
    count = count_of(len(apart), "marker is", "markers are")
    said = _named([f"{bias.name} {bias.bias_mm:.0f} mm" for bias in apart])
    return [Look("check", f"{count} off by the same vector in all frames: {said}", BIAS_MEANS, BIAS_REMEDY)]


def _say_residuals(name: str, field: str, marked: Sequence[ClipMeasures], *, among: str, verdict: Verdict) -> str:
    is_largest = field == "max_mm"
    low, high = IK_MAX_LIMITS_MM
    bound = f"above {high if is_largest else IK_RMS_LIMIT_MM:g} mm" if verdict == "bad" else f"{low:g} to {high:g} mm"
    worst = sorted(marked, key=lambda clip: -float(getattr(clip, field)))
    said = [
        f"{clip.clip} {getattr(clip, field):.1f} mm"
        + (f" ({clip.max_marker} at {clip.max_time_s:.2f} s)" if is_largest else "")
        for clip in worst
    ]
    return f"{name} {bound} in {len(marked)} of {among}: {_named(said)}"


def _named(said: Sequence[str]) -> str:
    rest = len(said) - _N_NAMED
    return ", ".join(said[:_N_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _by_valid(clip: ClipMeasures) -> float:
    return clip.valid_percent


def coordinate_attention(
    uses: Sequence[CoordinateUse], deviations_deg: Mapping[str, float], *, unseen_deg: float
) -> list[Look]:
    """Return one line for each reason why rows in a table of coordinates are marked."""
    found: list[Look] = []
    # What a set-up holds, or another coordinate leads, need not be seen by markers.
    led = {use.name for use in uses if not use.free}
    unseen = [name for name, value in deviations_deg.items() if not value <= unseen_deg and name not in led]
    if unseen:
        says = f"{_counted_angles(len(unseen))} not seen by the markers: {_named(unseen)}"
        found.append(Look("bad", says, UNSEEN_MEANS, UNSEEN_REMEDY))
    held = [use.name for use in sorted(uses, key=lambda use: -use.at_limit_percent) if use.often_at_limit]
    if held:
        share = f"{OFTEN_AT_LIMIT_PERCENT:g} % of the frames"
        says = f"{_counted_angles(len(held))} at an end of the range in more than {share}: {_named(held)}"
        found.append(Look("check", says, LIMIT_MEANS, LIMIT_REMEDY))
    return found


def _counted_angles(count: int) -> str:
    return count_of(count, "angle is", "angles are")


def _read_solutions(
    scope: Scope, work: WorkFolder, clips: Sequence[ClipId], problems: list[str], marker_bodies: Mapping[str, str]
) -> Iterator[tuple[ClipId, SolvedRows]]:
    """Yield the solutions that can be read, one at a time: those of a subject need not fit into memory together."""
    from movi_prep.report.work import read_if_there

    setup = ik_setup_path(scope.config)
    for clip in clips:
        read = partial(_read_rows, work=work, clip=clip, setup=setup, marker_bodies=marker_bodies)
        rows = read_if_there(work.ik_solution(clip), read, problems)
        if rows is not None:
            yield clip, rows


def _read_rows(
    path: Path, *, work: WorkFolder, clip: ClipId, setup: Path, marker_bodies: Mapping[str, str]
) -> SolvedRows:
    from movi_prep.report.read_rows import read_solved_rows
    from movi_prep.stages.whole_solution import read_whole_solution

    def read_block(rows: slice, without: Sequence[str]) -> IkSolution:
        return read_whole_solution(work, clip, setup, rows, without=without)

    return read_solved_rows(path, marker_bodies, read_block)


def _measure_clip(scope: Scope, clip: ClipId, rows: SolvedRows) -> ClipMeasures:
    weight = scope.config.ik.landmark_weight
    return measure_clip(clip, rows, labels=scope.tables.coordinates, landmark_weight=weight)


def _has_page(work: WorkFolder, clip: ClipId) -> bool:
    return (work.view() / f"{clip}.html").is_file()


def _measure_beside(scope: Scope, clips: Sequence[ClipId], problems: list[str]) -> dict[ClipId | str, ClipMeasures]:
    if scope.beside is None:
        return {}
    read = _read_solutions(scope, scope.beside, clips, problems, {})
    return {clip: _measure_clip(scope, clip, rows) for clip, rows in read if rows.n_rows}
