"""A work folder whose quality can be said aloud: one subject, one clip, two markers that miss by known vectors.

Forty frames are solved, a forty-first is not. Marker `HEEL` (a landmark) misses by 12 mm along X of its body, which
turns all the while: all bias. Marker `SOFT` (tracked) misses by 8 mm to one side and the other in turns: all deviation.
Marker `CARRIED` has no weight and misses by half a metre. Coordinate `hip_flexion_r` is at the upper end of its range
in ten frames and not seen; `knee_angle_r` moves evenly.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from movi_prep.formats.alignment_file import write_alignment
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.marker_file import write_static_trial
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.records.alignment import ClipAlignment, SubjectAlignment
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.ik_solution import FrameStatus, IkSolution
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from movi_prep.records.scale_result import AuditGrade, ScaleResult
from movi_prep.records.timeline import ClipTimeline, Refusal
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.unit_record import UnitRecord, write_record

CLIP = movi_clip(1, 3)
N_SOLVED = 40
BODY = "calcn_r"
MARKERS = ("HEEL", "SOFT", "CARRIED")
COORDINATES = ("hip_flexion_r", "knee_angle_r")
HIP_MAX_RAD = 1.0
REDO = "movi-prep shard --only 'shard S001/PG2' --executor serial"
NASTY = '<script>alert("it\'s")</script> & co'

MODEL = f"""<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40600"><Model name="small &amp; plain">
<Coordinate name="hip_flexion_r"><range>-1 {HIP_MAX_RAD}</range><clamped>true</clamped></Coordinate>
<Coordinate name="knee_angle_r"><range>0 2</range><locked>false</locked></Coordinate>
<Marker name="HEEL"><socket_parent_frame>/bodyset/{BODY}</socket_parent_frame></Marker>
<Marker name="SOFT"><socket_parent_frame>/bodyset/elsewhere</socket_parent_frame></Marker>
</Model></OpenSimDocument>
"""


def known_solution(*, heel_mm: float = 12.0, soft_mm: float = 8.0) -> IkSolution:
    """Return the solution of the module's description."""
    n = N_SOLVED + 1
    turn = Rotation.from_rotvec(np.linspace(0.0, 2.0, n)[:, None] * [0.0, 0.0, 1.0]).as_matrix()
    observed = np.random.default_rng(3).uniform(-1.0, 1.0, (n, len(MARKERS), 3))
    misses = np.zeros((n, len(MARKERS), 3))
    misses[:, 0] = turn @ np.array([heel_mm, 0.0, 0.0]) / 1000.0
    misses[:, 1, 2] = soft_mm / 1000.0 * np.where(np.arange(n) % 2, 1.0, -1.0)
    misses[:, 2, 0] = 0.5
    misses[N_SOLVED] = 0.3
    hip = np.linspace(-0.5, 0.5, n)
    hip[:10] = HIP_MAX_RAD
    statuses = np.full(n, FrameStatus.SOLVED, np.int8)
    statuses[N_SOLVED] = FrameStatus.NOT_CONVERGED
    valid = np.ones((n, len(COORDINATES)), bool)
    valid[N_SOLVED] = False
    return IkSolution(
        solver="converged",
        times_s=np.arange(n) / 30.0,
        sample_indices=4 * np.arange(n),
        rate_hz=30.0,
        coordinate_names=COORDINATES,
        coordinate_is_rotation=np.ones(len(COORDINATES), bool),
        coordinates=np.stack([hip, np.linspace(0.1, 1.1, n)], axis=1),
        coordinate_valid=valid,
        marker_names=MARKERS,
        marker_weights=np.array([20.0, 5.0, 0.0]),
        model_markers_m=observed + misses,
        observed_markers_m=observed,
        body_names=(BODY,),
        body_rotations=turn[:, None],
        body_positions_m=np.zeros((n, 1, 3)),
        joint_names=("hip_r",),
        joint_centres_m=np.zeros((n, 1, 3)),
        root_frame_rotations=np.broadcast_to(np.eye(3), (n, 3, 3)),
        root_frame_positions_m=np.zeros((n, 3)),
        statuses=statuses,
        objectives=np.full(n, 1e-5),
        iterations=np.full(n, 4, np.int32),
        gradient_norms=np.full(n, 1e-9),
        constraint_errors=np.zeros(n),
        posterior_std=np.radians(np.tile([60.0, 3.0], (n, 1))),
        ranks=np.full(n, 2, np.int32),
        free_coordinates=np.ones(len(COORDINATES), bool),
    )


def known_scale(*, passed: bool = True) -> ScaleResult:
    """Return a scaling with 4 mm RMS and 7 mm at most, and a left foot 10 % longer than the right."""
    return ScaleResult(
        body_names=("calcn_r", "calcn_l"),
        body_factors=np.array([[1.0, 1.0, 1.0], [1.1, 1.0, 1.0]]),
        measurement_names=("foot",),
        measurement_factors=np.array([1.05]),
        marker_names=("HEEL", "SOFT"),
        marker_weights=np.array([20.0, 5.0]),
        marker_errors_m=np.array([0.007, 0.001]),
        landmark_rms_m=0.004,
        landmark_max_m=0.007,
        mass_kg=61.5,
        height_m=1.72,
        pelvis_middle_angle_rad=0.0,
        findings=() if passed else ("landmark RMS is 11.0 mm in the static pose, above 10.0 mm",),
        audit=AuditGrade.SOUND if passed else AuditGrade.REFUSED,
    )


def write_quality_work(root: Path, *, solution: IkSolution | None = None) -> WorkFolder:
    """Write everything but shards, with the records of one unit that is done and one that failed."""
    work = WorkFolder(root)
    write_static_trial(work.static_trial("S001"), _trial(), provenance={})
    write_scale_result(work.scale_result("S001"), known_scale(), provenance={})
    work.scaled_model("S001").write_text(MODEL, encoding="utf-8")
    write_ik_solution(work.ik_solution(CLIP), solution or known_solution(), provenance={})
    write_alignment(work.alignment("S001"), _alignment(), provenance={})
    done = UnitRecord("ik", str(CLIP), "done", 1, {}, findings=(NASTY,), seconds=2.5, peak_memory_mb=300.0)
    failed = UnitRecord("shard", "S001/PG2", "failed", 1, {}, reason=NASTY, redo=REDO)
    for record in (done, failed):
        write_record(work.records() / record.stage / f"{record.key}.json", record, scratch=root / ".scratch")
    return work


def _trial() -> StaticTrial:
    still = MarkerTrajectories(
        names=("HEEL",),
        positions_m=np.zeros((1, 1, 3)),
        times_s=np.zeros(1),
        sample_indices=np.zeros(1, np.int64),
        rate_hz=120.0,
        source="test",
    )
    return StaticTrial(markers=still, height_m=1.72, mass_kg=61.5, sex="female", mass_source="given")


def _alignment() -> SubjectAlignment:
    frames = np.arange(100, 141)
    timeline = ClipTimeline(CLIP, NASTY, frames, 4 * (frames - 100), (Refusal(141, 142, "the clip ends"),))
    clip = ClipAlignment(
        timeline=timeline,
        first_video_frame=100,
        n_video_frames=43,
        lag_s=0.025,
        mismatch=0.02,
        rotation_deg=1.5,
        offset_m=0.004,
        rms_m=0.003,
        suspicions=("lag +25.0 ms (bound 16.7 ms)",),
    )
    return SubjectAlignment(
        subject="S001", clips=(clip, replace(clip, timeline=replace(timeline, clip=movi_clip(1, 4))))
    )
