"""Places of the D3KE set's markers on the body.

Each rule sends a ray from a joint, or from a point between joints, to the skin. Fractions of segment lengths keep the
rules free of the size of the person. The rules are written for the left side; the right side is its mirror image.
Marker names and SMPL+H vertex ids: Direct3DKinematicEstimation, `smplh_vertex_index.py` (figures only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.open_body_builder.rays import hit_surface
from tools.open_body_builder.skeleton import JOINT_INDEX

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tools.open_body_builder.makehuman import MakeHuman

# Marker -> vertex id of SMPL+H.
MIDLINE_VERTICES = {
    "C7": 828,
    "T1": 3012,
    "Tracking_T2": 1305,
    "Tracking_T3": 2877,
    "Tracking_T4": 1755,
    "Tracking_T5": 3029,
    "Tracking_T6": 3027,
    "Tracking_T7": 3015,
    "T8": 3014,
    "Tracking_T9": 3505,
    "T10": 3017,
    "Tracking_T11": 3016,
    "T12": 3173,
    "Tracking_L1": 3024,
    "Tracking_L2": 3023,
    "Tracking_L3": 3502,
    "Tracking_L4": 3022,
    "Tracking_L5": 3021,
    "CLAV": 3171,
    "STRN": 3079,
}
# Marker without its side -> vertex ids of SMPL+H, left and right.
PAIRED_VERTICES = {
    "FHD": (134, 3645),
    "BHD": (272, 3783),
    "CLAV": (1298, 4780),
    "SHO": (606, 4094),
    "ELB": (1620, 5091),
    "ELBIN": (1661, 5131),
    "IWR": (2230, 5691),
    "OWR": (2108, 5568),
    "ASI": (1799, 5262),
    "PSI": (3097, 6521),
    "KNE": (1010, 4495),
    "KNI": (1148, 4634),
    "ANK": (3327, 6728),
    "ANI": (3198, 6598),
    "HEE": (3386, 6787),
    "MT1": (3338, 6738),
    "MT5": (3346, 6747),
    "TOE": (3232, 6634),
    "thumb": (2746, 6191),
    "index": (2319, 5782),
    "middle": (2445, 5905),
    "ring": (2556, 6016),
    "pinky": (2673, 6133),
}

# Height on the back, as a share of the way from the pelvis joint (0) to the neck joint (1).
_BACK_HEIGHTS = {
    "C7": 1.01,
    "T1": 0.985,
    "Tracking_T2": 0.94,
    "Tracking_T3": 0.90,
    "Tracking_T4": 0.855,
    "Tracking_T5": 0.78,
    "Tracking_T6": 0.72,
    "Tracking_T7": 0.65,
    "T8": 0.605,
    "Tracking_T9": 0.565,
    "T10": 0.515,
    "Tracking_T11": 0.468,
    "T12": 0.425,
    "Tracking_L1": 0.375,
    "Tracking_L2": 0.328,
    "Tracking_L3": 0.28,
    "Tracking_L4": 0.225,
    "Tracking_L5": 0.18,
}
_FRONT_HEIGHTS = {"CLAV": 0.86, "STRN": 0.48}

# Points of MakeHuman's rig that are no joint of SMPL+H: name -> bone of the left side, and which end of it.
RIG_POINTS = {
    "head_top": ("head", "tail"),
    "big_toe": ("toe1-1.L", "head"),
    "big_toe_knuckle": ("toe1-2.L", "head"),
    "small_toe": ("toe5-1.L", "head"),
    "thumb": ("finger1-3.L", "tail"),
    "index": ("finger2-3.L", "tail"),
    "middle": ("finger3-3.L", "tail"),
    "ring": ("finger4-3.L", "tail"),
    "pinky": ("finger5-3.L", "tail"),
}
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Figure:
    """A body in the T-pose on which landmarks are sought; metres, y up, facing +z, left is +x.

    Attributes:
        skin_m: (n_skin, 3) float64.
        faces: (n_faces, 3) int64.
        joints_m: (52, 3) float64.
        rig_points_m: the points named in `RIG_POINTS`, (3,) each.
    """

    skin_m: NDArray[np.float64]
    faces: NDArray[np.int64]
    joints_m: NDArray[np.float64]
    rig_points_m: dict[str, NDArray[np.float64]]

    def joint(self, name: str) -> NDArray[np.float64]:
        """Return the (3,) position of a joint."""
        return np.asarray(self.joints_m[JOINT_INDEX[name]])

    def skin(self, origin_m: ArrayLike, direction: ArrayLike) -> NDArray[np.float64]:
        """Return the (3,) point where a ray from inside leaves the body."""
        return hit_surface(self.skin_m, self.faces, origin_m, direction)

    def trunk(self, height: float) -> NDArray[np.float64]:
        """Return the (3,) point inside the trunk at a share of the way from pelvis to neck."""
        spine = np.array([self.joint(name) for name in ("pelvis", "spine1", "spine2", "spine3", "neck")])
        y = spine[0, 1] + height * (spine[-1, 1] - spine[0, 1])
        return np.array([0.0, y, np.interp(y, spine[:, 1], spine[:, 2])])


def marker_vertices() -> dict[str, int]:
    """Return the name of every marker of the D3KE set -> its vertex id of SMPL+H."""
    vertices = dict(MIDLINE_VERTICES)
    for name, (left, right) in PAIRED_VERTICES.items():
        vertices |= {_sided("L", name): left, _sided("R", name): right}
    return vertices


def place_markers(figure: Figure) -> dict[str, NDArray[np.float64]]:
    """Return marker -> (3,) point on the skin, metres, for every marker of `marker_vertices`."""
    points = {name: figure.skin(figure.trunk(height), (0, 0, -1)) for name, height in _BACK_HEIGHTS.items()}
    points |= {name: figure.skin(figure.trunk(height), (0, 0, 1)) for name, height in _FRONT_HEIGHTS.items()}
    left = {**_head(figure), **_trunk(figure), **_arm(figure), **_leg(figure)}
    for name, point in left.items():
        points |= {_sided("L", name): point, _sided("R", name): point * MIRROR}
    return points


def rig_point_vertices(source: MakeHuman) -> dict[str, NDArray[np.int64]]:
    """Return, for each of `RIG_POINTS`, the MakeHuman vertices whose mean it is."""
    return {name: source.bone_point_vertices(bone, end) for name, (bone, end) in RIG_POINTS.items()}


def _head(figure: Figure) -> dict[str, NDArray[np.float64]]:
    joint, top = figure.joint("head"), figure.rig_points_m["head_top"]
    centre = np.array([0.0, joint[1] + 0.75 * (top[1] - joint[1]), joint[2] - 0.035])
    return {
        "FHD": figure.skin(centre, (0.05, 0, 0.066)),
        "BHD": figure.skin(centre, (0.045, 0, -0.066)),
    }


def _trunk(figure: Figure) -> dict[str, NDArray[np.float64]]:
    pelvis, hip = figure.joint("pelvis"), figure.joint("left_hip")
    shoulder, collar = figure.joint("left_shoulder"), figure.joint("left_collar")
    return {
        "ASI": figure.skin([hip[0] * 1.8, pelvis[1] - 0.011, hip[2]], (0, 0, 1)),
        "PSI": figure.skin([hip[0] * 0.86, figure.trunk(0.12)[1], pelvis[2]], (0, 0, -1)),
        "SHO": figure.skin(shoulder * [0.55, 1, 1], (0, 1, 0)),
        "CLAV": figure.skin(collar * [0.77, 1, 1], (0, 0.82, 1)),
    }


def _arm(figure: Figure) -> dict[str, NDArray[np.float64]]:
    elbow, wrist = figure.joint("left_elbow"), figure.joint("left_wrist")
    styloid = wrist + 0.03 * (elbow - wrist)
    # Tips of fingers are ends of bones, not hits of rays: a ray along a finger meets its tip at any angle.
    tips = {name: figure.rig_points_m[name] for name in ("thumb", "index", "middle", "ring", "pinky")}
    return {
        "ELB": figure.skin(elbow, (-0.1, 1, 0)),
        "ELBIN": figure.skin(elbow, (0, -1, 0)),
        "IWR": figure.skin(styloid, (0, 0, 1)),
        "OWR": figure.skin(styloid, (0, 0, -1)),
        **tips,
    }


def _leg(figure: Figure) -> dict[str, NDArray[np.float64]]:
    knee, ankle, ball = (figure.joint(f"left_{name}") for name in ("knee", "ankle", "foot"))
    big_toe, small_toe = figure.rig_points_m["big_toe"], figure.rig_points_m["small_toe"]
    foot_length_m = ball[2] - ankle[2]
    floor_m = figure.skin_m[:, 1].min()
    heel_height_m = floor_m + 0.36 * (ankle[1] - floor_m)
    knuckle = figure.rig_points_m["big_toe_knuckle"]
    toe_height_m = floor_m + 0.7 * (knuckle[1] - floor_m)
    return {
        "KNE": figure.skin(knee, (1, 0.1, 0)),
        "KNI": figure.skin(knee, (-1, 0, 0)),
        "ANK": figure.skin(ankle, (1, 0.15, 0)),
        "ANI": figure.skin([ankle[0], floor_m + 1.33 * (ankle[1] - floor_m), ankle[2] - 0.006], (-1, 0, 0)),
        "HEE": figure.skin([ankle[0] + 0.015, heel_height_m, ankle[2]], (0, 0, -1)),
        "MT1": figure.skin([big_toe[0], big_toe[1], ball[2]], (-1, 0.2, 0)),
        "MT5": figure.skin([small_toe[0], small_toe[1], ball[2] - 0.08 * foot_length_m], (1, 0.2, 0)),
        "TOE": figure.skin([knuckle[0], toe_height_m, ball[2] + 0.43 * foot_length_m], (-1, 0.3, 0)),
    }


def _sided(side: str, name: str) -> str:
    """Return the marker's full name; the finger tips are written in small letters."""
    return f"{side.lower() if name.islower() else side}{name}"
