"""The picture that a network sees, from a stored crop: turned, undistorted and resized in one warp."""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from movi_prep.geometry.virtual_camera import VirtualCamera, source_pixels_at
from movi_prep.records.camera import Camera
from movi_prep.video.pictures import decode_picture

T = TypeVar("T", bound=np.generic)

_BLOCK_ROWS = 64
"""Rows per block of a product: 64 x 256 x 10 stays below the size from which OpenBLAS starts threads."""

_NODES = 10
"""Chebyshev nodes per axis of the warp: a lens bends a crop so little that the error is below 1e-3 px."""


class Scratch(threading.local):
    """Memory that the pictures of a thread use one after the other: fresh pages from the system cost time."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[T]) -> NDArray[T]:
        """Return an array with whatever its last use under this name left in it."""
        n, held = math.prod(shape), self._held.get(name)
        if held is None or len(held) < n:
            held = self._held[name] = np.empty(n, dtype=dtype)
        return held[:n].reshape(shape)


def decode_for_warp(encoded: NDArray[np.uint8], *, where: str, scratch: Scratch | None = None) -> NDArray[np.uint8]:
    """Return the (h, w, 4) uint8 BGRA picture of encoded bytes, in `scratch` until the next one.

    simplejpeg decodes a JPEG straight into four channels; its pixels are OpenCV's. Raises InputError as
    `decode_picture` does.
    """
    if encoded[:2].tobytes() == _JPEG:
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(encoded)
            into = (scratch or Scratch()).array("decoded", (height, width, 4), np.uint8)
            return np.asarray(simplejpeg.decode_jpeg(encoded, "BGRA", buffer=into))
        except ValueError:
            # OpenCV says what is wrong, or reads it all the same.
            pass
    return np.asarray(cv2.cvtColor(decode_picture(encoded, where=where), cv2.COLOR_BGR2BGRA))


_JPEG = b"\xff\xd8"


def write_rgb_planes(picture: NDArray[np.uint8], planes: NDArray[np.float32]) -> None:
    """Write a (h, w, 3 or 4) uint8 BGR picture into (3, h, w) float32 RGB planes, 0 to 1."""
    for plane, channel in zip(planes, (2, 1, 0), strict=True):
        np.divide(picture[..., channel], _FULL, out=plane, dtype=np.float32)


_FULL = np.float32(255.0)


def warp_picture(
    picture: NDArray[np.uint8],
    *,
    camera: Camera,
    virtual: VirtualCamera,
    corner_px: NDArray[np.float64],
    scale: float,
) -> NDArray[np.uint8]:
    """Return the picture of a virtual camera, (size, size, 3) uint8 BGR; black where the stored picture ends.

    Args:
        picture: the stored picture, BGR or BGRA.
        camera: the real camera.
        virtual: the virtual one.
        corner_px: (2,) column and row of the video at the picture's first pixel.
        scale: picture pixels per video pixel.
    """
    return WarpMaps(camera, virtual, corner_px=corner_px, scale=scale).warp(picture)


class WarpMaps:
    """Which place of a stored picture each pixel of a virtual camera's shows, for one camera or for n.

    The map is smooth, so it is evaluated at a few Chebyshev nodes and interpolated; the exact map costs ten times
    as much. The nodes of all cameras are worked out at once. Where the lens does not see all of a picture, the exact
    map is used, NaN (black) outside its view.
    """

    def __init__(
        self,
        camera: Camera,
        virtual: VirtualCamera,
        *,
        corner_px: NDArray[np.float64],
        scale: NDArray[np.float64] | float,
    ) -> None:
        """Evaluate the nodes; arguments as for `warp_picture`, (n, 2) corners and (n,) scales for n cameras."""
        self._camera, self._virtual, self._corner, self._scale = camera, virtual, corner_px, np.asarray(scale)
        nodes, self._weights = _interpolation(virtual.size_px)
        self._nodes = self._places_at(np.stack(np.meshgrid(nodes, nodes), axis=-1))
        far = virtual.size_px - 1.0
        corners = self._places_at(np.array([[[0.0, 0.0], [far, 0.0], [0.0, far], [far, far]]]))
        # A lens sees a cone, so that its picture is convex: where all corners are seen, everything between them is.
        self._is_seen = np.asarray(np.isfinite(corners).all(axis=(-1, -2, -3)))

    def warp(
        self,
        picture: NDArray[np.uint8],
        at: int | tuple[()] = (),
        *,
        scratch: Scratch | None = None,
        into: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return the picture of one of the virtual cameras, (size, size, 3) uint8 BGR, of a stored BGR or BGRA one.

        With `into`, (size, size, 4) uint8, it is written there and is a view of it.
        """
        columns, rows = self.map(at, scratch)
        # OpenCV maps four channels with vector instructions and three without, at more than twice the time.
        four = picture if picture.shape[2] == 4 else cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        warped = cv2.remap(four, columns, rows, cv2.INTER_LINEAR, dst=into, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(warped if into is None else into)[..., :3]

    def map(
        self, at: int | tuple[()] = (), scratch: Scratch | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return column and row of the stored picture for each pixel of one camera's, (size, size) float32 each."""
        scratch, side = scratch or Scratch(), self._virtual.size_px
        if self._is_seen[at]:
            columns, rows = (scratch.array(name, (side, side), np.float32) for name in ("columns", "rows"))
            # The warp is a product of polynomials in columns and rows: two small matrix products give the whole map.
            for into, places in zip((columns, rows), np.moveaxis(self._nodes[at], -1, 0), strict=True):
                _multiply(self._weights @ places, self._weights.T, into)
            return columns, rows
        steps = np.arange(side, dtype=np.float64)
        exact = self._places_at(np.stack(np.meshgrid(steps, steps), axis=-1))[at]
        return np.ascontiguousarray(exact[..., 0]), np.ascontiguousarray(exact[..., 1])

    def _places_at(self, pixels: NDArray[np.float64]) -> NDArray[np.float32]:
        exact = source_pixels_at(self._camera, self._virtual, pixels)
        corner, scale = self._corner[..., None, None, :], self._scale[..., None, None, None]
        return np.asarray((exact - corner + 0.5) * scale - 0.5, dtype=np.float32)


def _multiply(left: NDArray[np.float32], right: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    """Write left @ right in blocks so small that BLAS keeps them on one thread.

    A product that starts threads in each of many loader workers takes a hundred times as long.
    """
    for start in range(0, len(left), _BLOCK_ROWS):
        np.matmul(left[start : start + _BLOCK_ROWS], right, out=into[start : start + _BLOCK_ROWS])


@lru_cache(maxsize=8)
def _interpolation(size_px: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return Chebyshev nodes on the pixels 0 to size - 1 and the (size, nodes) barycentric weights.

    Source: Berrut and Trefethen 2004, Barycentric Lagrange interpolation, SIAM Review 46, equations 4.2 and 5.3.
    """
    angles = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
    nodes = (size_px - 1) / 2.0 * (1.0 - np.cos(angles))
    signs = (-1.0) ** np.arange(_NODES) * np.sin(angles)
    offsets = np.arange(size_px, dtype=np.float64)[:, None] - nodes
    # At a node itself the formula divides by zero; its value there is the node's.
    hits = np.abs(offsets) < 1e-12
    offsets[hits] = 1.0
    raw = np.where(hits.any(axis=1, keepdims=True), hits, signs / offsets)
    return nodes, (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
