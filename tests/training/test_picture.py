"""The warp: interpolated from a few nodes, it is the exact one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.virtual_camera import aim_camera, source_pixels
from movi_prep.records.lens import radial_lens
from movi_prep.training.picture import WarpMaps, decode_for_warp, warp_picture, write_rgb_planes
from movi_prep.video.pictures import decode_picture, encode_picture
from tests.builders.shard import small_camera
from tests.sentences import raises_recorded


@pytest.mark.parametrize("box", [[20, 30, 300, 260], [330, 10, 60, 60], [-40, 100, 200, 220]])
@pytest.mark.parametrize("roll_rad", [0.0, 0.7])
def test_the_interpolated_map_is_the_exact_one(box: list[float], roll_rad: float) -> None:
    camera = small_camera()
    virtual = aim_camera(camera, np.array(box, dtype=float), size_px=256, roll_rad=roll_rad)
    columns, rows = WarpMaps(camera, virtual, corner_px=np.array([5.0, 7.0]), scale=0.5).map()
    exact = (source_pixels(camera, virtual) - [5.0, 7.0] + 0.5) * 0.5 - 0.5
    np.testing.assert_allclose(np.stack([columns, rows], axis=-1), exact, atol=1e-3)


@pytest.mark.parametrize("corner", [0, 1, 2, 3])
def test_a_lens_that_does_not_see_all_of_the_picture_shows_the_rest(corner: int) -> None:
    """One corner lies beyond the radius at which the lens model ends: it is black, the middle is as ever."""
    camera = replace(small_camera(), lens=radial_lens(-0.9, 0.0))
    edge_px = np.array([201.0, 148.0]) + 75.0 * np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)])[corner]
    box = np.array([*(edge_px - 59.5), 120.0, 120.0])
    virtual = aim_camera(camera, box, size_px=128, zoom=0.7)
    exact = source_pixels(camera, virtual)
    seen = np.isfinite(exact).all(axis=-1)
    assert 0.3 < seen.mean() < 0.999
    columns, rows = WarpMaps(camera, virtual, corner_px=np.zeros(2), scale=1.0).map()
    np.testing.assert_array_equal(np.isfinite(columns), seen)
    np.testing.assert_allclose(np.stack([columns, rows], axis=-1)[seen], exact[seen], atol=1e-3)
    white = np.full((300, 400, 3), 255, dtype=np.uint8)
    picture = warp_picture(white, camera=camera, virtual=virtual, corner_px=np.zeros(2), scale=1.0)
    assert not picture[~seen].any()
    on_it = seen & (exact[..., 0] > 0) & (exact[..., 0] < 399) & (exact[..., 1] > 0) & (exact[..., 1] < 299)
    assert (picture[on_it] == 255).all()


def test_a_damaged_picture_is_named() -> None:
    with raises_recorded(InputError):
        decode_picture(np.zeros(50, dtype=np.uint8), where="S001_PG1.h5, row 3")


def test_planes_are_red_first_and_up_to_one() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    planes = np.empty((3, 4, 5), dtype=np.float32)
    write_rgb_planes(picture, planes)
    np.testing.assert_array_equal(planes, picture[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("name", ["jpeg", "png"])
def test_a_picture_decoded_for_a_warp_is_the_picture(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    encoded = encode_picture(picture, name)  # type: ignore[arg-type]
    four = decode_for_warp(encoded, where="row 3")
    np.testing.assert_array_equal(four[..., :3], decode_picture(encoded))
    assert (four[..., 3] == 255).all()
    with pytest.raises(InputError) as caught:
        decode_for_warp(encoded[:20], where="row 3")
    assert caught.value.where == "row 3"
