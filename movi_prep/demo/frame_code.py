"""The code in the corner of every frame of the demo: which frame of which video this is.

At (0, 0) stand 2 rows of 16 cells, each 8 x 8 pixels, white for 1 and black for 0, most significant bit first:

| row | bits | content |
|---|---|---|
| 0 | 16 | number of the video frame, 0-based |
| 1 | 8 | subject |
| 1 | 4 | camera: 1 for PG1, 2 for PG2 |
| 1 | 4 | check: the number of white cells among the other 28, modulo 16 |

Cells are as large as the blocks of JPEG, so that lossy coding keeps them clean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_PX = 8
_N_CELLS = 16
_BLACK, _WHITE = 18, 238


@dataclass(frozen=True)
class FrameCode:
    """The number, subject and camera of a frame of the demo."""

    frame: int
    subject: int
    camera: str


def draw_frame_code(image: NDArray[np.uint8], code: FrameCode) -> None:
    """Draw the code into the top left corner of an image (h, w, 3)."""
    camera = int(code.camera.removeprefix("PG"))
    bits = [*_bits(code.frame, 16), *_bits(code.subject, 8), *_bits(camera, 4)]
    # A sum of bits finds the single flipped cell that coding may leave.
    bits += _bits(sum(bits) % 16, 4)
    cells = np.where(np.array(bits, dtype=bool).reshape(2, _N_CELLS), _WHITE, _BLACK).astype(np.uint8)
    pixels = cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
    image[: 2 * CELL_PX, : _N_CELLS * CELL_PX] = pixels[..., None]


def read_frame_code(image: NDArray[np.uint8]) -> FrameCode:
    """Return the number coded in the corner of an image (h, w, 3); raise ValueError if there is no valid code."""
    corner = image[: 2 * CELL_PX, : _N_CELLS * CELL_PX].astype(np.float64).mean(axis=-1)
    # Without the borders of the cells, where lossy coding mixes neighbours.
    cells = corner.reshape(2, CELL_PX, _N_CELLS, CELL_PX)[:, 2:-2, :, 2:-2].mean(axis=(1, 3))
    bits = (cells > 128.0).astype(int).ravel().tolist()
    frame, subject, camera, check = (_number(bits[a:b]) for a, b in ((0, 16), (16, 24), (24, 28), (28, 32)))
    if sum(bits[:28]) % 16 != check or camera == 0:
        raise ValueError(f"expected a frame code in the top left corner, but got bits {bits}")
    return FrameCode(frame=frame, subject=subject, camera=f"PG{camera}")


def _bits(number: int, width: int) -> list[int]:
    return [(number >> shift) & 1 for shift in range(width - 1, -1, -1)]


def _number(bits: list[int]) -> int:
    return sum(bit << shift for shift, bit in enumerate(reversed(bits)))
