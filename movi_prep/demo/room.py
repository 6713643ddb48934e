"""The room of the demo: floor, walls, a door, a window and a poster, seen once by each camera through its own lens.

AMASS world, metres: x to the right of the frontal camera, y away from it, z up. Colours are (..., 3) RGB from 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.cameras import IMAGE_SIZE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.demo.cameras import DemoCamera
    from movi_prep.demo.wardrobe import Colour

LOW_M, HIGH_M = np.array([-4.9, -5.9, 0.0]), np.array([3.1, 2.7, 2.95])
"""Corners of the room."""

KEY_LIGHT_M = np.array([-1.6, -2.4, 2.8])
"""Place of the lamp that casts the shadow."""

FINER = 2
"""Rays per pixel along each axis."""


def paint_room(camera: DemoCamera, *, finer: int = FINER) -> NDArray[np.float64]:
    """Return the empty room as `camera` sees it, (height, width, 3), 0 to 1."""
    width, height = IMAGE_SIZE_PX
    picture = np.zeros((height, width, 3))
    for shift in np.ndindex(finer, finer):
        # Rays at the middles of a grid within the pixel: edges come out smooth.
        offset = (np.array(shift) + 0.5) / finer - 0.5
        columns, rows = np.meshgrid(np.arange(width) + offset[0], np.arange(height) + offset[1])
        rays = camera.rays(np.stack([columns, rows], axis=-1))
        picture += _colours_seen(camera.position_m, rays)
    return np.clip(picture / finer**2, 0.0, 1.0)


def floor_points(camera: DemoCamera) -> NDArray[np.float32]:
    """Return the floor point that each pixel shows, (height, width, 2) float32, metres; a kilometre off for walls."""
    width, height = IMAGE_SIZE_PX
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    rays = camera.rays(np.stack([columns, rows], axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        points = camera.position_m + rays * (-camera.position_m[2] / rays[..., 2:])
    seen = (rays[..., 2] < 0) & (points[..., :2] >= LOW_M[:2]).all(-1) & (points[..., :2] <= HIGH_M[:2]).all(-1)
    return np.where(seen[..., None], points[..., :2], 1000.0).astype(np.float32)


def _colours_seen(position_m: NDArray[np.float64], rays: NDArray[np.float64]) -> NDArray[np.float64]:
    # A ray parallel to a wall meets it at infinity, and another wall is nearer.
    with np.errstate(divide="ignore"):
        distance = np.where(rays > 0, (HIGH_M - position_m) / rays, (LOW_M - position_m) / rays)
    # The nearest of the three walls ahead is the one that is seen.
    axis = distance.argmin(axis=-1)
    points = position_m + rays * distance.min(axis=-1, keepdims=True)
    colour = np.empty_like(points)
    for wall, paint in ((2, _level), (0, _side_wall), (1, _end_wall)):
        here = axis == wall
        colour[here] = paint(points[here])
    lit: NDArray[np.float64] = colour * _light_at(points)[..., None]
    return lit


def _light_at(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return brightness: lamps under the ceiling, and darker corners."""
    light = np.full(points_m.shape[:-1], 0.50)
    for lamp in (KEY_LIGHT_M, np.array([1.4, -0.6, 2.8])):
        light += 0.36 / (1.0 + 0.10 * ((points_m - lamp) ** 2).sum(-1))
    inward = np.minimum(points_m - LOW_M, HIGH_M - points_m)
    second = np.sort(inward, axis=-1)[..., 1]  # the nearest edge: the least distance is to the surface itself
    light *= 1.0 - 0.28 * np.exp(-np.maximum(second, 0.0) / 0.22)
    return light


