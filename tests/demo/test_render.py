"""What the demo's cameras see: triangles, lenses, the code in the corner, and people where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from movi_prep.demo.cameras import IMAGE_SIZE_PX, demo_cameras, write_calibration
from movi_prep.demo.cast import cast
from movi_prep.demo.film import empty_stage, film
from movi_prep.demo.frame_code import FrameCode, draw_frame_code, read_frame_code
from movi_prep.demo.open_body import read_open_body
from movi_prep.demo.posed_body import shaped_body
from movi_prep.demo.rasterizer import rasterize
from movi_prep.demo.session import act
from movi_prep.demo.wardrobe import dress
from movi_prep.errors import InternalError
from movi_prep.formats.calibration import read_camera
from movi_prep.geometry.projection import project_points
from movi_prep.video.avi_writer import write_avi
from movi_prep.video.drawing import cut_tile, draw_dots, stack_tiles
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from movi_prep.demo.cameras import DemoCamera

CAMERAS = pytest.mark.parametrize("camera", demo_cameras(), ids=lambda camera: camera.name)
SOMEWHERE_M = np.random.default_rng(3).uniform((-1.4, -1.2, 0.0), (1.4, 1.4, 2.0), (200, 3))


def test_a_triangle_covers_the_pixel_centres_inside_it() -> None:
    corners = np.array([[1.0, 1.0], [1.0, 4.0], [4.0, 1.0]])  # clockwise on a screen whose y points down
    found = rasterize(corners, np.ones(3), np.array([[0, 1, 2]]), (8, 6))
    expected = {(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (1, 4)}
    assert set(zip(found.columns.tolist(), found.rows.tolist(), strict=True)) == expected
    np.testing.assert_allclose(found.between(corners.astype(np.float32), np.array([[0, 1, 2]]))[:, 0], found.columns)


def test_the_nearer_triangle_hides_the_farther_whatever_their_order() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]] * 2)
    depths = np.array([5.0, 5.0, 5.0, 2.0, 2.0, 2.0])
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    assert set(rasterize(corners, depths, triangles, (10, 10)).faces.tolist()) == {1}
    assert set(rasterize(corners, depths[::-1], triangles, (10, 10)).faces.tolist()) == {0}


def test_a_triangle_that_turns_its_back_is_not_seen() -> None:
    corners = np.array([[1.0, 1.0], [4.0, 1.0], [1.0, 4.0]])
    assert len(rasterize(corners, np.ones(3), np.array([[0, 1, 2]]), (8, 6)).faces) == 0


def test_a_triangle_across_the_border_is_cut_off() -> None:
    corners = np.array([[-50.0, -50.0], [-50.0, 60.0], [60.0, -50.0]])
    found = rasterize(corners, np.ones(3), np.array([[0, 1, 2]]), (4, 4))
    assert sorted(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == [
        (r, c) for r in range(4) for c in range(4)
    ]


@CAMERAS
def test_rays_undo_projection(camera: DemoCamera) -> None:
    pixels, depths = camera.project(SOMEWHERE_M)
    ahead = camera.rays(pixels)
    np.testing.assert_allclose(camera.position_m + ahead * depths[:, None], SOMEWHERE_M, atol=1e-6)


@CAMERAS
def test_projection_agrees_with_opencv(camera: DemoCamera) -> None:
    matrix = np.array(
        [
            [camera.focal_px[0], 0.0, camera.centre_px[0]],
            [0.0, camera.focal_px[1], camera.centre_px[1]],
            [0.0, 0.0, 1.0],
        ]
    )
    rotation, _ = cv2.Rodrigues(camera.rotation)
    expected, _ = cv2.projectPoints(
        SOMEWHERE_M, rotation, camera.translation_m, matrix, np.array([*camera.radial, 0.0, 0.0])
    )
    np.testing.assert_allclose(camera.project(SOMEWHERE_M)[0], expected[:, 0], atol=1e-6)


@CAMERAS
@pytest.mark.parametrize("kind", ["npz", "pkl", "mat"])
def test_calibration_files_say_the_same_camera(camera: DemoCamera, kind: str, tmp_path: Path) -> None:
    write_calibration(tmp_path, camera)
    intrinsics = tmp_path / f"cameraParams_{camera.name}.{'npz' if kind == 'mat' else kind}"
    read = read_camera(camera.name, intrinsics, tmp_path / f"Extrinsics_{camera.name}.{kind}")
    np.testing.assert_allclose(project_points(read, SOMEWHERE_M), camera.project(SOMEWHERE_M)[0], atol=1e-9)


def test_cameras_stand_as_in_bml_movi() -> None:
    frontal, side = demo_cameras()
    assert 4.5 < np.linalg.norm(frontal.position_m[:2]) < 5.6
    assert 3.7 < np.linalg.norm(side.position_m[:2]) < 4.6
    # A person who stands in the middle is whole in both.
    for camera in (frontal, side):
        pixels, _ = camera.project(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.85]]))
        assert pixels.min() > 0
        assert (pixels < IMAGE_SIZE_PX).all()


@pytest.mark.parametrize("code", [FrameCode(0, 1, "PG1"), FrameCode(65535, 90, "PG2"), FrameCode(481, 15, "PG1")])
def test_the_code_survives_jpeg(code: FrameCode) -> None:
    image = np.full((600, 800, 3), 150, np.uint8)
    draw_frame_code(image, code)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert read_frame_code(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)) == code


def test_a_picture_without_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="frame code"):
        read_frame_code(np.zeros((600, 800, 3), np.uint8))


@pytest.mark.slow
@CAMERAS
def test_a_person_is_drawn_where_the_camera_sees_them(camera: DemoCamera) -> None:
    performer = cast()[15]
    model = read_open_body(performer.sex)
    body = shaped_body(model, performer.betas)
    poses, translation = act(body, performer.cues[:1], np.random.default_rng(0)).at_video_clock
    stage = empty_stage(camera)
    wardrobe = dress(model, performer.clothes, performer.stripe)
    (shot,) = film(stage, body, wardrobe, (poses[:1], translation[:1]), 15)
    changed = np.abs(shot.image.astype(int) - stage.room).max(axis=-1) > 10
    changed[:40] = False  # the code in the corner
    left, top, right, bottom = shot.box_px
    rows, columns = np.nonzero(changed[: int((top + bottom) / 2)])  # below, the shadow on the floor is changed too
    assert rows.min() == pytest.approx(top, abs=2.0)
    assert left - 2.0 <= columns.min() < columns.max() <= right + 2.0
    assert np.ptp(columns) > 0.85 * (right - left)
    assert read_frame_code(shot.image) == FrameCode(0, 15, camera.name)


def _counting(n_frames: int) -> Iterator[np.ndarray]:
    for number in range(n_frames):
        image = np.full((48, 160, 3), 40, np.uint8)
        draw_frame_code(image, FrameCode(number, 3, "PG1"))
        yield image


def test_an_avi_shows_frame_i_at_i_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    paths = [tmp_path / "a.avi", tmp_path / "b.avi"]
    for path in paths:
        assert write_avi(path, _counting(25), size_px=(160, 48), rate_hz=30.0) == 25
    assert paths[0].read_bytes() == paths[1].read_bytes()
    video = cv2.VideoCapture(str(paths[0]))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 25
    assert video.get(cv2.CAP_PROP_FPS) == 30.0
    for number in range(25):
        found, image = video.read()
        assert found
        assert read_frame_code(image).frame == number
    assert not video.read()[0]
    video.set(cv2.CAP_PROP_POS_FRAMES, 17)
    assert read_frame_code(video.read()[1]).frame == 17


def test_an_avi_refuses_a_frame_of_another_size(tmp_path: Path) -> None:
    with raises_recorded(InternalError):
        write_avi(tmp_path / "a.avi", _counting(1), size_px=(800, 600), rate_hz=30.0)
    assert list(tmp_path.iterdir()) == []


def test_a_dot_is_drawn_around_its_pixel() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    draw_dots(image, np.array([[11.0, 7.0], [np.nan, 3.0], [500.0, 3.0]]), (0, 200, 0), radius_px=2.0)
    rows, columns = np.nonzero(image[..., 1] > 100)
    assert (rows.mean(), columns.mean()) == pytest.approx((7.0, 11.0))


def test_tiles_are_cut_inside_the_picture_and_stacked() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    tile = cut_tile(image, (0.0, 0.0), (40, 30), (40, 30))
    np.testing.assert_array_equal(tile, image[:30, :40])
    assert stack_tiles([[tile, tile], [tile]], gap_px=2).shape == (62, 82, 3)


def test_pickles_name_numpy_as_the_real_files_do(tmp_path: Path) -> None:
    write_calibration(tmp_path, demo_cameras()[0])
    content = (tmp_path / "Extrinsics_PG1.pkl").read_bytes()
    assert b"numpy.core.multiarray" in content
    assert b"numpy._core" not in content
