"""The marker stage: motion and a body model become virtual markers.

| unit | reads | writes |
|---|---|---|
| `static S001` | clips (betas and gender only), body model, marker set, session | `static.h5`, `static.trc` |
| `markers S001/C01` | clip, body model, marker set, DMPL model | `C01.h5`, and `C01.trc` if asked |

Positions are (row, marker, 3), metres, OpenSim ground; the static trial faces +x, and has height (m) and mass (kg).
Rows of a clip are mocap samples 0, 4, 8, ... (the video clock) or every sample. A subject is shaped by the betas of
its first clip that can be read and is not left out; a clip is posed with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.footage import NO_CHOICE
from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.amass import SubjectShape
from movi_prep.formats.body_models import body_of_model, read_body_model
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.marker_file import open_marker_writer, read_markers, write_static_trial
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.formats.motion_files import open_motion, read_subject_shape
from movi_prep.geometry.frames import AMASS_TO_GROUND
from movi_prep.geometry.motion_resampling import n_resampled, resampled
from movi_prep.recordings.wanted import MODEL_FILES
from movi_prep.records.advance import advancing
from movi_prep.records.markers import StaticTrial
from movi_prep.records.timeline import samples_per_frame
from movi_prep.records.unit import InSteps, Stage, StageReport, Unit
from movi_prep.stages.clip_watch import ClipWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    from movi_prep.body.carried_markers import CarriedMarkers
    from movi_prep.body.skinning import BodyPart
    from movi_prep.config.footage import MotionChoice
    from movi_prep.config.markers import (
        StaticTrialSettings,
        StaticUnitSettings,
        TrajectorySettings,
        TrajectoryUnitSettings,
    )
    from movi_prep.config.root import Config
    from movi_prep.formats.amass import MotionFile
    from movi_prep.formats.motion_files import WholeMotion
    from movi_prep.records.advance import Advance
    from movi_prep.records.body_layout import BodyName
    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.identity import ClipId
    from movi_prep.records.marker_set import MarkerSet
    from movi_prep.records.motion import Motion, Sex
    from movi_prep.records.recordings import ReaderName, Recordings
    from movi_prep.records.session import Session
    from movi_prep.records.work_folder import WorkFolder

    StaticUnit: TypeAlias = Unit["StaticInputs", "StaticOutputs", StaticUnitSettings]
    MarkerUnit: TypeAlias = Unit["MarkerInputs", "MarkerOutputs", TrajectoryUnitSettings]

_SAME_RATE = 1e-4
"""Rates that differ by less are one: 120 and 120.00004578 Hz."""

POSED_TOGETHER = 2048
"""Rows that the body model poses in one batch; a clip of AMASS has 1,570 on average."""

_SAME_BETAS = 1e-6
"""Betas of one subject's clips agree to the last digit; a larger difference means another fit of the body."""

_SMALLEST_PERSON_M, _LARGEST_PERSON_M = 0.5, 2.6
"""Bounds of a person's stature; outside them, betas or body model are damaged."""


@dataclass(frozen=True)
class StaticInputs:
    """Files that the static trial of a subject is made from.

    Attributes:
        motions: its clips.
        marker_set: the marker set.
        body_model: the model of its body and sex, None where there is none.
        models_there: the models found instead, for messages.
        reader: which reader reads the session.
        session: its session, None where there is none.
    """

    motions: tuple[Path, ...]
    marker_set: Path
    body_model: Path | None
    models_there: str
    reader: ReaderName
    session: Path | None


@dataclass(frozen=True)
class StaticOutputs:
    """The static trial, as our own file and for OpenSim's tools."""

    trial: Path
    trc: Path


@dataclass(frozen=True)
class MarkerInputs:
    """Files that the trajectories of a clip are made from; models as in `StaticInputs`."""

    motion: Path
    marker_set: Path
    body_model: Path | None
    dmpl_model: Path | None
    models_there: str
    subset: str = ""


@dataclass(frozen=True)
class MarkerOutputs:
    """The trajectories; `trc` is None unless the settings ask for it."""

    markers: Path
    trc: Path | None


