"""The stage of inverse kinematics: coordinates of each clip, checked in OpenSim.

| unit           | reads                                                     | writes                            |
|----------------|-----------------------------------------------------------|-----------------------------------|
| `ik S001/C01`  | `markers/.../C01.h5`, `scaled.osim`, `scale.json`, set-up | `C01.h5`, `C01.mot`, `C01.trc`    |

The stage solves in OpenSim ground (y up), where an upright pelvis is far from gimbal lock. A frame that cannot be
solved is flagged and has no pose; the rest of the clip is solved all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.errors import AuditError, UsageError, list_names
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.opensim_setup import included_files
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.formats.storage import write_storage_blocks
from movi_prep.formats.trc import write_trc_blocks
from movi_prep.records.advance import advancing
from movi_prep.records.scale_result import AuditGrade
from movi_prep.records.unit import InSteps, Stage, StageReport, Unit
from movi_prep.stages.compile_solver import compile_solver
from movi_prep.stages.ik_account import ik_numbers
from movi_prep.stages.packaged_model import PACKAGED_IK_SETUP, packaged_setups
from movi_prep.stages.solve_clip import (
    cached_noise,
    cached_setup,
    check_some_pose,
    model_markers,
    motion_table,
    read_scaled_model,
    row_blocks,
    solve_blocks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from movi_prep.config.ik import Content, IkSettings, IkUnitSettings
    from movi_prep.config.root import Config
    from movi_prep.records.advance import Advance
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.marker_noise import MarkerNoise
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.stages.ik_account import IkAccount
    from movi_prep.stages.solve_clip import RowBlock


@dataclass(frozen=True)
class IkInputs:
    """Files that a clip is solved from; `setup_parts` are files that an XML set-up includes.

    `noise` is that of the markers, from which deviations follow.
    """

    markers: Path
    model: Path
    scale: Path
    setup: Path
    noise: Path
    setup_parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class IkOutputs:
    """The solution; `motion` (.mot) and `trc` are None unless the settings ask for them."""

    solution: Path
    motion: Path | None
    trc: Path | None


def plan_ik(
    recordings: Recordings, work: WorkFolder, config: Config
) -> tuple[Unit[IkInputs, IkOutputs, IkUnitSettings], ...]:
    """Return one unit per clip."""
    if not recordings.motions:
        return ()
    setup = ik_setup_path(config)
    setup_parts = included_files(setup)
    content = ik_content(config.ik, recordings)
    settings = config.ik.for_unit(keep_failed_audit=config.scaling.keep_failed_audit, content=content)
    with_mot = content == "everything" if config.ik.write_mot is None else config.ik.write_mot
    return tuple(
        Unit(
            stage=IK.name,
            key=str(clip),
            inputs=IkInputs(
                markers=work.markers(clip),
                model=work.scaled_model(clip.subject),
                scale=work.scale_result(clip.subject),
                setup=setup,
                noise=marker_noise_path(config.ik),
                setup_parts=setup_parts,
            ),
            outputs=IkOutputs(
                solution=work.ik_solution(clip),
                motion=work.ik_motion(clip) if with_mot else None,
                trc=work.ik_solution(clip).with_suffix(".trc") if config.ik.write_trc else None,
            ),
            settings=settings,
        )
        # Sorted, so that plans do not depend on the order in which a file system lists files.
        for clip in sorted(recordings.motions)
    )


def run_ik(inputs: IkInputs, outputs: IkOutputs, settings: IkUnitSettings, advance: Advance) -> StageReport:
    """Solve one clip and write it; a long clip is solved and written block by block."""
    from movi_prep.formats.ik_file import open_ik_writer
    from movi_prep.formats.marker_file import count_marker_rows

    # Before anything is solved: a refused subject must not cost minutes.
    check_audit(inputs.scale, keep_failed=settings.keep_failed_audit)
    blocks = row_blocks(count_marker_rows(inputs.markers), settings)
    solved = advancing(_solve(inputs, settings, blocks), advance, total=len(blocks))
    # The writer needs the rate and the solver before it can open the file: they come from the first block.
    first, account = next(solved)
    # A clip of one block is still in memory, so it is not read back from its file.
    held = [first] if len(blocks) == 1 else None
    with open_ik_writer(
        outputs.solution,
        n_rows=blocks[-1].kept.stop,
        solver=first.solver,
        rate_hz=first.rate_hz,
        provenance=_provenance(inputs, settings),
        is_whole=first.is_whole,
    ) as append:
        append(first)
        del first
        for solution, more in solved:
            append(solution)
            account = account + more
            # Free this block before the next one is solved.
            del solution
        # Inside the writer's block: an error here discards the partial file.
        check_some_pose(account, inputs.markers)
    if outputs.motion is not None:
        tables = (motion_table(part, name="Coordinates") for part in held or _read_blocks(outputs.solution, blocks))
        write_storage_blocks(outputs.motion, tables, n_rows=account.rows.n_posed)
    if outputs.trc is not None:
        # Made anew: a generator of blocks is used up by the .mot file.
        parts = held or _read_blocks(outputs.solution, blocks)
        markers = (model_markers(part, source=str(outputs.solution)) for part in parts)
        write_trc_blocks(outputs.trc, markers, n_rows=blocks[-1].kept.stop)
    return StageReport(
        numbers=ik_numbers(account.sums, solver=settings.solver, minimised=settings.minimised),
        findings=account.sentences(),
        warnings=account.rows.warnings(),
    )


def _solve(
    inputs: IkInputs, settings: IkUnitSettings, blocks: Sequence[RowBlock]
) -> Iterator[tuple[IkSolution, IkAccount]]:
    from movi_prep.formats.marker_file import read_markers

    # Clips share both files: stamps show whether one has changed since it was read.
    setup = cached_setup(inputs.setup, tuple(map(file_stamp, (inputs.setup, *inputs.setup_parts))))
    # Deviations are part of what the observability of a clip is.
    noise = cached_noise(inputs.noise, file_stamp(inputs.noise)) if settings.converged.observability else None
    return solve_blocks(
        read_scaled_model(inputs.model),
        lambda rows: read_markers(inputs.markers, rows),
        setup,
        settings,
        blocks,
        noise=noise,
        angles_only=settings.content == "angles",
    )


def _read_blocks(path: Path, blocks: Sequence[RowBlock]) -> Iterator[IkSolution]:
    from movi_prep.formats.ik_file import read_ik_solution

    return (read_ik_solution(path, block.kept) for block in blocks)


def _provenance(inputs: IkInputs, settings: IkUnitSettings) -> dict[str, str]:
    return {
        "markers": f"{inputs.markers.parent.name}/{inputs.markers.name}",
        "model": inputs.model.name,
        "setup": inputs.setup.name,
        "minimised": settings.minimised,
    }


def prepare_ik(settings: Sequence[IkUnitSettings], say: Callable[[str], None]) -> None:
    """Compile the converged solver if one of these clips needs it."""
    if any(each.needs_compiler for each in settings):
        compile_solver(say)


IK = Stage(
    name="ik",
    version=14,
    summary="coordinates, poses and residuals of each clip",
    plan=plan_ik,
    run=InSteps(run_ik),
    prepare=prepare_ik,
)


def ik_content(settings: IkSettings, recordings: Recordings) -> Content:
    """Return what solutions hold: nothing but angles where clips are so many, and none has a video."""
    return settings.content or ("angles" if recordings.reader == "amass" else "everything")


def ik_setup_path(config: Config) -> Path:
    """Return the tracking set-up; raise UsageError if the user's own model has none."""
    check_tracking(config, config.scaling.model)
    return config.ik.setup or packaged_path("opensim_models", PACKAGED_IK_SETUP)


