"""What people wear in the demo: a colour for each region of the body, and details cut to the T-pose of the mean person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Wardrobe:
    """Colours (RGB, 0 to 1) by region of the body, and where details go.

    Attributes:
        face_colours: (13776, 3) float32, what each triangle wears.
        face_names: (13776,) region of each triangle.
        stripe: colour of the band on the shirt.
        head_m: (3,) centre of the head joint in the T-pose of the mean person, metres.
        chest_m: height of the shoulders in that pose, metres.
    """

    face_colours: NDArray[np.float32]
    face_names: NDArray[np.str_]
    stripe: Colour
    head_m: NDArray[np.float32]
    chest_m: float


def dress(
    regions: NDArray[np.str_], colours: Mapping[str, Colour], stripe: Colour, joints_m: NDArray[np.float64]
) -> Wardrobe:
    """Return a wardrobe: a colour per region name, for a mean person with these T-pose joints (52, 3)."""
    painted = np.array([colours[name] for name in regions.tolist()], dtype=np.float32)
    return Wardrobe(painted, regions, stripe, joints_m[15].astype(np.float32), float(joints_m[9, 1]))


def paint_body(wardrobe: Wardrobe, faces: NDArray[np.int64], rest_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the colour (k, 3) of pixels that show triangles `faces` (k,) at T-pose places `rest_m` (k, 3)."""
    colour = wardrobe.face_colours[faces]
    name = wardrobe.face_names[faces]
    x, y, z = rest_m.T
    band = (name == "shirt") & (np.abs(y - wardrobe.chest_m + 0.02) < 0.035) & (np.abs(x) < 0.24)
    colour = np.where(band[:, None], np.float32(wardrobe.stripe), colour)
    weave = (
        1.0 + 0.035 * np.sign(np.sin(260.0 * y)) * (name == "shirt") + 0.02 * np.sin(400.0 * x) * (name == "trousers")
    )
    colour = colour * weave[:, None]
    return _face_features(wardrobe, colour, rest_m, (name == "skin") & (z > wardrobe.head_m[2]))


def _face_features(
    wardrobe: Wardrobe, colour: NDArray[np.float32], rest_m: NDArray[np.float32], front: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Paint eyes, brows and a mouth on the front of the head."""
    x, y, _ = (rest_m - wardrobe.head_m).T
    side = np.abs(x)
    white = front & (((side - 0.031) / 0.014) ** 2 + ((y - 0.062) / 0.008) ** 2 < 1.0)
    iris = front & ((side - 0.031) ** 2 + (y - 0.062) ** 2 < 0.0065**2)
    brow = front & (np.abs(side - 0.033) < 0.019) & (np.abs(y - 0.083 - 0.10 * (side - 0.033)) < 0.004)
    mouth = front & (((x / 0.026) ** 2 + ((y + 0.012) / 0.008) ** 2) < 1.0)
    for where, paint in (
        (white, (0.95, 0.94, 0.92)),
        (iris, (0.16, 0.12, 0.10)),
        (brow, (0.22, 0.15, 0.11)),
        (mouth, (0.70, 0.36, 0.34)),
    ):
        colour = np.where(where[:, None], np.float32(paint), colour)
    return colour
