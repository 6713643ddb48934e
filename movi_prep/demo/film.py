"""Filming a session: the posed body, drawn into the room through a camera's lens, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import csr_array

from movi_prep.demo.cameras import IMAGE_SIZE_PX
from movi_prep.demo.frame_code import FrameCode, draw_frame_code
from movi_prep.demo.posed_body import pose_vertices
from movi_prep.demo.rasterizer import Fragments, rasterize
from movi_prep.demo.room import FINER, KEY_LIGHT_M, floor_points, paint_room
from movi_prep.demo.wardrobe import paint_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from movi_prep.demo.cameras import DemoCamera
    from movi_prep.demo.posed_body import DemoBody
    from movi_prep.demo.wardrobe import Wardrobe

# Frames that are posed at once: the whole mesh of sixteen frames is a few megabytes.
_BATCH = 16
_SHADOW_CELL_M = 0.025
_SHADOW_HALF_CELLS = 56
_SHADOW_DARKNESS = 0.62


@dataclass(frozen=True)
class Shot:
    """One frame: the BGR image (600, 800, 3) and the outline's left, top, right, bottom (4,), pixels."""

    image: NDArray[np.uint8]
    box_px: NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """The unchanging parts of a video: the camera, the empty room, and the points of the floor at its pixels."""

    camera: DemoCamera
    room: NDArray[np.uint8]
    floor_m: NDArray[np.float32]


def empty_stage(camera: DemoCamera, *, finer: int = FINER) -> Stage:
    """Return the empty room before a camera, painted with `finer` rays per pixel along each axis."""
    return Stage(camera, _to_bytes(paint_room(camera, finer=finer)), floor_points(camera))


def film(
    stage: Stage,
    body: DemoBody,
    wardrobe: Wardrobe,
    motion: tuple[NDArray[np.float64], NDArray[np.float64]],
    subject: int,
    *,
    first: int = 0,
) -> Iterator[Shot]:
    """Yield the frames of a motion at the video clock: poses (n, 52, 3) and translation (n, 3); `first` is numbered."""
    poses, translation = motion
    # Once for a body: its faces do not change.
    normals_of = _normal_gatherer(body)
    for start in range(0, len(poses), _BATCH):
        surfaces = pose_vertices(body, poses[start : start + _BATCH], translation[start : start + _BATCH])
        for number, surface in enumerate(surfaces, start=start):
            pixels, depths = stage.camera.project(surface)
            image = stage.room.copy()
            _cast_shadow(image, stage, surface)
            fragments = rasterize(pixels, depths, body.faces, IMAGE_SIZE_PX)
            if len(fragments.faces):
                _paint_person(image, stage, fragments, _Person(body, wardrobe, surface, normals_of))
            draw_frame_code(image, FrameCode(frame=first + number, subject=subject, camera=stage.camera.name))
            yield Shot(image, np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]))


@dataclass(frozen=True)
class _Person:
    """A posed body with the data to colour it."""

    body: DemoBody
    wardrobe: Wardrobe
    surface_m: NDArray[np.float64]
    normals_of: csr_array


def _paint_person(image: NDArray[np.uint8], stage: Stage, fragments: Fragments, person: _Person) -> None:
    """Draw the pixels of a person into a BGR image, lit and with a soft outline."""
    body, surface = person.body, person.surface_m
    corner = surface[body.faces]
    # Not normalised: large faces weigh more, which is what smooth shading wants.
    normals = person.normals_of @ np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    values = fragments.between(np.hstack([normals, body.template_m, surface]).astype(np.float32), body.faces)
    albedo = paint_body(person.wardrobe, fragments.faces, values[:, 3:6])
    lit = albedo * _shading(values[:, :3], values[:, 6:], stage.camera.position_m.astype(np.float32))
    rows, columns = fragments.rows, fragments.columns
    top, left = max(rows.min() - 2, 0), max(columns.min() - 2, 0)
    window = image[top : rows.max() + 3, left : columns.max() + 3]
    picture = window.astype(np.float32)
    picture[rows - top, columns - left] = 255.0 * np.clip(lit[:, ::-1], 0.0, 1.0)
    # Only the outline is softened, where a pixel shows half body and half room.
    covered = np.zeros(picture.shape[:2], dtype=np.float32)
    covered[rows - top, columns - left] = 1.0
    near = _box_mean(covered)
    edge = (near > 0.02) & (near < 0.98)
    picture[edge] = _box_mean(picture)[edge]
    window[...] = picture + 0.5