def plan_static(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[StaticUnit, ...]:
    """Return one unit per subject, with all of its clips as inputs, so that one bad clip does not stop the subject.

    Clips that this run did not choose are inputs, too, because a subject's body must not depend on the choice. Clips
    that `exclude` names are not.
    """
    return tuple(_static_unit(recordings, work, config, subject=subject) for subject in recordings.subjects)


def plan_markers(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[MarkerUnit, ...]:
    """Return one unit per clip."""
    return tuple(_markers_unit(recordings, work, config, clip=clip) for clip in sorted(recordings.motions))


def run_static(inputs: StaticInputs, outputs: StaticOutputs, settings: StaticUnitSettings) -> StageReport:
    """Make one subject's static trial, with height and mass."""
    from movi_prep.body.t_pose import stand_in_t_pose, static_markers
    from movi_prep.formats.trc import write_trc

    model_body = None if inputs.body_model is None else body_of_model(inputs.body_model)
    motion, shape, findings = _subject_shape(inputs.motions, settings.choices, model_body)
    session, session_findings = _read_session(inputs, needed=settings.mass == "v3d")
    if inputs.body_model is None:
        raise _missing_model(shape, motion, inputs.models_there)
    stamps = (file_stamp(inputs.body_model), file_stamp(inputs.marker_set))
    model, carried = _cached_body(inputs.body_model, inputs.marker_set, shape.sex, stamps)
    _check_body(model.layout.name, shape, model=inputs.body_model, motion=motion)
    markers = carried.markers

    # Betas determine the whole shape, and no clip of BMLmovi is sure to contain a T-pose, so the T-pose is synthesised.
    pose = stand_in_t_pose(model, shape.betas)
    _check_stature(pose.height_m, shape, motion=motion, model=model)
    trial = StaticTrial(
        markers=static_markers(pose, markers, rate_hz=settings.static_rate_hz, duration_s=settings.static_duration_s),
        height_m=pose.height_m,
        mass_kg=_mass_kg(pose.vertices_m, model, session, settings),
        sex=shape.sex,
        mass_source=settings.mass,
        lost=carried.lost,
    )
    # The file does not say which clip gave the shape: all clips do, and one more clip must not change the file's bytes.
    write_static_trial(outputs.trial, trial, provenance=_provenance(inputs.body_model, markers))
    write_trc(outputs.trc, trial.markers)
    return StageReport(
        numbers={
            "height_m": trial.height_m,
            "mass_kg": trial.mass_kg,
            "sex": shape.sex,
            "shaped_by": motion.name,
        },
        findings=(*findings, *carried.findings, *session_findings, *_sex_findings(shape, session)),
    )


def run_markers(
    inputs: MarkerInputs, outputs: MarkerOutputs, settings: TrajectoryUnitSettings, advance: Advance
) -> StageReport:
    """Make one clip's trajectories, block by block."""
    from movi_prep.body.device import torch_threads

    # One thread per unit: units run in parallel, and sums over several threads differ in the last bit.
    with torch_threads(1), _open(inputs, settings) as motion:
        _check_soft_tissue(motion, inputs, settings)
        report = _write_trajectories(motion, inputs=inputs, path=outputs.markers, settings=settings, advance=advance)
    if outputs.trc is not None:
        from movi_prep.formats.trc import write_trc

        write_trc(outputs.trc, read_markers(outputs.markers))
    return report


def _open(inputs: MarkerInputs, settings: TrajectoryUnitSettings) -> AbstractContextManager[MotionFile | WholeMotion]:
    return open_motion(inputs.motion, settings.choice, rate_hz=settings.motion_rate_hz, up=settings.motion_up)


STATIC = Stage(
    name="static",
    version=4,
    summary="static T-pose trial, height and mass of each subject",
    plan=plan_static,
    run=run_static,
)


def check_markers(settings: Sequence[TrajectorySettings]) -> None:
    """Raise UsageError if torch lacks the device that the settings name."""
    # Loading torch takes seconds, and the device cpu always exists.
    for device in {each.device for each in settings} - {"cpu"}:
        from movi_prep.body.device import torch_device

        torch_device(device)


MARKERS = Stage(
    name="markers",
    version=6,
    summary="virtual marker trajectories of each clip",
    plan=plan_markers,
    run=InSteps(run_markers),
    check=check_markers,
)


@dataclass(frozen=True)
class RowClock:
    """When the rows of a clip are: each `every`-th sample, or, where samples do not fall on it, at a rate of its own.

    Attributes:
        every: samples from row to row.
        resample_hz: rate of the rows, Hz; None where they are samples.
    """

    every: int
    resample_hz: float | None = None

    def times_s(self, n_samples: int, rate_hz: float) -> NDArray[np.float64]:
        """Return the times of the rows of a clip, seconds after its first sample."""
        if self.resample_hz is None:
            return np.arange(0, n_samples, self.every) / rate_hz
        return np.arange(n_resampled(n_samples, rate_hz, self.resample_hz)) / self.resample_hz


def row_clock(rate_hz: float, settings: TrajectorySettings, *, source: str) -> RowClock:
    """Return when the rows of a clip of `rate_hz` are.

    Raises:
        InputError: the mocap rate is not a whole multiple of the video rate (within 1 %).
    """
    # The video clock is mocap's divided by a whole number: nothing has to be interpolated.
    if settings.rate == "video":
        remedy = ", or markers.rate to mocap"
        return RowClock(samples_per_frame(rate_hz, settings.video_rate_hz, source=source, or_else=remedy))
    if settings.resample_hz is None:
        return RowClock(1)
    ratio = rate_hz / settings.resample_hz
    # 120.00004578 Hz, as some files say, is 120: its samples are taken as they are.
    if round(ratio) >= 1 and abs(ratio / round(ratio) - 1) < _SAME_RATE:
        return RowClock(round(ratio))
    return RowClock(1, settings.resample_hz)


def _static_unit(recordings: Recordings, work: WorkFolder, config: Config, *, subject: str) -> StaticUnit:
    clips = _shaping_clips(recordings, subject, exclude=config.exclude)
    motions = tuple(clips.values())
    choices = tuple(recordings.choices.get(clip, NO_CHOICE) for clip in clips)
    body_model = model_for(motions, recordings.body_models, choices)
    return Unit(
        stage=STATIC.name,
        key=subject,
        inputs=StaticInputs(
            motions=motions,
            marker_set=_marker_set_path(config),
            body_model=body_model,
            models_there=_models_there(recordings.body_models, body_model),
            reader=recordings.reader,
            session=recordings.sessions.get(subject),
        ),
        outputs=StaticOutputs(trial=work.static_trial(subject), trc=work.static_trc(subject)),
        # Nothing said of any clip is nothing said: one more clip must not change the identity of the unit.
        settings=config.markers.static_unit(choices if set(choices) - {NO_CHOICE} else ()),
    )


def _shaping_clips(recordings: Recordings, subject: str, *, exclude: Collection[str]) -> dict[ClipId, Path]:
    """Return the clips that may give a subject its shape: all that `exclude` does not name, chosen or not."""
    return {clip: path for clip, path in recordings.all_motions_of(subject).items() if str(clip) not in exclude}


def _markers_unit(recordings: Recordings, work: WorkFolder, config: Config, *, clip: ClipId) -> MarkerUnit:
    motion = recordings.motions[clip]
    tissue = config.markers.soft_tissue
    choice = recordings.choices.get(clip, NO_CHOICE)
    body_model = model_for((motion,), recordings.body_models, (choice,))
    return Unit(
        stage=MARKERS.name,
        key=str(clip),
        inputs=MarkerInputs(
            motion=motion,
            marker_set=_marker_set_path(config),
            body_model=body_model,
            dmpl_model=_tissue_for(motion, choice, recordings.dmpl_models) if tissue else None,
            models_there=_models_there(recordings.body_models, body_model),
            subset=recordings.subsets.get(clip.subject, ""),
        ),
        outputs=MarkerOutputs(
            markers=work.markers(clip), trc=work.markers_trc(clip) if config.markers.write_trc else None
        ),
        settings=_trajectory_settings(recordings, config, choice),
    )


def _trajectory_settings(recordings: Recordings, config: Config, choice: MotionChoice) -> TrajectoryUnitSettings:
    """Return the settings of a clip; without videos, the mocap clock is the only one."""
    settings = config.markers.trajectory_unit(choice)
    return settings if recordings.video_rate_hz is not None else settings.model_copy(update={"rate": "mocap"})


def _marker_set_path(config: Config) -> Path:
    return config.markers.marker_set or default_marker_set_path()


def model_for(
    motions: Sequence[Path], models: Mapping[tuple[BodyName, str], Path], choices: Sequence[MotionChoice] = ()
) -> Path | None:
    """Return the model of body and sex of the first readable clip for whose body there are models.

    What is unreadable fails when the unit runs.
    """
    of_bodies = {body for body, _ in models}
    # Without models there is nothing to look for in the clips.
    for motion, choice in zip(motions if of_bodies else (), choices or repeat(NO_CHOICE), strict=False):
        try:
            shape = read_subject_shape(motion, choice)
        # Planning must not fail for one bad clip; the unit reports it.
        except InputError:
            continue
        # The first is enough: a subject may have thousands of clips.
        if shape.body in of_bodies:
            return models.get((shape.body, shape.sex))
    return None


def _tissue_for(motion: Path, choice: MotionChoice, models: Mapping[str, Path]) -> Path | None:
    """Return DMPL's directions of a clip's sex; they are of the mesh of SMPL and SMPL+H."""
    try:
        shape = read_subject_shape(motion, choice)
    except InputError:
        return None
    return None if shape.body == "SMPL-X" else models.get(shape.sex)


def _models_there(models: Mapping[tuple[BodyName, str], Path], model: Path | None) -> str:
    """Return the existing body models where none of them fits, else "": a unit must not depend on them."""
    return "" if model is not None else list_names(" ".join(key) for key in models)


def _subject_shape(
    motions: Sequence[Path], choices: Sequence[MotionChoice], body: BodyName | None
) -> tuple[Path, SubjectShape, tuple[str, ...]]:
    """Return a subject's first readable clip of a body, or of any; the shape in it; what other clips say against it."""
    shapes: dict[Path, SubjectShape] = {}
    errors: dict[Path, InputError] = {}
    for motion, choice in zip(motions, choices or repeat(NO_CHOICE), strict=False):
        try:
            shapes[motion] = read_subject_shape(motion, choice)
        except InputError as error:
            errors[motion] = error
    if not shapes:
        raise next(iter(errors.values()))
    first, shape = next(
        ((motion, shape) for motion, shape in shapes.items() if shape.body == body), next(iter(shapes.items()))
    )
    findings = [f"betas not used: {error}" for error in errors.values()]
    # Reported, not refused: AMASS fits a subject once, but its releases mix fits.
    for motion, other in shapes.items():
        # Compared first: betas of another body, or another number of them, cannot be subtracted.
        if (other.body, len(other.betas)) != (shape.body, len(shape.betas)):
            findings.append(
                f"{motion.name}: {other.body} with {len(other.betas)} betas, but {first.name}, which shapes the static "
                f"trial, is {shape.body} with {len(shape.betas)}: two releases are mixed; leave out those of one"
            )
            continue
        off = float(np.abs(other.betas - shape.betas).max())
        if off > _SAME_BETAS or other.sex != shape.sex:
            findings.append(
                f"{motion.name}: gender {other.sex} and betas that differ by up to {off:.3g} from those of "
                f"{first.name} ({shape.sex}), which give the static trial its shape"
            )
    return first, shape, tuple(findings)


def _check_stature(height_m: float, shape: SubjectShape, *, motion: Path, model: BodyModel) -> None:
    if not _SMALLEST_PERSON_M <= height_m <= _LARGEST_PERSON_M:
        raise InputError(
            motion,
            expected=f"betas of a person, {_SMALLEST_PERSON_M} to {_LARGEST_PERSON_M} m tall, on {model.source}",
            got=f"a body of {height_m:.3g} m, from betas of up to {np.abs(shape.betas).max():.3g}",
            remedy="fetch the clip and the body model again, or leave the subject out",
        )


def _missing_model(shape: SubjectShape, motion: Path, there: str) -> MissingError:
    of_body = [name for name in there.split(", ") if name.rpartition(" ")[0] == shape.body]
    file = MODEL_FILES[shape.body].format(sex=shape.sex, SEX=shape.sex.upper())
    other = ", or fetch the release of the motion that they are of: betas of one body mean nothing to another"
    if of_body:
        # A file that states its sex was fitted to that model.
        other = (
            "" if shape.sex_is_known else ", or say the `sex` of the model that the motion was fitted to in a manifest"
        )
    return MissingError(
        f"body model for {motion.name}",
        expected=f"{file}: the motion is of {shape.body}, {shape.sex}",
        got=f"only {there}" if there not in ("", "none") else "none",
        remedy="point --body-models at the folder that holds it" + (other if there else ""),
    )


def _check_body(body: BodyName, shape: SubjectShape, *, model: Path, motion: Path) -> None:
    """Raise InputError where a model is of another body than the motion: it may have been replaced since planning."""
    if body != shape.body:
        raise InputError(
            motion,
            expected=f"motion of {body}, as {model} is",
            got=f"motion of {shape.body}",
            remedy="bring model and motion of one body: betas of one mean nothing to another",
        )


def _read_session(inputs: StaticInputs, *, needed: bool) -> tuple[Session | None, tuple[str, ...]]:
    """Return the session and findings; if it cannot be read, the unit fails only if it needs the session's mass."""
    from movi_prep.recordings.read import read_session

    if inputs.session is None:
        return None, ()
    try:
        return read_session(inputs.reader, inputs.session), ()
    except InputError as error:
        if needed:
            raise
        return None, (f"gender not checked against the session: {error}",)


def _sex_findings(shape: SubjectShape, session: Session | None) -> tuple[str, ...]:
    if session is None or session.sex == shape.sex:
        return ()
    return (f"AMASS says {shape.sex}, {session.source} says {session.sex}; AMASS's is used, because it has the betas",)


def _mass_kg(
    vertices_m: NDArray[np.float64], model: BodyModel, session: Session | None, settings: StaticTrialSettings
) -> float:
    from movi_prep.body.t_pose import enclosed_volume_m3

    # AMASS has no mass. It follows from the volume of the fitted body, or comes from the session, if that has it.
    if settings.mass == "volume":
        return settings.mass_kg_per_m3 * enclosed_volume_m3(vertices_m, model.faces, source=model.source)
    if session is None or session.mass_kg is None:
        raise InputError(
            "V3D file" if session is None else session.source,
            expected="a mass, because markers.mass is v3d",
            got="no V3D file of this subject" if session is None else "a file without a mass",
            remedy="set markers.mass to volume, or point --v3d at the folder with F_v3d_Subject_N.mat",
        )
    return session.mass_kg


def _check_soft_tissue(motion: MotionFile | WholeMotion, inputs: MarkerInputs, settings: TrajectorySettings) -> None:
    gap = motion.dmpl_gap or ("there is no DMPL model of this sex" if inputs.dmpl_model is None else None)
    if settings.soft_tissue and gap:
        raise InputError(
            inputs.motion,
            expected="dmpls (n, 8) and a DMPL model, because markers.soft_tissue is true",
            got=gap,
            remedy="set markers.soft_tissue to false, or fetch the old release and dmpls/{male,female}/model.npz",
        )


def _blocks(
    motion: MotionFile | WholeMotion, batch_samples: int, *, clock: RowClock, watch: Callable[[Motion], None]
) -> Iterator[Motion]:
    """Yield the rows of a clip in blocks that do not depend on how many are read at once."""
    # The last bit of a matrix product depends on the number of rows, so blocks always begin at the same rows.
    read_at_once = -(-batch_samples // POSED_TOGETHER) * POSED_TOGETHER
    blocks = (
        block.rows(slice(first, first + POSED_TOGETHER))
        for _, block in motion.blocks(read_at_once, every=clock.every, watch=watch)
        for first in range(0, block.n_samples, POSED_TOGETHER)
    )
    yield from blocks if clock.resample_hz is None else resampled(blocks, clock.resample_hz)


def _write_trajectories(
    motion: MotionFile | WholeMotion,
    *,
    inputs: MarkerInputs,
    path: Path,
    settings: TrajectorySettings,
    advance: Advance,
) -> StageReport:
    from movi_prep.body.marker_points import place_markers
    from movi_prep.body.skinning import pose_body, shape_body

    clock = row_clock(motion.rate_hz, settings, source=str(motion.path))
    # Rows start at sample 0, because frame j of the video is sample every * j of the clip.
    times_s = clock.times_s(motion.n_samples, motion.rate_hz)
    row_hz = clock.resample_hz or motion.rate_hz / clock.every
    part, carried = _body_part(inputs, motion.shape, device=settings.device)
    markers = carried.markers
    body = shape_body(part, motion.shape.betas)
    with open_marker_writer(
        path,
        names=markers.names,
        times_s=times_s,
        # Of rows between samples the nearest one.
        sample_indices=np.rint(times_s * motion.rate_hz).astype(np.int64),
        rate_hz=row_hz,
        source=motion.path.name,
        provenance={
            "motion": inputs.motion.name,
            **_provenance(inputs.body_model, markers),
            "soft_tissue": settings.soft_tissue,
        },
    ) as writer:
        # Writing block by block bounds the memory, whatever the length of the clip.
        watch = ClipWatch()
        blocks = _blocks(motion, settings.batch_samples, clock=clock, watch=watch.sampled)
        for block in advancing(blocks, advance, total=-(-len(times_s) // POSED_TOGETHER)):
            points = pose_body(body, block, soft_tissue=settings.soft_tissue, world=AMASS_TO_GROUND)
            watch.posed(block, points)
            writer.append(place_markers(markers, points))
    audit = watch.rate_audit(row_hz)
    return StageReport(
        numbers={
            "n_rows": len(times_s),
            "n_samples": motion.n_samples,
            "mocap_hz": motion.rate_hz,
            "lowest_point_m": watch.lowest_m,
            "n_flights": audit.n_flights,
            **({"fall_m_s2": audit.fall_m_s2, "stated_by_true": audit.stated_by_true} if audit.n_flights else {}),
            **({"subset": inputs.subset} if inputs.subset else {}),
        },
        findings=(*carried.findings, *motion.findings, *watch.findings(motion.rate_hz, audit)),
    )


def _provenance(body_model: Path | None, markers: MarkerSet) -> dict[str, str]:
    """Return file names without folders, so that equal inputs give equal bytes wherever they lie."""
    model = "" if body_model is None else f"{body_model.parent.name}/{body_model.name}"
    return {"body_model": model, "marker_set": markers.name}


def _body_part(inputs: MarkerInputs, shape: SubjectShape, *, device: str) -> tuple[BodyPart, CarriedMarkers]:
    """Return the body at the markers' vertices, and the marker set; clips of one sex share them and are read once."""
    path, dmpl = inputs.body_model, inputs.dmpl_model
    if path is None:
        raise _missing_model(shape, inputs.motion, inputs.models_there)
    # The stamps are part of the cache's key: a worker lives through many units, and a model may be replaced between
    # them.
    stamps = (file_stamp(path), file_stamp(dmpl), file_stamp(inputs.marker_set))
    return _cached_body_part(_BodyFiles(path, dmpl, inputs.marker_set, stamps), shape.sex, device)


@dataclass(frozen=True)
class _BodyFiles:
    """Files of a cached body part; `stamps` show whether a file has changed since."""

    model: Path
    dmpl: Path | None
    marker_set: Path
    stamps: tuple[FileStamp, ...]


@lru_cache(maxsize=2)
def _cached_body(
    path: Path,
    marker_set: Path,
    sex: Sex,
    stamps: tuple[FileStamp, ...],  # noqa: ARG001 - part of the key
) -> tuple[BodyModel, CarriedMarkers]:
    """Return a body in the T-pose, and the marker set on it; subjects of one sex share them and are read once."""
    from movi_prep.body.carried_markers import carry_markers

    model = read_body_model(path, sex=sex, in_t_pose=True)
    return model, carry_markers(read_marker_set(marker_set), model)


@lru_cache(maxsize=4)
def _cached_body_part(files: _BodyFiles, sex: Sex, device: str) -> tuple[BodyPart, CarriedMarkers]:
    from movi_prep.body.carried_markers import carry_markers
    from movi_prep.body.skinning import select_vertices

    model = read_body_model(files.model, sex=sex, soft_tissue=files.dmpl)
    carried = carry_markers(read_marker_set(files.marker_set), model)
    return select_vertices(model, carried.markers.vertices, device=device), carried
