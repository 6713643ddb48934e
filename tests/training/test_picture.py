"""The warp: interpolated from a few nodes, it is the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.virtual_camera import aim_camera, source_pixels
from movi_prep.training.picture import warp_map
from movi_prep.video.pictures import decode_picture
from tests.builders.shard import small_camera


@pytest.mark.parametrize("box", [[20, 30, 300, 260], [330, 10, 60, 60], [-40, 100, 200, 220]])
@pytest.mark.parametrize("roll_rad", [0.0, 0.7])
def test_the_interpolated_map_is_the_exact_one(box: list[float], roll_rad: float) -> None:
    camera = small_camera()
    virtual = aim_camera(camera, np.array(box, dtype=float), size_px=256, roll_rad=roll_rad)
    columns, rows = warp_map(camera, virtual, corner_px=np.array([5.0, 7.0]), scale=0.5)
    exact = (source_pixels(camera, virtual) - [5.0, 7.0] + 0.5) * 0.5 - 0.5
    np.testing.assert_allclose(np.stack([columns, rows], axis=-1), exact, atol=1e-3)


def test_a_damaged_picture_is_named() -> None:
    with pytest.raises(InputError, match=r"S001_PG1\.h5, row 3"):
        decode_picture(np.zeros(50, dtype=np.uint8), where="S001_PG1.h5, row 3")
