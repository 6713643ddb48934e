"""Pictures: cut out of a frame, encoded for a shard, and decoded again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import simplejpeg

from movi_prep.errors import InputError, InternalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.crops import CropPlan

PictureFormat = Literal["jpeg", "png", "webp"]

BLOCK_PX = 16
"""Side of the blocks that JPEG codes on its own when colour has half the resolution (4:2:0)."""

_PNG_LEVEL = 3
"""Deflate level of PNG: noise hardly gets smaller at higher levels."""

_WEBP_LOSSLESS = 101
"""OpenCV's WebP encoder is lossless above quality 100."""


def cut_picture(image: NDArray[np.uint8], plan: CropPlan, row: int) -> NDArray[np.uint8]:
    """Return the picture of one row, (height, width, 3) uint8 BGR, as the plan says.

    Args:
        image: (height, width, 3) uint8, the whole video frame.
        plan: what to cut out of each frame.
        row: row of the plan for this frame.
    """
    left, top, width, height = plan.source_px[row]
    source = image[top : top + height, left : left + width]
    size = tuple(int(side) for side in plan.picture_size_px[row])
    return source if size == (width, height) else _scaled(source, plan, row)


def _scaled(source: NDArray[np.uint8], plan: CropPlan, row: int) -> NDArray[np.uint8]:
    """Scale the whole box to the picture's size; black where the video has no pixels."""
    left, top, right, bottom = (int(side) for side in plan.padding_px[row])
    # Repeated edges keep the interpolation from mixing black into the outermost real pixels; blanked below.
    box = cv2.copyMakeBorder(source, top, bottom, left, right, cv2.BORDER_REPLICATE)
    shrinks = plan.scale[row] < 1.0
    size = (int(plan.picture_size_px[row, 0]), int(plan.picture_size_px[row, 1]))
    # INTER_AREA averages where a picture shrinks: linear sampling would skip pixels and alias.
    picture = cv2.resize(box, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    x, y, width, height = (int(side) for side in plan.valid_px[row])
    blank = np.zeros_like(picture)
    blank[y : y + height, x : x + width] = picture[y : y + height, x : x + width]
    return np.asarray(blank)


def encode_picture(picture: NDArray[np.uint8], image_format: PictureFormat, *, quality: int = 95) -> NDArray[np.uint8]:
    """Return the encoded bytes of a (height, width, 3) uint8 BGR picture, (length,) uint8.

    Args:
        picture: the picture.
        image_format: "jpeg" (4:2:0, standard tables), or "png" and "webp", both lossless.
        quality: JPEG quality, 1 to 100.
    """
    if image_format == "jpeg":
        done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    elif image_format == "png":
        done, encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    else:
        done, encoded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_LOSSLESS])
    if not done:
        raise InternalError(f"OpenCV cannot encode {image_format}")
    return np.asarray(encoded).ravel()


def decode_picture(encoded: NDArray[np.uint8], *, where: str = "picture") -> NDArray[np.uint8]:
    """Return the (height, width, 3) uint8 BGR picture of encoded bytes; raise InputError if they are not a picture."""
    picture = cv2.imdecode(np.asarray(encoded), cv2.IMREAD_COLOR) if encoded.size else None
    if picture is None:
        raise InputError(
            where,
            expected="an encoded picture",
            got=f"{encoded.size} bytes that are not a picture",
            remedy="run 'movi-prep verify', then 'movi-prep shard' again",
        )
    return np.asarray(picture)


def fit_square(picture: NDArray[np.uint8], side_px: int) -> tuple[NDArray[np.uint8], float]:
    """Return a (height, width, 3) BGR picture scaled into a square, black right of and below it; and its scale."""
    height, width = picture.shape[:2]
    scale = side_px / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    square = np.zeros((side_px, side_px, 3), dtype=np.uint8)
    square[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=how)
    return square, scale


def encode_small(picture: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    """Return a BGR picture for people to look at as WebP of a quality from 1 to 100, (length,) uint8."""
    done, encoded = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise InternalError("OpenCV cannot encode webp")
    return np.asarray(encoded).ravel()


def simplify_context(picture: NDArray[np.uint8], body_blocks: NDArray[np.bool_], *, quality: int) -> NDArray[np.uint8]:
    """Return the picture with everything away from the body reduced to a lower JPEG quality.

    Coded again at a high quality on the same grid of blocks, the context keeps the few coefficients that the lower
    quality left it, and takes little time; blocks on the body are untouched.

    Args:
        picture: (height, width, 3) uint8 BGR.
        body_blocks: (rows, columns) bool, blocks of 16 x 16 pixels that the body, or its surroundings, touch.
        quality: JPEG quality of the context.
    """
    height, width = picture.shape[:2]
    encoded = encode_picture(picture, "jpeg", quality=quality)
    # Colour as it was coded, one value for four pixels: smoothed, it would cost coefficients when it is coded again.
    simple = np.asarray(simplejpeg.decode_jpeg(encoded, "BGR", fastupsample=True))
    mask = body_blocks.astype(np.uint8).repeat(BLOCK_PX, axis=1).repeat(BLOCK_PX, axis=0)
    # The body's own pixels, never coded before, onto the simplified picture.
    cv2.copyTo(picture, mask[:height, :width], simple)
    return simple


def blocks_of_body(
    pixels: NDArray[np.float64], size_px: tuple[int, int], *, reach_blocks: int = 1
) -> NDArray[np.bool_]:
    """Return (rows, columns) bool: blocks of a picture that hold a point, and `reach_blocks` around them.

    Args:
        pixels: (v, 2) float64, points of the body in the picture, pixels; NaN and points outside do not count.
        size_px: width and height of the picture.
        reach_blocks: how many blocks around; hair, clothes and what lies between the points must be in it.
    """
    # Rounded up: the last block of a row may be cut by the picture.
    columns, rows = (-(-side // BLOCK_PX) for side in size_px)
    blocks = np.zeros((rows, columns), dtype=np.uint8)
    x, y = pixels.T
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < size_px[0]) & (y >= 0) & (y < size_px[1])
    column, row = (pixels[inside].T * (1.0 / BLOCK_PX)).astype(np.int64)
    blocks[row, column] = 1
    side = 2 * reach_blocks + 1
    return np.asarray(cv2.dilate(blocks, np.ones((side, side), np.uint8)), dtype=np.bool_)
