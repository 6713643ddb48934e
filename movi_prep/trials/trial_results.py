"""Results of a trial: numbers, findings, and by how much each marker is missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import MoviPrepError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.ik import SolveSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.setups import IkSetup
    from movi_prep.trials.trial_input import Trial


@dataclass(frozen=True)
class MarkerMiss:
    """By how much the model misses one marker over the usable frames of a file.

    Attributes:
        name: the marker.
        weight: its weight.
        rms_mm: root mean square of the distance, millimetres.
        max_mm: largest distance, millimetres.
        max_at_s: when, seconds.
    """

    name: str
    weight: float
    rms_mm: float
    max_mm: float
    max_at_s: float


@dataclass(frozen=True)
class FileResult:
    """The result of one marker file.

    Attributes:
        marker_file: the file.
        outputs: files written.
        numbers: as in the record of a clip.
        findings: findings on the trial.
        warnings: what to read first: the whole result is probably wrong.
        markers: every tracked marker that was seen, the worst first.
        error: why it failed, empty where it did not.
    """

    marker_file: Path
    outputs: tuple[Path, ...]
    numbers: Mapping[str, float | int | str | bool]
    findings: tuple[str, ...]
    markers: tuple[MarkerMiss, ...] = ()
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SolvedTrial:
    """A set-up document's trial with its solution, which no file keeps.

    Attributes:
        result: files, numbers and findings.
        setup: the set-up.
        solution: coordinates, markers and their proof.
        model: the model file.
    """

    result: FileResult
    setup: IkSetup
    solution: IkSolution
    model: Path

    def page(self, kind: str) -> Path:
        """Return where a page on the trial goes: beside its first result, under its name."""
        first = self.result.outputs[0]
        return first.with_name(f"{first.stem}_{kind}.html")


@dataclass(frozen=True, eq=False)
class ScaledDocument:
    """A set-up document of OpenSim's ScaleTool, carried out.

    Attributes:
        result: files, numbers and findings.
        scaled: factors, distances, residuals and audit.
        static_source: the static trial.
    """

    result: FileResult
    scaled: ScaleResult
    static_source: str

    def page(self) -> Path:
        """Return where the page on it goes: beside its first result, under its name."""
        first = self.result.outputs[0]
        return first.with_name(f"{first.stem}_scale_report.html")


def solve_or_tell(source: Path, solve: Callable[[], FileResult]) -> FileResult:
    """Return the result of one of several files; if it cannot be read or written, only this file has an error."""
    try:
        return solve()
    except MoviPrepError as error:
        reason = str(error)
    except OSError as error:
        reason = describe_os_error(error)
    # A trial of hours may not fit; the others of the call may.
    except MemoryError:
        reason = f"{source}: expected a trial that fits in memory, but got a longer one; cut it into parts"
    return FileResult(marker_file=source, outputs=(), numbers={}, findings=(), error=reason)


def marker_misses(solution: IkSolution) -> tuple[MarkerMiss, ...]:
    """Return by how much each tracked marker is missed over the usable frames, the largest RMS first."""
    usable = solution.usable()
    # In frames without a usable pose every marker misses, which says nothing about a certain marker.
    times_s, residuals_mm = solution.times_s[usable], 1000.0 * solution.residuals_m()[usable]
    misses = []
    for column, name in enumerate(solution.marker_names):
        seen = np.isfinite(residuals_mm[:, column])
        if solution.marker_weights[column] <= 0.0 or not seen.any():
            continue
        distances_mm = residuals_mm[seen, column]
        worst = int(np.argmax(distances_mm))
        misses.append(
            MarkerMiss(
                name=name,
                weight=float(solution.marker_weights[column]),
                rms_mm=float(np.sqrt(np.mean(distances_mm**2))),
                max_mm=float(distances_mm[worst]),
                max_at_s=float(times_s[seen][worst]),
            )
        )
    return tuple(sorted(misses, key=lambda miss: -miss.rms_mm))


def trial_result(
    trial: Trial,
    solution: IkSolution,
    scaled: ScaledModel,
    settings: SolveSettings,
    *,
    outputs: Sequence[Path],
    findings: Sequence[str],
) -> FileResult:
    """Return the result of a trial that was solved; `findings` are those of the solver."""
    from movi_prep.stages.ik_account import ik_numbers, sum_rows

    sums = sum_rows(solution, scaled, settings, solution.residuals_m())
    return FileResult(
        marker_file=trial.path,
        outputs=tuple(outputs),
        numbers=ik_numbers(sums, solver=solution.solver, minimised=settings.minimised),
        findings=(*trial.findings, *findings, *_without_landmarks(solution, settings)),
        markers=marker_misses(solution),
        warnings=trial.warnings,
    )


def _without_landmarks(solution: IkSolution, settings: SolveSettings) -> tuple[str, ...]:
    # The rule knows landmarks by their weight; OpenSim's users often weigh from 0 to 1, where it would judge nothing.
    if (solution.marker_weights >= settings.landmark_weight).any():
        return ()
    return (
        f"no marker has a weight of {settings.landmark_weight:g} or more (ik.landmark_weight): none is a landmark, and "
        "no coordinate is judged by what its landmarks miss",
    )
