"""Clothes of the people in the demo: a colour for each region, and details fitted to the mean person's T-pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.demo.open_body import OpenBody

Colour = tuple[float, float, float]

_CHEST, _HEAD = 9, 15


@dataclass(frozen=True)
class Wardrobe:
    """Colours (RGB, 0 to 1) by region of the body, and the places of details.

    Attributes:
        face_colours: (13776, 3) float32, colour of each triangle.
        face_names: (13776,) region of each triangle.
        stripe: colour of the band on the shirt.
        nose_m: (3,) float32, tip of the nose in the T-pose of the mean person, metres.
        chest_m: height of the chest in that pose, metres.
    """

    face_colours: NDArray[np.float32]
    face_names: NDArray[np.str_]
    stripe: Colour
    nose_m: NDArray[np.float32]
    chest_m: float


def dress(model: OpenBody, colours: Mapping[str, Colour], stripe: Colour) -> Wardrobe:
    """Return a wardrobe for bodies of `model`, with a colour per region name."""
    names = np.array(model.region_names)[model.face_regions]
    painted = np.array([colours[name] for name in names.tolist()], dtype=np.float32)
    vertices, joints = model.v_template_m, model.joint_regressor @ model.v_template_m
    # The nose is the vertex farthest forward in the upper part of the head.
    ahead = np.where(vertices[:, 1] > joints[_HEAD, 1] - 0.02, vertices[:, 2], -np.inf)
    nose = vertices[ahead.argmax()].astype(np.float32)
    return Wardrobe(painted, names, stripe, nose, float(joints[_CHEST, 1]))


def paint_body(wardrobe: Wardrobe, faces: NDArray[np.int64], rest_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the colour (k, 3) of pixels that show triangles `faces` (k,) at T-pose places `rest_m` (k, 3)."""
    colour = wardrobe.face_colours[faces]
    name = wardrobe.face_names[faces]
    x, y, _ = rest_m.T
    band = (name == "shirt") & (np.abs(y - wardrobe.chest_m + 0.02) < 0.035) & (np.abs(x) < 0.24)
    colour = np.where(band[:, None], np.array(wardrobe.stripe, dtype=np.float32), colour)
    weave = (
        1.0 + 0.035 * np.sign(np.sin(260.0 * y)) * (name == "shirt") + 0.02 * np.sin(400.0 * x) * (name == "trousers")
    )
    colour = colour * weave[:, None]
    return _face_features(wardrobe, colour, rest_m, name == "skin")


def _face_features(
    wardrobe: Wardrobe, colour: NDArray[np.float32], rest_m: NDArray[np.float32], skin: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Paint eyes, brows and a mouth around the nose."""
    x, y, z = (rest_m - wardrobe.nose_m).T
    # Only skin near the nose: the same places on the back of the head stay as they are.
    front = np.flatnonzero(skin & (z > -0.09) & (np.abs(y) < 0.09))
    side, up = np.abs(x[front]), y[front] - 0.043
    to_eye = side - 0.031
    features = (
        ((to_eye / 0.014) ** 2 + (up / 0.0075) ** 2 < 1.0, (0.95, 0.94, 0.92)),
        (to_eye**2 + up**2 < 0.0065**2, (0.16, 0.12, 0.10)),
        ((np.abs(to_eye) < 0.018) & (np.abs(up - 0.020) < 0.004), (0.20, 0.14, 0.10)),
        ((side / 0.026) ** 2 + ((up + 0.080) / 0.009) ** 2 < 1.0, (0.64, 0.30, 0.29)),
    )
    painted = colour.copy()
    for where, paint in features:
        painted[front[where]] = paint
    return painted
