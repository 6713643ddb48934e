"""The exchange of left and right: the labels of a horizontally flipped picture.

A flipped picture shows the mirror image of the person, which could be another person: left bodies become right
ones, coordinates that bend or turn to a side change their sign, and positions and rotations in the camera frame are
reflected. With S = diag(-1, 1, 1) of the camera and B = diag(1, 1, -1) of the pelvis (OpenSim bodies have z to the
right):

    position    p' = S p      of the mirror partner
    rotation    R' = S R B    a rotation again, since det S = det B = -1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

CAMERA_REFLECTION = np.array([-1.0, 1.0, 1.0])
"""Diagonal of S: x of the camera frame turns round."""

BODY_REFLECTION = np.array([1.0, 1.0, -1.0])
"""Diagonal of B: z of an OpenSim body points to the right."""

_SIDES = (("left_", "right_"), ("Virtual_Ground_L", "Virtual_Ground_R"), ("Virtual_L", "Virtual_R"), ("L", "R"))


def mirror_partner(name: str, names: Sequence[str]) -> str:
    """Return the name of the same thing on the other side, or `name` itself where it has no partner in `names`.

    Knows the endings of OpenSim models (`_r` and `_l`, or nothing and `_l`) and the beginnings of markers and joints
    (`R` and `L`, `right_` and `left_`, also behind `Virtual_` and `Virtual_Ground_`).
    """
    # Several may fit a name; which one exists decides.
    candidates = []
    if name.endswith(("_r", "_l")):
        candidates += [name[:-2] + ("_l" if name.endswith("_r") else "_r")]
    candidates += [name[:-2] if name.endswith("_l") else f"{name}_l"]
    for left, right in _SIDES:
        for here, there in ((left, right), (right, left)):
            if name.startswith(here):
                candidates.append(there + name[len(here) :])
    return next((candidate for candidate in candidates if candidate in names), name)


def mirror_order(names: Sequence[str], partners: Mapping[str, str] | None = None) -> NDArray[np.int64]:
    """Return (n,) int64: entry i of the mirrored array is entry `order[i]` of the array.

    Args:
        names: names of the entries.
        partners: partner of each name; names that are not listed stay. None derives them from the names.
    """
    index = {name: position for position, name in enumerate(names)}
    found = {name: mirror_partner(name, names) for name in names} if partners is None else partners
    return np.array([index[found.get(name, name)] for name in names], dtype=np.int64)


def mirror_positions(positions_m: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (..., n, 3) positions of the mirror image, metres, camera frame."""
    return np.asarray(positions_m[..., order, :] * CAMERA_REFLECTION)


def mirror_rotations(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) rotations of a body on the midline, body to camera, of the mirror image."""
    return np.asarray(rotations * CAMERA_REFLECTION[:, None] * BODY_REFLECTION[None, :])


def mirror_coordinates(
    values: NDArray[np.float64], order: NDArray[np.int64], signs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (..., c) coordinates of the mirror image; `signs` is (c,) of 1 and -1."""
    return values[..., order] * signs
