"""A subject filmed by one camera: an ellipsoid that moves through two clips, and a video whose grey tells the frame.

Everything a shard is made from stands where the stages before would have left it. What was solved is made up: the
model's markers are 5 mm off the data, but for one that is 30 mm off.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from movi_prep.body.skinning import pose_body, select_vertices, shape_body
from movi_prep.config.root import Config
from movi_prep.formats.amass import read_motion
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.marker_file import read_markers, write_static_trial
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.geometry.frames import amass_to_movi
from movi_prep.osim.models import write_model
from movi_prep.recordings.bmlmovi_session import JOINT_OF_VIRTUAL_MARKER
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.identity import ClipId
from movi_prep.records.ik_solution import FrameStatus, IkSolution
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from movi_prep.records.recordings import Recordings
from movi_prep.records.scale_result import AuditGrade, ScaleResult
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.align import ALIGN
from movi_prep.stages.markers import MARKERS
from movi_prep.video.avi_writer import write_avi
from tests.builders.body import build_body_model, build_motion, model_arrays, old_release, write_npz
from tests.builders.calibration_files import write_calibration
from tests.builders.small_model import build_model
from tests.builders.v3d_files import VIRTUAL_MARKERS, V3dFile

CAMERA = "PG1"
GREY_STEP = 5
"""Frame n of the video is grey of value 5 n."""

MISSED_MARKER = "LANK"
SMPL_OF_MARKER = {"LHIPJ": 1, "RHIPJ": 2, "LKJC": 4, "RKJC": 5, "LAJC": 7, "RAJC": 8}
SMPL_OF_MARKER |= {"LSHOULDER": 16, "RSHOULDER": 17, "LELC": 18, "RELC": 19, "LWRIST": 20, "RWRIST": 21}


@dataclass(frozen=True)
class FilmedWorld:
    """Where everything is, and the video frames of each clip (1-based, inclusive, as in flags30)."""

    recordings: Recordings
    work: WorkFolder
    config: Config
    flags30: tuple[tuple[int, int], ...]
    n_video_frames: int
    motions: dict[ClipId, Path] = field(default_factory=dict)

    @property
    def video(self) -> Path:
        """The video."""
        return self.recordings.videos["S001", CAMERA]


def write_filmed_world(
    folder: Path, *, flags30: tuple[tuple[int, int], ...] = ((6, 17), (21, 32)), n_video_frames: int = 36
) -> FilmedWorld:
    """Write everything up to and including the alignment."""
    model = write_npz(folder / "smplh/female/model.npz", model_arrays(_body_model()))
    motions = {
        movi_clip(1, k): _write_motion(folder, k, last - first + 1) for k, (first, last) in enumerate(flags30, 1)
    }
    intrinsics, extrinsics = write_calibration(folder, CAMERA)
    video = folder / f"F_{CAMERA}_Subject_1_L.avi"
    write_grey_video(video, n_video_frames)
    virtual = _virtual_markers_mm(motions, flags30, 4 * n_video_frames)
    names = [f"motion {k}" for k in range(1, len(flags30) + 1)]
    v3d = V3dFile(flags30=flags30, motions=names, virtual_mm=virtual, n_samples=4 * n_video_frames).write(folder)
    recordings = Recordings(
        motions=motions,
        body_models={("SMPL+H", "female"): model},
        sessions={"S001": v3d},
        videos={("S001", CAMERA): video},
        intrinsics={CAMERA: intrinsics},
        extrinsics={CAMERA: extrinsics},
    )
    config = Config()
    config = config.model_copy(update={"shard": config.shard.model_copy(update={"cameras": (CAMERA,)})})
    work = WorkFolder(folder / "work")
    world = FilmedWorld(recordings, work, config, tuple(map(tuple, flags30)), n_video_frames, motions)
    _solve(world)
    for unit in ALIGN.plan(recordings, work, config):
        ALIGN.run_unit(unit)
    return world


def write_grey_video(
    path: Path, n_frames: int, *, size_px: tuple[int, int] = (800, 600), rate_hz: float = 30.0
) -> None:
    """Write a video whose frame n is grey of value 5 n, from 0 again after 255."""
    frames = (np.full((size_px[1], size_px[0], 3), GREY_STEP * n % 256, np.uint8) for n in range(n_frames))
    write_avi(path, frames, size_px=size_px, rate_hz=rate_hz, quality=95)


@lru_cache(maxsize=1)
def _body_model():  # type: ignore[no-untyped-def]
    return build_body_model()


def _write_motion(folder: Path, clip: int, n_frames: int) -> Path:
    motion = build_motion(4 * (n_frames - 1) + 1, seed=clip)
    path = folder / f"BMLmovi/Subject_1_F_MoSh/Subject_1_F_{clip}_poses.npz"
    return write_npz(path, old_release(replace(motion, betas=build_motion(1, seed=0).betas)))


def _virtual_markers_mm(
    motions: dict[ClipId, Path], flags30: tuple[tuple[int, int], ...], n_samples: int
) -> np.ndarray:
    """Return (t, 20, 3) mm: the joint centres during clips, held still in between."""
    recording = np.full((n_samples, 20, 3), np.nan)
    part = select_vertices(_body_model(), [0])
    for (_, path), (first, _) in zip(motions.items(), flags30, strict=True):
        motion = read_motion(path)
        joints = amass_to_movi(pose_body(shape_body(part, motion.betas), motion).joints_m) * 1000.0
        start = 4 * (first - 1)
        for name, marker in JOINT_OF_VIRTUAL_MARKER.items():
            column = VIRTUAL_MARKERS.index(name)
            recording[start : start + len(joints), column] = joints[:, SMPL_OF_MARKER[marker]]
    for sample in range(1, n_samples):
        hold = np.isnan(recording[sample])
        recording[sample][hold] = recording[sample - 1][hold]
    return np.nan_to_num(recording)


def _solve(world: FilmedWorld) -> None:
    """Run the marker stage and make up what scaling and inverse kinematics would have found."""
    for unit in MARKERS.plan(world.recordings, world.work, world.config):
        MARKERS.run_unit(unit)
    for clip in world.motions:
        markers = read_markers(world.work.markers(clip))
        write_ik_solution(world.work.ik_solution(clip), made_up_solution(markers), provenance={})
    still = MarkerTrajectories(
        names=("a",), positions_m=np.zeros((1, 1, 3)), times_s=np.zeros(1), sample_indices=np.zeros(1, np.int64),
        rate_hz=120.0, source="test",
    )  # fmt: skip
    trial = StaticTrial(markers=still, height_m=1.7, mass_kg=60.0, sex="female", mass_source="given")
    write_static_trial(world.work.static_trial("S001"), trial, provenance={})
    world.work.scaled_model("S001").parent.mkdir(parents=True)
    write_model(world.work.scaled_model("S001"), build_model())
    write_scale_result(world.work.scale_result("S001"), made_up_scales(), provenance={})


def made_up_scales() -> ScaleResult:
    """Return scales of every label body, all different."""
    bodies = read_label_tables().bodies
    return ScaleResult(
        body_names=bodies,
        body_factors=np.linspace(0.9, 1.1, 3 * len(bodies)).reshape(-1, 3),
        measurement_names=(),
        measurement_factors=np.zeros(0),
        marker_names=(),
        marker_weights=np.zeros(0),
        marker_errors_m=np.zeros(0),
        landmark_rms_m=0.004,
        landmark_max_m=0.009,
        mass_kg=60.0,
        height_m=1.7,
        pelvis_middle_angle_rad=0.0,
        findings=(),
        audit=AuditGrade.SOUND,
    )


def made_up_solution(markers: MarkerTrajectories) -> IkSolution:
    """Return a solution whose answers are known: angles count up, model markers are off by a known amount."""
    tables = read_label_tables()
    n, names = markers.n_rows, markers.names
    fitted = markers.positions_m + np.array([0.005, 0.0, 0.0])
    fitted[:, names.index(MISSED_MARKER)] += np.array([0.03, 0.0, 0.0])
    c, j = len(tables.coordinates), len(tables.opensim_joints)
    root = markers.positions_m[:, names.index("ROOT")]
    offsets_m = np.linspace(0.0, 0.3, 3 * j).reshape(j, 3)
    # The world's model has these joints in the middle of its pelvis; where its others are no label says.
    for name in ("ground_pelvis", "hip_r"):
        offsets_m[tables.opensim_joints.index(name)] = 0.0
    return IkSolution(
        solver="converged",
        times_s=markers.times_s,
        sample_indices=markers.sample_indices,
        rate_hz=markers.rate_hz,
        coordinate_names=tables.coordinates,
        coordinate_is_rotation=np.ones(c, bool),
        coordinates=np.arange(n)[:, None] * 0.01 + np.arange(c) * 0.001,
        coordinate_valid=np.ones((n, c), bool),
        marker_names=names,
        marker_weights=np.ones(len(names)),
        model_markers_m=fitted,
        observed_markers_m=markers.positions_m,
        body_names=("pelvis",),
        body_rotations=np.broadcast_to(np.eye(3), (n, 1, 3, 3)),
        body_positions_m=root[:, None],
        joint_names=tables.opensim_joints,
        joint_centres_m=root[:, None] + offsets_m,
        root_frame_rotations=np.broadcast_to(np.eye(3), (n, 3, 3)),
        root_frame_positions_m=root,
        statuses=np.full(n, FrameStatus.SOLVED, np.int8),
        objectives=np.full(n, 1e-5),
        iterations=np.full(n, 5, np.int32),
        gradient_norms=np.full(n, 1e-9),
        constraint_errors=np.zeros(n),
        posterior_std=np.full((n, c), 0.02),
        ranks=np.full(n, c, np.int32),
        free_coordinates=np.ones(c, bool),
    )