def _mixed(base: NDArray[np.float64], colour: Colour, where: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(where[..., None], np.array(colour), base)


def _grain(*coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a repeatable noise in -1..1 from whole-number coordinates."""
    mixed = sum(np.floor(c) * k for c, k in zip(coordinates, (12.9898, 78.233, 37.719), strict=False))
    # The usual hash of shaders: it repeats on every machine to the digits that a byte shows.
    noise: NDArray[np.float64] = 2.0 * np.mod(np.sin(mixed) * 43758.5453, 1.0) - 1.0
    return noise


def _level(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Paint floor (planks, and a mat with a taped border where people move) and ceiling."""
    x, y = points_m[:, 0], points_m[:, 1]
    plank = np.floor(x / 0.14)
    along = y + 0.9 * _grain(plank, plank * 0 + 3.0)
    tone = (
        1.0
        + 0.055 * _grain(plank, np.floor(along / 1.2))
        + 0.012 * np.sin(90.0 * x + 4.0 * np.sin(5.0 * along + plank))
    )
    colour = np.array([0.70, 0.55, 0.40]) * tone[:, None]
    colour = _mixed(colour, (0.42, 0.31, 0.22), (np.mod(x, 0.14) < 0.006) | (np.mod(along, 1.2) < 0.006))
    from_edge = 1.75 - np.maximum(np.abs(x), np.abs(y + 0.05))
    tile = 0.5
    checks = (
        1.0
        + 0.035 * (2.0 * np.mod(np.floor(x / tile) + np.floor(y / tile), 2.0) - 1.0)
        + 0.012 * _grain(x / 0.05, y / 0.05)
    )
    mat = np.array([0.40, 0.47, 0.52]) * checks[:, None]
    seam = (np.mod(x, tile) < 0.008) | (np.mod(y, tile) < 0.008)
    colour = np.where((from_edge > 0)[:, None], np.where(seam[:, None], 0.82 * mat, mat), colour)
    colour = _mixed(colour, (0.86, 0.74, 0.24), (from_edge > 0.0) & (from_edge < 0.05))
    return _mixed(colour, (0.93, 0.93, 0.91), points_m[:, 2] > 1.0)


def _plaster(
    along: NDArray[np.float64], z: NDArray[np.float64], tint: tuple[float, float, float]
) -> NDArray[np.float64]:
    rough = 1.0 + 0.006 * _grain(along / 0.05, z / 0.05)
    colour = np.array(tint) * rough[:, None]
    colour = _mixed(colour, (0.55, 0.60, 0.58), (z < 0.92))
    colour = colour * (1.0 + 0.006 * _grain(along / 0.11, z / 0.11))[:, None]
    colour = _mixed(colour, (0.80, 0.79, 0.75), np.abs(z - 0.94) < 0.025)
    return _mixed(colour, (0.30, 0.28, 0.27), z < 0.10)


def _framed(
    colour: NDArray[np.float64],
    along: NDArray[np.float64],
    z: NDArray[np.float64],
    box: tuple[float, float, float, float],
    paints: tuple[Colour, Colour],
    border_m: float,
) -> NDArray[np.float64]:
    """Paint a rectangle (along from, to; z from, to) with a border around it: border and inside by `paints`."""
    outside = np.maximum(np.maximum(box[0] - along, along - box[1]), np.maximum(box[2] - z, z - box[3]))
    return _mixed(_mixed(colour, paints[0], outside < border_m), paints[1], outside < 0)


def _end_wall(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Paint the wall across from the frontal camera: a door, a poster, a rail with motion-capture cameras."""
    x, z = points_m[:, 0], points_m[:, 2]
    colour = _plaster(x, z, (0.84, 0.82, 0.77))
    colour = _framed(colour, x, z, (1.55, 2.45, 0.0, 2.05), ((0.48, 0.40, 0.33), (0.62, 0.46, 0.32)), 0.07)
    for panel in ((1.68, 2.32, 0.22, 0.92), (1.68, 2.32, 1.08, 1.90)):
        colour = _framed(colour, x, z, panel, ((0.50, 0.36, 0.25), (0.58, 0.43, 0.30)), 0.025)
    colour = _mixed(colour, (0.80, 0.78, 0.70), (x - 1.63) ** 2 + (z - 1.02) ** 2 < 0.03**2)
    colour = _framed(colour, x, z, (-2.3, -1.45, 1.15, 2.1), ((0.20, 0.20, 0.22), (0.30, 0.42, 0.55)), 0.035)
    wave = np.abs(z - 1.62 - 0.16 * np.sin(7.0 * x)) < 0.035
    colour = _mixed(colour, (0.93, 0.80, 0.46), wave & (x > -2.22) & (x < -1.53))
    return _rail(colour, x, z)


def _side_wall(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Paint the wall across from the camera at the side: a window and a notice board, and the rail."""
    y, z = points_m[:, 1], points_m[:, 2]
    colour = _plaster(y, z, (0.80, 0.82, 0.82))
    colour = _framed(colour, y, z, (-2.75, -1.35, 1.1, 2.2), ((0.90, 0.90, 0.88), (0.72, 0.84, 0.95)), 0.08)
    hills = (z < 1.38 + 0.08 * np.sin(5.0 * y) + 0.04 * np.sin(13.0 * y)) & (z > 1.1) & (y > -2.75) & (y < -1.35)
    colour = _mixed(colour, (0.50, 0.66, 0.45), hills)
    bars = ((np.abs(y + 2.05) < 0.025) & (z > 1.1) & (z < 2.2)) | (
        (np.abs(z - 1.72) < 0.02) & (y > -2.75) & (y < -1.35)
    )
    colour = _mixed(colour, (0.92, 0.92, 0.90), bars)
    colour = _framed(colour, y, z, (0.75, 1.95, 1.15, 1.95), ((0.36, 0.27, 0.20), (0.66, 0.54, 0.40)), 0.04)
    for note, paint in (((0.87, 1.13, 1.52, 1.86), (0.95, 0.94, 0.88)), ((1.25, 1.47, 1.27, 1.62), (0.70, 0.84, 0.92)),
                        ((1.57, 1.85, 1.45, 1.83), (0.95, 0.88, 0.62))):  # fmt: skip
        colour = _framed(colour, y, z, note, (paint, paint), 0.0)
    return _rail(colour, y, z)


def _rail(colour: NDArray[np.float64], along: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    colour = _mixed(colour, (0.25, 0.25, 0.27), np.abs(z - 2.52) < 0.02)
    middle = np.mod(along + 0.7, 1.4) - 0.7
    colour = _mixed(colour, (0.16, 0.16, 0.18), (np.abs(middle) < 0.075) & (np.abs(z - 2.43) < 0.08))
    ring = middle**2 + (z - 2.43) ** 2
    return _mixed(_mixed(colour, (0.62, 0.16, 0.14), ring < 0.055**2), (0.10, 0.10, 0.12), ring < 0.035**2)
