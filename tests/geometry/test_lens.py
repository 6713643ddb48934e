"""Lenses: OpenCV's own functions agree, there and back is where one was, and no point beyond the fold is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.lens import distort, last_radius, undistort
from movi_prep.records.lens import Lens, fisheye_lens, opencv_lens, radial_lens

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = {0: 0.0, 4: 0.02, 5: 0.02, 8: 0.005, 12: 0.01, 14: 0.01}
FOCAL_PX = 1000.0
K = np.diag([FOCAL_PX, FOCAL_PX, 1.0])


def _coefficients(n: int) -> NDArray[np.float64]:
    # k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty
    sizes = np.array([10, 5, 0.2, 0.2, 2, 3, 2, 1, 0.3, 0.1, 0.3, 0.1, 3, 3])
    return np.asarray(np.random.default_rng(n).normal(0, SIZES[n], n) * sizes[:n])


def _grid() -> NDArray[np.float64]:
    line = np.linspace(-0.7, 0.7, 15)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("n", SIZES)
def test_opencv_shows_points_where_the_lens_does(n: int) -> None:
    lens = opencv_lens(_coefficients(n), source="test")
    plane = _grid()
    points = np.column_stack([plane, np.ones(len(plane))]) * np.linspace(1, 5, len(plane))[:, None]
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, _coefficients(n) if n else None)

    seen = distort(plane, lens)

    assert np.isfinite(seen).all()
    np.testing.assert_allclose(FOCAL_PX * seen, expected[:, 0], atol=1e-6)


def test_opencv_fisheye_shows_points_where_the_lens_does() -> None:
    coefficients = np.array([0.05, -0.02, 0.01, -0.003])
    plane = 3.0 * _grid()
    points = np.column_stack([plane, np.ones(len(plane))])
    expected, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), K, coefficients)

    seen = distort(plane, fisheye_lens(coefficients, source="test"))

    np.testing.assert_allclose(FOCAL_PX * seen, expected[:, 0], atol=1e-6)


LENSES = [*(opencv_lens(_coefficients(n), source="test") for n in SIZES), radial_lens(-0.18, 0.18)]
LENSES += [fisheye_lens([0.05, -0.02, 0.01, -0.003], source="test"), fisheye_lens([0.0] * 4, source="test")]


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model}{np.count_nonzero(lens.coefficients)}")
def test_there_and_back_is_where_one_was(lens: Lens) -> None:
    plane = _grid()
    np.testing.assert_allclose(undistort(distort(plane, lens), lens), plane, atol=1e-9)


def test_a_barrel_lens_folds_where_its_radius_stops_to_grow() -> None:
    lens = radial_lens(-0.3, 0.0)
    # r (1 - 0.3 r^2) is largest where 1 = 0.9 r^2.
    fold = np.sqrt(1 / 0.9)
    assert last_radius(lens) == pytest.approx(fold)
    assert np.isfinite(distort(np.array([fold - 1e-6, 0.0]), lens)).all()
    assert np.isnan(distort(np.array([fold + 1e-6, 0.0]), lens)).all()
    largest = fold * (1 - 0.3 * fold**2)
    assert np.isnan(undistort(np.array([largest + 1e-3, 0.0]), lens)).all()


@pytest.mark.parametrize("denominator", [-0.5, -2.0])
def test_a_rational_lens_ends_before_its_pole(denominator: float) -> None:
    lens = opencv_lens([0, 0, 0, 0, 0, denominator, 0, 0], source="test")
    assert last_radius(lens) <= np.sqrt(-1 / denominator) + 1e-12


def test_a_fisheye_without_distortion_sees_all_in_front() -> None:
    lens = fisheye_lens([0.0] * 4, source="test")
    assert last_radius(lens) == float("inf")
    np.testing.assert_allclose(np.linalg.norm(distort(np.array([1e9, 0.0]), lens)), np.pi / 2, atol=1e-8)


def test_nothing_comes_of_nothing() -> None:
    for lens in LENSES:
        np.testing.assert_allclose(distort(np.zeros((1, 2)), lens), 0.0, atol=1e-15)
        assert np.isnan(distort(np.full((1, 2), np.nan), lens)).all()
        assert np.isnan(undistort(np.full((1, 2), np.nan), lens)).all()


def test_a_number_of_coefficients_that_no_model_has_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        opencv_lens([0.1, 0.2, 0.3], source="camera.yaml")
    assert caught.value.where == "camera.yaml"
    with pytest.raises(InputError):
        fisheye_lens([0.1] * 5, source="camera.yaml")
    with pytest.raises(InputError):
        opencv_lens([np.nan] * 4, source="camera.yaml")
