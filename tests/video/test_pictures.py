"""Pictures: lossless where promised, sharp on the body, exact at the border."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.boxes import plan_crops
from movi_prep.geometry.projection import crop_intrinsics, project_camera_points
from movi_prep.records.crops import CropPlan
from movi_prep.records.lens import opencv_lens
from movi_prep.video.pictures import (
    blocks_of_body,
    cut_picture,
    decode_picture,
    encode_picture,
    simplify_context,
)
from tests.sentences import raises_recorded

SIZE = (200, 150)


def _noise(seed: int = 0) -> np.ndarray:
    smooth = np.indices((SIZE[1], SIZE[0])).sum(axis=0)[..., None] / 2 + np.array([10, 30, 50])
    return np.clip(smooth + np.random.default_rng(seed).normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def _plan(box: tuple[int, int, int, int], side: int | None = None) -> CropPlan:
    boxes = np.array([box])
    return plan_crops(boxes.astype(float), boxes, image_size_px=SIZE, picture_side_px=side)


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_lossless_formats_are_lossless(image_format: str) -> None:
    image = _noise()
    np.testing.assert_array_equal(decode_picture(encode_picture(image, image_format)), image)  # type: ignore[arg-type]


def test_jpeg_is_close() -> None:
    image = _noise()
    assert np.abs(decode_picture(encode_picture(image, "jpeg", quality=95)).astype(int) - image).mean() < 5.0


def test_a_native_crop_is_a_piece_of_the_frame() -> None:
    image = _noise()
    np.testing.assert_array_equal(cut_picture(image, _plan((30, 20, 60, 60)), 0), image[20:80, 30:90])
    np.testing.assert_array_equal(cut_picture(image, _plan((-10, 120, 60, 60)), 0), image[120:, :50])


def test_a_fixed_crop_is_black_exactly_where_the_video_ends() -> None:
    image = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    plan = _plan((-20, -20, 80, 80), 40)
    picture = cut_picture(image, plan, 0)
    assert picture.shape == (40, 40, 3)
    x, y, width, height = plan.valid_px[0]
    assert (picture[y : y + height, x : x + width] == 200).all()
    picture[y : y + height, x : x + width] = 0
    assert (picture == 0).all()


@pytest.mark.parametrize("side", [None, 40, 120])
def test_the_crops_camera_finds_what_the_crop_shows(side: int | None) -> None:
    """A white dot on a known pixel is found where the picture's own camera matrix projects its ray.

    A convention that is off by half a pixel would be off by 0.25 here, or more.
    """
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[68:73, 98:103] = 255
    K = np.array([[300.0, 0.0, 90.0], [0.0, 310.0, 70.0], [0.0, 0.0, 1.0]])
    point = np.array([(100.0 - 90.0) / 300.0, (70.0 - 70.0) / 310.0, 1.0])
    plan = _plan((61, 31, 80, 80), side)
    picture = cut_picture(image, plan, 0)[..., 0].astype(float)
    rows, columns = np.indices(picture.shape)
    found = np.array([(columns * picture).sum(), (rows * picture).sum()]) / picture.sum()
    matrix = crop_intrinsics(K, plan.corner_px.astype(float), plan.scale)[0]
    np.testing.assert_allclose(project_camera_points(point, matrix, opencv_lens([], source="no lens")), found, atol=0.1)


def test_context_is_simplified_and_the_body_is_not() -> None:
    image = _noise()
    blocks = np.zeros((-(-SIZE[1] // 16), -(-SIZE[0] // 16)), bool)
    blocks[3:6, 4:8] = True
    simple = simplify_context(image, blocks, quality=30)
    np.testing.assert_array_equal(simple[48:96, 64:128], image[48:96, 64:128])
    assert np.abs(simple[:48].astype(int) - image[:48]).mean() > 2.0
    assert encode_picture(simple, "jpeg").size < 0.6 * encode_picture(image, "jpeg").size


def test_blocks_hold_the_body_and_its_surroundings() -> None:
    points = np.array([[40.0, 20.0], [np.nan, np.nan], [-5.0, 10.0], [500.0, 10.0]])
    blocks = blocks_of_body(points, (100, 70))
    assert blocks.shape == (5, 7)
    expected = np.zeros((5, 7), bool)
    expected[0:3, 1:4] = True
    np.testing.assert_array_equal(blocks, expected)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with raises_recorded(InputError):
        decode_picture(np.frombuffer(content, np.uint8), where="row 7")
