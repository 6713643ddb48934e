"""All that the report says of one subject, measured from the work folder: what its page and the corpus page share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.report.measures import (
    coordinate_uses,
    judge_max,
    judge_rms,
    largest_asymmetry,
    marker_biases,
    measure_clip,
    median_deviations_deg,
)
from movi_prep.report.work import read_if_there, read_model_facts, read_subject_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.config.root import Config
    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.labels import LabelTables
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.report.measures import ClipMeasures, CoordinateUse, MarkerBias
    from movi_prep.report.work import ModelFacts, Outcome, SubjectFiles


LEAST_VALID_PERCENT = 90.0
"""A clip with fewer valid labels is named among what to look at first."""


@dataclass(frozen=True, eq=False)
class Scope:
    """What the report looks at.

    Attributes:
        work: the work folder.
        config: bounds of audits and rules; `subjects` limits the report.
        tables: names of the labels, and the split.
        outcomes: how every unit ended.
        beside: another work folder whose residuals stand beside these, or None.
    """

    work: WorkFolder
    config: Config
    tables: LabelTables
    outcomes: tuple[Outcome, ...]
    beside: WorkFolder | None

    @property
    def unseen_deg(self) -> float:
        """A coordinate with a larger posterior deviation is not seen, degrees."""
        return math.degrees(self.config.ik.converged.unseen_std_rad)


@dataclass(frozen=True, eq=False)
class SubjectQuality:
    """One subject in numbers.

    Attributes:
        files: what the work folder holds beside solutions.
        split: part of the data.
        clips: inverse kinematics, clip by clip.
        biases: of markers, the largest bias first.
        uses: of coordinates.
        deviations_deg: label coordinate -> median posterior deviation, the largest first.
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
    outcomes: tuple[Outcome, ...]
    beside: dict[ClipId, ClipMeasures]
    beside_model: ModelFacts | None
    problems: tuple[str, ...]

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Units that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def measure_subject(scope: Scope, subject: int) -> SubjectQuality:
    """Read one subject's part of the work folder and measure it."""
    files = read_subject_files(scope.work, subject)
    problems = list(files.problems)
    solutions = _read_solutions(scope.work, files.clips, problems)
    clips = _measure_clips(scope, solutions)
    return SubjectQuality(
        files=files,
        split=scope.tables.split_of(subject),
        clips=clips,
        biases=marker_biases(list(solutions.values()), files.model.marker_bodies if files.model else {}),
        uses=coordinate_uses(
            list(solutions.values()), files.model.ranges if files.model else {}, scope.tables.coordinates
        ),
        deviations_deg=median_deviations_deg(clips),
        outcomes=tuple(outcome for outcome in scope.outcomes if outcome.subject == subject),
        beside=_measure_beside(scope, files.clips, problems),
        beside_model=(
            read_if_there(scope.beside.scaled_model(subject), read_model_facts, problems) if scope.beside else None
        ),
        problems=tuple(problems),
    )


def attention(quality: SubjectQuality, scope: Scope) -> list[str]:
    """Return what a person should look at first, worst kinds first, each with its numbers."""
    found = []
    if quality.failures:
        stages = sorted({outcome.stage for outcome in quality.failures})
        found.append(f"{len(quality.failures)} unit{'s' * (len(quality.failures) > 1)} failed ({', '.join(stages)})")
    found += [f"cannot be read: {problem}" for problem in quality.problems]
    scale = quality.files.scale
    if scale is not None and not scale.passed:
        found.append(f"scaling failed its audit: {'; '.join(scale.findings)}")
    found += _clip_attention(quality.clips)
    unseen = [name for name, value in quality.deviations_deg.items() if not value <= scope.unseen_deg]
    if unseen:
        found.append(f"{len(unseen)} label coordinates are not seen by the markers: {', '.join(unseen)}")
    if quality.files.alignment is not None:
        suspects = [clip for clip in quality.files.alignment.clips if clip.is_suspect]
        found += [f"{clip.timeline.clip} is out of line: {'; '.join(clip.suspicions)}" for clip in suspects]
    found += [
        f"{unit.stage} {unit.key}: {text}"
        for unit in quality.outcomes
        if unit.stage != "align"
        for text in unit.warnings
    ]
    refused = [(shard.camera, shard.n_refused) for shard in quality.files.shards if shard.n_refused]
    if refused:
        found.append("video frames refused: " + ", ".join(f"{count} of {camera}" for camera, count in refused))
    return found


def asymmetry(quality: SubjectQuality) -> tuple[float, str]:
    """Return the largest left/right difference of scale factors, percent, and where; NaN without scaling."""
    return largest_asymmetry(quality.files.scale) if quality.files.scale is not None else (float("nan"), "")


def _clip_attention(clips: Sequence[ClipMeasures]) -> list[str]:
    found = []
    over = [clip for clip in clips if judge_rms(clip.marker_rms_mm) == "bad"]
    if over:
        named = ", ".join(f"{clip.clip} {clip.marker_rms_mm:.1f} mm" for clip in over)
        found.append(f"{len(over)} of {len(clips)} clips are above 20 mm marker RMS: {named}")
    far = [clip for clip in clips if judge_max(clip.max_mm) == "bad"]
    if far:
        worst = max(far, key=lambda clip: clip.max_mm)
        found.append(
            f"{len(far)} of {len(clips)} clips have a marker more than 40 mm off; worst is {worst.max_marker} in "
            f"{worst.clip} at {worst.max_time_s:.2f} s with {worst.max_mm:.0f} mm"
        )
    poor = [clip for clip in clips if clip.valid_percent < LEAST_VALID_PERCENT]
    if poor:
        named = ", ".join(f"{clip.clip} {clip.valid_percent:.0f} %" for clip in poor)
        found.append(
            f"{len(poor)} of {len(clips)} clips have less than {LEAST_VALID_PERCENT:.0f} % valid labels: {named}"
        )
    lost = sum(clip.n_rows - clip.n_usable for clip in clips)
    if lost:
        found.append(f"{lost} of {sum(clip.n_rows for clip in clips)} frames have no usable pose")
    return found


def _read_solutions(work: WorkFolder, clips: Sequence[ClipId], problems: list[str]) -> dict[ClipId, IkSolution]:
    read = {clip: read_if_there(work.ik_solution(clip), read_ik_solution, problems) for clip in clips}
    return {clip: solution for clip, solution in read.items() if solution is not None}


def _measure_clips(scope: Scope, solutions: dict[ClipId, IkSolution]) -> tuple[ClipMeasures, ...]:
    weight = scope.config.ik.landmark_weight
    return tuple(
        measure_clip(clip, solution, labels=scope.tables.coordinates, landmark_weight=weight)
        for clip, solution in solutions.items()
        if solution.n_rows
    )


def _measure_beside(scope: Scope, clips: Sequence[ClipId], problems: list[str]) -> dict[ClipId, ClipMeasures]:
    if scope.beside is None:
        return {}
    solutions = _read_solutions(scope.beside, clips, problems)
    return {measures.clip: measures for measures in _measure_clips(scope, solutions)}