def check_tracking(config: Config, own_model: Path | None) -> None:
    """Raise UsageError if a model of the user's own, if there is one, comes without a tracking set-up."""
    if own_model is not None and config.ik.setup is None:
        names = list_names(path.name for path in packaged_setups("ik"))
        raise UsageError(
            f"model {own_model} needs its own tracking set-up: give --ik-setup (ik.setup); "
            f"packaged are {names} in {packaged_setups('ik')[0].parent}"
        )


def marker_noise_path(settings: IkSettings) -> Path:
    """Return the file of the noise of markers from which deviations follow."""
    from movi_prep.formats.noise_file import PACKAGED_NOISE

    return settings.marker_noise or packaged_path("opensim_models", PACKAGED_NOISE)


def marker_noise(settings: IkSettings) -> MarkerNoise | None:
    """Return the noise of markers from which deviations follow; None where they are not asked for."""
    from movi_prep.formats.noise_file import read_marker_noise

    wanted = settings.solver == "converged" and settings.converged.observability
    return read_marker_noise(marker_noise_path(settings)) if wanted else None


def check_audit(scale_result: Path, *, keep_failed: bool) -> None:
    """Raise AuditError where the audit of the subject's scaling refuses it, unless such subjects are kept."""
    result = read_scale_result(scale_result)
    if result.audit is AuditGrade.REFUSED and not keep_failed:
        raise AuditError(
            f"{scale_result}: the audit of scaling refuses the subject ({'; '.join(result.findings[:3])}); correct the "
            "static trial, the measurements or the bounds in `scaling`, or go on with --set "
            "scaling.keep_failed_audit=true"
        )
