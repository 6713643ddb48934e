"""Solves a clip: from marker trajectories to coordinates, with the landmark rule, whole or in blocks.

A long clip is solved in blocks, so that memory does not grow with it. Each block sees `MARGIN_ROWS` rows beyond its own
ends, so that a pose has the same neighbours as in the whole clip. Angles continue from one block to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, ModelError, list_names, suggest
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.storage import StorageTable, coordinate_table
from movi_prep.geometry.jumps import angle_jumps, marker_jumps
from movi_prep.geometry.landmark_rule import LandmarkRule, coordinate_validity, landmark_bodies
from movi_prep.geometry.marker_size import check_marker_size
from movi_prep.geometry.repeats import row_steps, standstills
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.vectors import are_finite
from movi_prep.stages.ik_account import Frozen, IkAccount, Leap, RowFindings, count_gaps, sum_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.ik import SolveSettings
    from movi_prep.kinematics.deviation import Modes, SolvedPoses
    from movi_prep.kinematics.solve import ConvergedSolution
    from movi_prep.osim.marker_tracking import Curve
    from movi_prep.osim.solution import ScaledModel, SolvedFrames
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.marker_noise import MarkerNoise
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.pose_deviation import PoseDeviation
    from movi_prep.records.setups import CoordinateTask, IkSetup

LEAST_TRACKED = 3

BLOCK_ROWS = 5_000
"""Rows of a long clip that are solved and held in memory at a time; a multiple of `ROWS_PER_CHUNK`."""

FROZEN_M = 0.01
"""How far the body must have come while its markers repeat: less is within what landmarks miss by."""

MARGIN_ROWS = 100
"""Rows that a block sees beyond its own ends: more than a track needs to forget where it began."""


@dataclass(frozen=True)
class RowBlock:
    """Rows that are solved together: the block sees the rows `seen`, and keeps the poses of the rows `kept`."""

    seen: slice
    kept: slice


def row_blocks(n_rows: int, settings: SolveSettings) -> tuple[RowBlock, ...]:
    """Return the blocks of a clip with `n_rows` rows, in order."""
    # One block for OpenSim's own solver, which cannot start from the pose of an earlier frame.
    n_blocks = max(1, round(n_rows / BLOCK_ROWS)) if settings.solver == "converged" else 1
    # The last block takes the remainder, so that it has between half and one and a half of BLOCK_ROWS.
    edges = [*range(0, n_blocks * BLOCK_ROWS, BLOCK_ROWS), n_rows]
    return tuple(
        RowBlock(
            seen=slice(max(0, start - MARGIN_ROWS), min(n_rows, stop + MARGIN_ROWS)),
            kept=slice(start, stop),
        )
        for start, stop in pairwise(edges)
    )


@dataclass(frozen=True, eq=False)
class _Clip:
    """A clip in the form that both solvers take: `tracked` are the markers that both have, in the solver's order;
    targets of coordinate tasks.

    `angles_only` leaves out what tells no angle: bodies, joints, markers that are not tracked, covariances. `before`
    is (c,) rad and m, the pose of the row before the first one; None at the beginning of a clip. `noise` is that of the
    markers, None where deviations are not asked for; `modes` are those of the rows before.
    """

    scaled: ScaledModel
    markers: MarkerTrajectories
    setup: IkSetup
    tracked: MarkerTrajectories
    targets: tuple[tuple[CoordinateTask, NDArray[np.float64]], ...]
    before: NDArray[np.float64] | None
    noise: MarkerNoise | None
    modes: Modes | None
    angles_only: bool


@dataclass(frozen=True, eq=False)
class _Found:
    """What a solver returns: poses, reasons for rows that have any, and coordinates that no marker sees.

    `modes` are those that express its deviations.
    """

    frames: SolvedFrames
    reasons: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    modes: Modes | None = None


def read_scaled_model(path: Path) -> ScaledModel:
    """Return a scaled model that is ready for solving; the clips of one subject share it."""
    return _cached_model(path, file_stamp(path))


@lru_cache(maxsize=4)
def cached_setup(path: Path, stamps: tuple[FileStamp, ...]) -> IkSetup:  # noqa: ARG001 - stamps are part of the key
    """Return a set-up; `stamps` are those of its file and of the files that it includes."""
    return read_ik_setup(path)


@lru_cache(maxsize=4)
def cached_noise(path: Path, stamp: FileStamp) -> MarkerNoise:  # noqa: ARG001 - the stamp is part of the key
    """Return the noise of markers."""
    from movi_prep.formats.noise_file import read_marker_noise

    return read_marker_noise(path)


@lru_cache(maxsize=1)
def _cached_model(path: Path, stamp: FileStamp) -> ScaledModel:  # noqa: ARG001 - the stamp is part of the key
    from movi_prep.osim.models import read_model
    from movi_prep.osim.solution import prepare_model

    return prepare_model(read_model(path), path)


def solve_clip(
    scaled: ScaledModel,
    markers: MarkerTrajectories,
    setup: IkSetup,
    settings: SolveSettings,
    *,
    coordinate_file: Mapping[str, Curve] | None = None,
    noise: MarkerNoise | None = None,
) -> tuple[IkSolution, tuple[str, ...]]:
    """Return the solution of a clip, with the landmark rule applied, and findings about it.

    Args:
        scaled: the subject's model.
        markers: trajectories, OpenSim ground, metres; NaN where a marker is missing.
        setup: weights and tasks.
        settings: which solver, and the landmark rule.
        coordinate_file: coordinate -> its values over time (rad or m), for tasks that take their target from a file.
        noise: of the markers, for the deviations of labels; None leaves them out.

    Raises:
        InputError: the clip is shorter than two samples, fewer than three weighted markers are in both model and data,
            or the markers are of another size than the model.
    """
    whole = (RowBlock(slice(0, markers.n_rows), slice(0, markers.n_rows)),)
    ((solution, account),) = solve_blocks(
        scaled, lambda _: markers, setup, settings, whole, coordinate_file=coordinate_file, noise=noise
    )
    check_some_pose(account, markers.source)
    return solution, account.sentences()


def solve_blocks(  # noqa: PLR0913 - a problem, spelt out
    scaled: ScaledModel,
    read_rows: Callable[[slice], MarkerTrajectories],
    setup: IkSetup,
    settings: SolveSettings,
    blocks: Sequence[RowBlock],
    *,
    coordinate_file: Mapping[str, Curve] | None = None,
    noise: MarkerNoise | None = None,
    angles_only: bool = False,
) -> Iterator[tuple[IkSolution, IkAccount]]:
    """Yield solution and account of each block's own rows, in order; raise as `solve_clip` does.

    Args:
        scaled, setup, settings, coordinate_file, noise: as `solve_clip` takes them.
        read_rows: reads the trajectories of some rows.
        blocks: the rows (see `row_blocks`).
        angles_only: whether solutions are without markers, bodies and joints, and deviations without covariances.
    """
    # The frames to verify are shared out, so that a long clip costs no more checks than a short one.
    before, modes, frames_verified = None, None, -(-settings.converged.verify_frames // len(blocks))
    for block, following in zip(blocks, (*blocks[1:], None), strict=True):
        markers = read_rows(block.seen)
        clip = _clip(scaled, markers, setup, settings, coordinate_file or {}, before)
        clip = replace(clip, noise=noise, modes=modes, angles_only=angles_only)
        solution, account, modes = _solve_block(clip, settings, block, frames_verified)
        if following is not None:
            # The next block begins in its margin: `before` is the pose right before the first row that it sees.
            before = _last_pose(solution, following.seen.start - block.kept.start, before)
        yield solution.angles() if angles_only else solution, account
        # Free this block before the next one is solved.
        del markers, clip, solution


def _clip(
    scaled: ScaledModel,
    markers: MarkerTrajectories,
    setup: IkSetup,
    settings: SolveSettings,
    coordinate_file: Mapping[str, Curve],
    before: NDArray[np.float64] | None,
) -> _Clip:
    from movi_prep.osim.marker_tracking import coordinate_targets

    names = check_tracked(scaled, markers, setup)
    tracked = markers.select(_in_order(scaled, names) if settings.solver == "converged" else names)
    check_marker_size(tracked, scaled.default_markers_m)
    targets = coordinate_targets(scaled.model, setup.coordinate_tasks, markers.times_s, coordinate_file, setup.source)
    return _Clip(
        scaled=scaled,
        markers=markers,
        setup=setup,
        tracked=tracked,
        targets=targets,
        before=before,
        noise=None,
        modes=None,
        angles_only=False,
    )


def _in_order(scaled: ScaledModel, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return tracked markers in the order in which the converged solver takes them, so that they are sorted once."""
    from movi_prep.kinematics.folded_model import marker_order

    return names if scaled.tree is None else marker_order(scaled.tree, names)