def _to_bytes(picture: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return an RGB picture from 0 to 1 as BGR bytes."""
    # Plus one half before the cut: rounded, not floored.
    return np.ascontiguousarray((255.0 * picture[..., ::-1] + 0.5).astype(np.uint8))


def _normal_gatherer(body: DemoBody) -> csr_array:
    """Return the sparse (v, f) matrix that sums the normals of the faces around each vertex."""
    n_faces = len(body.faces)
    ones, columns = np.ones(3 * n_faces), np.repeat(np.arange(n_faces), 3)
    return csr_array((ones, (body.faces.ravel(), columns)), shape=(len(body.vertices_m), n_faces))


def _shading(
    normals: NDArray[np.float32], points_m: NDArray[np.float32], eye_m: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return brightness (k, 1): light from the lamp, from the sky of the ceiling, and darker edges."""
    normal = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    to_lamp, to_eye = (_unit(place - points_m) for place in (KEY_LIGHT_M.astype(np.float32), eye_m))
    lamp = np.maximum((normal * to_lamp).sum(-1), 0.0)
    facing = np.clip((normal * to_eye).sum(-1), 0.0, 1.0)
    fill = 0.5 + 0.5 * normal[:, 2]
    light = 0.24 + 0.30 * fill + 0.62 * lamp + 0.16 * facing
    brightness: NDArray[np.float32] = (light * (0.80 + 0.20 * facing))[:, None]
    return brightness


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _cast_shadow(image: NDArray[np.uint8], stage: Stage, surface_m: NDArray[np.float64]) -> None:
    """Darken the floor in the body's shadow; sharp at the feet, soft farther away."""
    height = surface_m[:, 2]
    away = surface_m[:, :2] - KEY_LIGHT_M[:2]
    # A point near the lamp's height would cast its shadow at infinity.
    ground = surface_m[:, :2] + away * (height / np.maximum(KEY_LIGHT_M[2] - height, 0.5))[:, None]
    n = 2 * _SHADOW_HALF_CELLS
    centre = surface_m[:, :2].mean(axis=0) + 0.35 * _unit(away.mean(axis=0)[None])[0]
    shade = np.zeros((n, n))
    # By height: parts near the floor cast a sharp shadow, higher ones a soft one.
    for low, high, blur, amount in ((-1.0, 0.18, 1.1, 1.0), (0.18, 0.9, 3.0, 0.8), (0.9, 3.0, 6.0, 0.6)):
        chosen = ground[(height >= low) & (height < high)]
        cells = np.round((chosen - centre) / _SHADOW_CELL_M).astype(int) + _SHADOW_HALF_CELLS
        cells = cells[((cells >= 0) & (cells < n)).all(axis=1)]
        mask = np.zeros((n, n))
        mask[cells[:, 0], cells[:, 1]] = 1.0
        shade = np.maximum(shade, amount * np.clip(1.5 * gaussian_filter(mask, blur), 0.0, 1.0))
    _darken_floor(image, stage, centre, shade)


def _darken_floor(
    image: NDArray[np.uint8], stage: Stage, centre_m: NDArray[np.float64], shade: NDArray[np.float64]
) -> None:
    corners = centre_m + _SHADOW_CELL_M * _SHADOW_HALF_CELLS * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    seen, _ = stage.camera.project(np.hstack([corners, np.zeros((4, 1))]))
    width, height = IMAGE_SIZE_PX
    (left, top), (right, bottom) = np.floor(seen.min(axis=0)).astype(int), np.ceil(seen.max(axis=0)).astype(int) + 1
    window = np.s_[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    cells = (stage.floor_m[window] - centre_m.astype(np.float32)) / _SHADOW_CELL_M + _SHADOW_HALF_CELLS
    dark = map_coordinates(shade, np.moveaxis(cells, -1, 0), order=1, cval=0.0)
    image[window] = image[window] * (1.0 - _SHADOW_DARKNESS * dark)[..., None] + 0.5


def _box_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the 3 x 3 mean with weights 1 2 1, edges repeated."""
    padded = np.pad(values, [(1, 1), (1, 1), *[(0, 0)] * (values.ndim - 2)], mode="edge")
    tall = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    mean: NDArray[np.float32] = 0.25 * tall[:, :-2] + 0.5 * tall[:, 1:-1] + 0.25 * tall[:, 2:]
    return mean
