"""V3D files of the demo: clip boundaries, sex, and optical markers of one session, nested as BML-MoVi nests them.

Subject_N_F                    struct: id, subject, move
  subject                      struct: id, sex, height (m; cm for an oddly nested subject), mass (kg), age (years)
  move                         1 x 1 cell of struct (one cell deeper for an oddly nested subject)
    motions_list               k x 1 cell (1 x k) of char
    flags30, flags120          (k, 2), 1-based, inclusive
    markerName                 1 x 87 cell of char, one of them a number
    markerLocation             (T, 87, 3) mm, MoVi world; exact zeros where a marker was not seen
    markerGaps                 (T, 87) whether it was not seen
    virtualMarkerName          1 x 20 cell, virtualMarkerLocation (T, 20, 3) mm, virtualMarkerParent (1, 20)
    jointsTranslation_v3d      (T, 15, 3) mm, jointsExpMaps_v3d (T, 15, 3) rad
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.cameras import AMASS_TO_MOVI
from movi_prep.demo.channels import VIDEO_STEP
from movi_prep.demo.matlab import cell, write_mat

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.demo.cast import Performer
    from movi_prep.demo.session import Session
    from movi_prep.demo.truth import PosedPoints

VIRTUAL_MARKERS = (
    ("head", (15,)), ("mhip", (1, 2)), ("pelv", (0,)), ("thor", (9,)), ("lank", (7,)), ("lelb", (18,)), ("lhip", (1,)),
    ("lhan", (25,)), ("lkne", (4,)), ("lsho", (16,)), ("lwri", (20,)), ("lfoo", (10,)), ("rank", (8,)), ("relb", (19,)),
    ("rhip", (2,)), ("rhan", (40,)), ("rkne", (5,)), ("rsho", (17,)), ("rwri", (21,)), ("rfoo", (11,)),
)  # fmt: skip
"""V3D's joint centres in their order, each the mean of SMPL+H joints."""

_PARENTS = (3, 0, 0, 2, 8, 9, 2, 10, 6, 3, 5, 4, 16, 17, 2, 18, 14, 3, 13, 12)

_SEGMENTS = (17, 15, 18, 20, 22, 0, 1, 4, 7, 16, 19, 37, 2, 5, 8)
"""Joint at the head of each of V3D's 15 segments (RTA, RHE, LAR, LFA, LHA, RPV, LTH, LSK, LFT, RAR, ...)."""

N_OPTICAL = 67
_NUMERIC_LABEL = 58
_MISSING_SHARE = 0.01
_MISSING_RUN = 24
_JOINT_BIAS_MM, _JOINT_NOISE_MM = 6.0, 0.4


def to_movi_mm(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return AMASS world points (..., 3), metres, in MoVi world, millimetres."""
    points: NDArray[np.float64] = 1000.0 * points_m @ AMASS_TO_MOVI.T
    return points


def write_v3d(
    folder: Path,
    performer: Performer,
    session: Session,
    *,
    points: PosedPoints,
    height_m: float,
    rng: np.random.Generator,
) -> None:
    """Write `F_v3d_Subject_N.mat`.

    Args:
        folder: the V3D folder of the data set.
        performer: whose file.
        session: the whole session, for the clips.
        points: posed joints and markers of the whole session.
        height_m: stature.
        rng: chooses the points that were not seen.
    """
    name = f"Subject_{performer.subject}_F"
    joints_m = points.joints_m
    virtual = to_movi_mm(np.stack([joints_m[:, list(joints)].mean(axis=1) for _, joints in VIRTUAL_MARKERS], axis=1))
    # V3D's joint centres are another estimate than SMPL+H's: some millimetres away, and not quite still.
    virtual += rng.normal(0.0, _JOINT_BIAS_MM, virtual.shape[1:]) + rng.normal(0.0, _JOINT_NOISE_MM, virtual.shape)
    optical, optical_names = _optical(points, rng)
    move = _clip_tables(performer, session) | {
        "markerName": cell([*optical_names, *(label for label, _ in VIRTUAL_MARKERS)], shape=(1, N_OPTICAL + 20)),
        "markerLocation": np.concatenate([optical, virtual], axis=1),
        "markerGaps": np.concatenate([(optical == 0.0).all(axis=-1), np.zeros(virtual.shape[:2], bool)], axis=1),
        "virtualMarkerName": cell([label for label, _ in VIRTUAL_MARKERS], shape=(1, 20)),
        "virtualMarkerParent": np.array([_PARENTS], dtype=np.uint8),
        "virtualMarkerLocation": virtual,
        "jointsTranslation_v3d": to_movi_mm(joints_m[:, list(_SEGMENTS)]),
        "jointsExpMaps_v3d": session.poses_rad[: len(joints_m), [min(joint, 21) for joint in _SEGMENTS]],
    }
    moves = cell([move], shape=(1, 1))
    subject = {
        "id": f"Subject_{performer.subject}",
        # One of the two files is written as oddly as the real ones are.
        "sex": performer.sex.capitalize() if performer.nested else performer.sex,
        "height": round(100.0 * height_m, 1) if performer.nested else round(height_m, 3),
        "mass": performer.mass_kg,
        "age": performer.age_years,
    }
    content = {
        "id": subject["id"],
        "subject": subject,
        "move": cell([moves], shape=(1, 1)) if performer.nested else moves,
    }
    write_mat(folder / f"F_v3d_Subject_{performer.subject}.mat", {name: content})


def _clip_tables(performer: Performer, session: Session) -> dict[str, Any]:
    n_clips = len(session.clips)
    flags30 = np.array([[clip.first_frame + 1, clip.last_frame + 1] for clip in session.clips], dtype=np.float64)
    return {
        "motions_list": cell(
            [clip.name for clip in session.clips], shape=(1, n_clips) if performer.nested else (n_clips, 1)
        ),
        "flags30": flags30,
        "flags120": VIDEO_STEP * (flags30 - 1.0) + 1.0,
    }


def _optical(points: PosedPoints, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[Any]]:
    """Return 67 optical markers (T, 67, 3) in mm, zeros where missing, and their labels, one of them a number."""
    markers_m, names = points.markers_m, points.marker_names
    belly = markers_m[:, [names.index("LASI"), names.index("RASI")]].mean(axis=1, keepdims=True)
    located = to_movi_mm(np.concatenate([markers_m, belly], axis=1))
    # Markers are lost in runs, behind an arm or a leg, not sample by sample.
    # So many runs of this mean length hide about a hundredth of all markers.
    n_runs = round(_MISSING_SHARE * located.shape[0] * N_OPTICAL / _MISSING_RUN)
    for _ in range(n_runs):
        start, marker = rng.integers(len(located)), rng.integers(N_OPTICAL)
        located[start : start + rng.integers(4, 2 * _MISSING_RUN), marker] = 0.0
    labels: list[Any] = [*names, "MBLLY"]
    # The real files have such a label: a loader that expects text must survive it.
    labels[_NUMERIC_LABEL] = np.array([[np.nan]])
    return located, labels
