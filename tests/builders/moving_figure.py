"""A figure of points that sways, steps and waves, and pictures of it: each point a disc of its own grey on a wall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SIZE_PX = (320, 240)
N_FRAMES = 90
DISC_PX = 7


def figure_px(
    n_frames: int = N_FRAMES, *, centre_px: tuple[float, float] = (150.0, 120.0), seed: int = 1
) -> np.ndarray:
    """Return (n, 160, 2) float32 pixels: a trunk that sways slowly and an arm that waves faster."""
    rng = np.random.default_rng(seed)
    trunk = rng.uniform((-14, -50), (14, 50), (100, 2))
    along = np.linspace(8.0, 55.0, 60)
    time_s = np.arange(n_frames) / 30.0
    phase = rng.uniform(0, 2 * np.pi, 4)
    sway = np.stack([18 * np.sin(2.1 * time_s + phase[0]), 6 * np.sin(3.3 * time_s + phase[1])], axis=1)
    angle = 0.9 * np.sin(4.6 * time_s + phase[2]) + 0.4 * np.sin(7.0 * time_s + phase[3])
    arm = along[None, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None] + np.array([10.0, -35.0])
    points = np.concatenate([np.broadcast_to(trunk, (n_frames, *trunk.shape)), arm], axis=1)
    return (points + sway[:, None] + np.asarray(centre_px)).astype(np.float32)


def still_px(n_frames: int = N_FRAMES) -> np.ndarray:
    """Return the figure's first frame over and over, swaying by a third of a pixel as people do who stand."""
    sway = 0.3 * np.sin(np.arange(n_frames))[:, None, None]
    return (figure_px()[:1] + sway).astype(np.float32)


def film(
    points_px: NDArray[np.float32], *, noise: float = 0.0, jpeg: int | None = None, lamp: float = 0.0
) -> Iterator[NDArray[np.uint8]]:
    """Yield (240, 320, 3) uint8 pictures of a figure.

    Args:
        points_px: (n, v, 2) pixels.
        noise: standard deviation of the sensor's noise, grey values.
        jpeg: quality of the JPEG that the picture goes through, or None.
        lamp: by how many grey values a flickering lamp brightens every second picture.
    """
    rng = np.random.default_rng(0)
    width, height = SIZE_PX
    wall = 90.0 + 30.0 * np.sin(np.arange(width) / 9.0)[None] + 20.0 * np.cos(np.arange(height) / 13.0)[:, None]
    greys = np.random.default_rng(5).uniform(20, 230, points_px.shape[1])
    for number, points in enumerate(points_px):
        image = np.repeat(wall[..., None], 3, axis=2).astype(np.float32)
        for (x, y), grey in zip(points.tolist(), greys.tolist(), strict=True):
            cv2.circle(image, (round(x), round(y)), DISC_PX, (grey, grey, grey), -1)
        image += rng.normal(0.0, noise, image.shape) if noise else 0.0
        picture = np.clip(image + lamp * (number % 2) + 0.5, 0, 255).astype(np.uint8)
        if jpeg is not None:
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], cv2.IMREAD_COLOR)
        yield picture