def _solve_block(
    clip: _Clip, settings: SolveSettings, block: RowBlock, frames_verified: int
) -> tuple[IkSolution, IkAccount, Modes | None]:
    from movi_prep.osim.solution import complete_angles, complete_solution

    scaled, setup = clip.scaled, clip.setup
    solve = _solve_in_opensim if settings.solver == "opensim" else _solve_converged
    # Both solvers return only coordinates. Markers, bodies and errors then come from the same forward kinematics.
    found = solve(clip, settings)
    weights = {name: float(setup.marker_weights.get(name, 0.0)) for name in scaled.marker_bodies}
    # Not for the converged solver: it marks suspect frames itself, also by bounds on single residuals.
    suspect_rms_m = settings.suspect_rms_m if settings.solver == "opensim" else np.inf
    if clip.angles_only and found.frames.markers_m is not None:
        solution = complete_angles(scaled, found.frames, clip.tracked, weights)
    else:
        solution = complete_solution(scaled, found.frames, clip.markers, weights, suspect_rms_m=suspect_rms_m)
    solution, leaps = mark_jumps(solution, clip.tracked, first_row=block.seen.start)
    solution, frozen = mark_frozen(solution, clip.tracked, first_row=block.seen.start)
    odd: tuple[Leap | Frozen, ...] = (*leaps, *frozen)
    # From here on, only the block's own rows matter.
    own = slice(block.kept.start - block.seen.start, block.kept.stop - block.seen.start)
    if own != slice(0, solution.n_rows):
        solution = solution.rows(own)
    if settings.solver == "converged":
        _check_in_opensim(scaled, solution, frames_verified, settings.converged.verify_tolerance_m)
    # Last, because a landmark's residual invalidates only the coordinates that depend on it, not the pose.
    residuals_m = solution.residuals_m()
    valid = _validity(solution, residuals_m, scaled, settings) & _decided(solution, scaled, setup)
    solution = replace(solution, coordinate_valid=valid)
    rows = RowFindings(
        statuses=solution.statuses,
        n_posed=int(np.isfinite(solution.coordinates).all(axis=1).sum()),
        reasons=found.reasons[own],
        unseen=found.unseen,
        gaps=count_gaps(clip.markers.rows(own), setup.marker_weights),
        # Margins belong to two blocks; each leap is reported by the block that keeps its first row.
        leaps=tuple(each for each in odd if block.kept.start <= each.first < block.kept.stop),
    )
    names = name_findings(scaled, clip.markers, setup)
    sums = sum_rows(solution, scaled, settings, residuals_m)
    return solution, IkAccount(sums=sums, rows=rows, names=names), found.modes


def _last_pose(solution: IkSolution, stop: int, before: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Return the last pose before row `stop` of a block; if it has none, the pose before the block."""
    posed = np.flatnonzero(np.isfinite(solution.coordinates[:stop]).all(axis=1))
    return solution.coordinates[posed[-1]] if len(posed) else before


def mark_jumps(
    solution: IkSolution, tracked: MarkerTrajectories, *, first_row: int = 0
) -> tuple[IkSolution, tuple[Leap, ...]]:
    """Mark frames as suspect in which markers or angles leap out and back, which no person does; return the leaps."""
    statuses = solution.statuses.copy()
    angles = solution.coordinates[:, solution.free_coordinates & solution.coordinate_is_rotation]
    leaps = []
    for what, factor, unit, jumps in (
        ("markers", 1e3, "mm", marker_jumps(tracked.positions_m, tracked.rate_hz)),
        ("angles", 180.0 / np.pi, "deg", angle_jumps(angles, tracked.rate_hz)),
    ):
        for jump in jumps:
            rows = slice(jump.first, jump.last + 1)
            statuses[rows] = np.where(solution.usable()[rows], int(FrameStatus.SUSPECT), statuses[rows])
            time_s = float(solution.times_s[jump.first])
            leaps.append(Leap(first_row + jump.first, first_row + jump.last, time_s, what, jump.size * factor, unit))
    return replace(solution, statuses=statuses), tuple(leaps)


def mark_frozen(
    solution: IkSolution, tracked: MarkerTrajectories, *, first_row: int = 0
) -> tuple[IkSolution, tuple[Frozen, ...]]:
    """Mark frames as suspect whose markers repeat those of the row before for so long that the body has moved on."""
    statuses = solution.statuses.copy()
    frozen = []
    for run in standstills(row_steps(tracked.positions_m), tracked.rate_hz):
        if run.moved_m(tracked.rate_hz) >= FROZEN_M:
            rows = slice(run.first, run.last + 1)
            statuses[rows] = np.where(solution.usable()[rows], int(FrameStatus.SUSPECT), statuses[rows])
            time_s = float(solution.times_s[run.first])
            frozen.append(Frozen(first_row + run.first, first_row + run.last, time_s, run.speed_m_s))
    return replace(solution, statuses=statuses), tuple(frozen)


def check_some_pose(account: IkAccount, source: Path | str) -> None:
    """Raise InputError if no frame has a pose, because a file without any must not count as a result."""
    if account.rows.n_posed:
        return
    reasons = account.sentences()
    raise InputError(
        source,
        expected="at least one frame that can be solved",
        got=f"none ({reasons[-1] if reasons else 'no reason given'})",
        remedy="check the markers, or leave the clip out",
    )


def check_tracked(scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> tuple[str, ...]:
    """Return the tracked markers in the order of the data; raise InputError if they are too few."""
    if markers.n_rows == 0:
        raise InputError(markers.source, expected="at least one sample", got="none", remedy="leave the clip out")
    tracked = tuple(
        name for name in markers.names if name in scaled.marker_bodies and setup.marker_weights.get(name, 0.0) > 0
    )
    if len(tracked) < LEAST_TRACKED:
        raise InputError(
            setup.source,
            expected=f"at least {LEAST_TRACKED} markers that have a weight and exist in both model and data",
            got=_why_few(tracked, scaled, markers, setup),
            remedy="check that model, set-up and marker file belong together, and give markers the same names in all",
        )
    return tracked


def _why_few(tracked: Sequence[str], scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> str:
    """Return which of model, set-up and data lacks markers, and what a missing one may be called there."""
    weighted = [name for name, weight in setup.marker_weights.items() if weight > 0]
    n_in_model = sum(name in scaled.marker_bodies for name in weighted)
    not_in_data = [name for name in weighted if name not in markers.names]
    missing = list_names(f"{name}{suggest(name, markers.names)}" for name in not_in_data[:3])
    return (
        f"{len(tracked)}: the model has {n_in_model} of {len(weighted)} weighted markers (and "
        f"{len(scaled.marker_bodies)} markers in all), the data have {len(weighted) - len(not_in_data)}"
        + (f", not {missing}; they hold {list_names(markers.names)}" if not_in_data else "")
    )


def name_findings(scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> tuple[str, ...]:
    """Return sentences on weighted markers that are missing from the model or the data."""
    weighted = [name for name, weight in setup.marker_weights.items() if weight > 0]
    no_model = [name for name in weighted if name not in scaled.marker_bodies]
    no_data = [name for name in weighted if name not in markers.names]
    findings = []
    if no_model:
        # Suggest only names that no weighted marker has: a similar name of another marker is not a misspelling.
        spare = set(scaled.marker_bodies) - set(weighted)
        unknown = list_names(f"{name}{suggest(name, spare)}" for name in no_model)
        findings.append(f"weighted markers that are not in the model: {unknown}; add them, or correct the weights")
    if no_data:
        spare = set(markers.names) - set(setup.marker_weights)
        unknown = list_names(f"{name}{suggest(name, spare)}" for name in no_data)
        findings.append(f"weighted markers that are not in the data: {unknown}; solved without them")
    return tuple(findings)


def motion_table(solution: IkSolution, *, name: str) -> StorageTable:
    """Return coordinates as a table for motion files (see `formats.storage`), without frames that have no pose."""
    posed = np.isfinite(solution.coordinates).all(axis=1)
    return coordinate_table(
        solution.coordinate_names,
        solution.times_s[posed],
        solution.coordinates[posed],
        solution.coordinate_is_rotation,
        name=name,
    )


def model_markers(solution: IkSolution, *, source: str) -> MarkerTrajectories:
    """Return the positions of the model's markers as trajectories."""
    from movi_prep.records.markers import MarkerTrajectories

    return MarkerTrajectories(
        names=solution.marker_names,
        positions_m=solution.model_markers_m,
        times_s=solution.times_s,
        sample_indices=solution.sample_indices,
        rate_hz=solution.rate_hz,
        source=source,
    )


def _solve_in_opensim(clip: _Clip, settings: SolveSettings) -> _Found:
    from movi_prep.osim.marker_tracking import TrackingProblem, track_markers
    from movi_prep.osim.solution import SolvedFrames

    setup = clip.setup
    problem = TrackingProblem(
        markers=clip.tracked,
        weights=np.array([setup.marker_weights[name] for name in clip.tracked.names]),
        coordinate_targets=clip.targets,
        accuracy=settings.accuracy or setup.accuracy,
        constraint_weight=settings.constraint_weight or setup.constraint_weight,
    )
    track = track_markers(clip.scaled.model, problem)
    tree = clip.scaled.tree
    if tree is None:
        # Followers of couplers can only be corrected in the tree. Without one, OpenSim's values stay as they are.
        errors = track.constraint_errors
        return _Found(SolvedFrames("opensim", track.coordinates, track.statuses, constraint_errors=errors))
    # A penalty leaves coupler errors of some 1e-5 rad; computing followers from their leaders removes them.
    return _Found(SolvedFrames("opensim", tree.complete_coordinates(track.coordinates), track.statuses))


def _solve_converged(clip: _Clip, settings: SolveSettings) -> _Found:
    from movi_prep.kinematics import CoordinateTarget, solve_inverse_kinematics
    from movi_prep.kinematics.kernel_cache import compile_ahead
    from movi_prep.osim.solution import SolvedFrames

    if clip.scaled.tree is None:
        raise ModelError(clip.scaled.refusal)
    asked = (
        clip.scaled.tree,
        clip.tracked.names,
        clip.tracked.positions_m,
        {name: clip.setup.marker_weights[name] for name in clip.tracked.names},
        settings.converged,
    )
    tasks = [CoordinateTarget(name=task.name, weight=task.weight, target=values) for task, values in clip.targets]
    # On other machines, workers have not run `prepare`, so their cache may be empty.
    compile_ahead(*asked, tasks=tasks)
    found = solve_inverse_kinematics(*asked, tasks=tasks, before=clip.before)
    frames = SolvedFrames(
        solver="converged",
        coordinates=found.coordinates,
        statuses=found.statuses,
        iterations=found.iterations,
        gradient_norms=found.gradient_norms,
        posterior_std=found.posterior_std,
        ranks=found.ranks,
    )
    if clip.angles_only:
        frames = replace(
            frames, marker_names=found.marker_names, markers_m=found.markers_m, objectives=found.objectives
        )
    if clip.noise is None or not found.marker_names:
        return _Found(frames, found.reasons, found.unseen)
    poses = _solved_poses(clip, clip.scaled.tree, found)
    if clip.angles_only:
        label_std = _label_std(clip.scaled.tree, found, poses, clip.noise)
        return _Found(replace(frames, label_std=label_std), found.reasons, found.unseen)
    deviations, modes = _label_deviations(clip, clip.scaled.tree, found, poses, clip.noise)
    std = deviations.coordinate_std(clip.scaled.tree, found.coordinates)
    return _Found(replace(frames, deviations=deviations, label_std=std), found.reasons, found.unseen, modes)


def _solved_poses(clip: _Clip, tree: KinematicTree, found: ConvergedSolution) -> SolvedPoses:
    from movi_prep.kinematics.deviation import SolvedPoses

    place = {name: column for column, name in enumerate(clip.tracked.names)}
    return SolvedPoses(
        coordinates=found.coordinates,
        markers=np.array([tree.marker(name) for name in found.marker_names]),
        weights=np.array([clip.setup.marker_weights[name] for name in found.marker_names]),
        seen=clip.tracked.seen()[:, [place[name] for name in found.marker_names]],
        prior=found.pull_weights,
        shares=found.pull_shares,
        rate_hz=clip.markers.rate_hz,
    )


def _label_std(
    tree: KinematicTree, found: ConvergedSolution, poses: SolvedPoses, noise: MarkerNoise
) -> NDArray[np.float64]:
    """Return (n, c) how far labels may be off; infinite for what the markers do not determine."""
    from movi_prep.kinematics.deviation import solve_std

    std = solve_std(tree, poses, noise)
    if found.posterior_std is not None:
        # As in `_label_deviations`.
        std[np.isinf(found.posterior_std)] = np.inf
    return std


def _label_deviations(
    clip: _Clip, tree: KinematicTree, found: ConvergedSolution, poses: SolvedPoses, noise: MarkerNoise
) -> tuple[PoseDeviation, Modes | None]:
    """Return how far labels may be off together; infinite for what the markers do not determine."""
    from movi_prep.kinematics.deviation import solve_deviation

    deviations, modes = solve_deviation(tree, poses, noise, clip.modes)
    if found.posterior_std is not None:
        # Deviations come from a prior where nothing is seen; infinity says that the label is not measured.
        deviations.factor[np.isinf(found.posterior_std[:, tree.free_coordinates])] = np.inf
    return deviations, modes


def _check_in_opensim(scaled: ScaledModel, solution: IkSolution, n_frames: int, tolerance: float) -> None:
    """Put a sample of frames back into OpenSim; raise AuditError if its positions differ from ours."""
    from movi_prep.osim.verify_solution import check_solution

    check_solution(
        scaled.model,
        solution.coordinates,
        solution.marker_names,
        solution.model_markers_m,
        # A few frames suffice, because an error in the arithmetic shows in any frame with bent joints.
        n_frames=n_frames,
        tolerance=tolerance,
    )


def _validity(
    solution: IkSolution, residuals_m: NDArray[np.float64], scaled: ScaledModel, settings: SolveSettings
) -> NDArray[np.bool_]:
    rule = LandmarkRule(landmark_weight=settings.landmark_weight, limit_m=settings.landmark_limit_m)
    valid = coordinate_validity(
        residuals_m,
        solution.usable(),
        landmarks=landmark_bodies(solution.marker_names, solution.marker_weights, scaled.marker_bodies, rule),
        coordinate_bodies=scaled.coordinate_bodies,
        rule=rule,
    )
    # A landmark can have a small residual and still not determine a coordinate; that value comes from the prior.
    if solution.posterior_std is not None and settings.converged.mask_unseen:
        # Infinite deviations compare false as well: what no marker sees gets no label.
        valid &= solution.posterior_std <= settings.converged.unseen_std_rad
    return valid


def _decided(solution: IkSolution, scaled: ScaledModel, setup: IkSetup) -> NDArray[np.bool_]:
    """Return (n, c) bool: coordinates that a marker seen in that row moves with, or that a task pulls to a value.

    All others stand where the solver began, or where the rows around them are: no marker says anything of them. Of a
    model without a tree nobody can say, and all count as decided.
    """
    tree, names = scaled.tree, solution.coordinate_names
    if tree is None:
        return np.ones((solution.n_rows, len(names)), dtype=bool)
    seen = are_finite(solution.observed_markers_m) & (solution.marker_weights > 0)
    by_marker = _deciding(tree, solution.marker_names)
    pulled = {task.name for task in setup.coordinate_tasks if task.weight > 0}
    always = tree.decided_by([]) | np.array([name in pulled for name in tree.coordinate_names])
    # Most rows show the same markers.
    first_alike = bool((seen == seen[:1]).all())
    # float32, because NumPy multiplies boolean matrices without BLAS.
    decided = (seen[: 1 if first_alike else None].astype(np.float32) @ by_marker > 0) | always
    place = {name: index for index, name in enumerate(tree.coordinate_names)}
    known = np.array([name in place for name in names])
    found = decided[:, [place.get(name, 0) for name in names]] | ~known
    return np.broadcast_to(found, (solution.n_rows, len(names)))


@lru_cache(maxsize=4)
def _deciding(tree: KinematicTree, markers: tuple[str, ...]) -> NDArray[np.float32]:
    """Return (m, c), 1 where a marker decides a coordinate: what several markers decide is what each of them does."""
    each = [tree.decided_by([tree.marker(name)]) for name in markers]
    return np.array(each, dtype=np.float32).reshape(-1, tree.n_coordinates)
