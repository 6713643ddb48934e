"""The 17 points drawn on stored pictures, for a look before training: left orange, right blue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movi_prep.export.human36m import LEFT, RIGHT
from movi_prep.export.tracks import CameraTrack, Track, Wanted, find_shards, read_corpus
from movi_prep.formats.atomic import write_bytes
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.projection import into_crop
from movi_prep.video.drawing import Bgr, cut_tile, draw_dots, draw_label, draw_lines, stack_tiles, with_key
from movi_prep.video.pictures import decode_picture, encode_picture

BONES = (
    *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9), (9, 10)),
    *((8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16)),
)
"""Pairs of the 17 points between which a line is drawn."""

_LEFT_COLOUR, _RIGHT_COLOUR, _MIDDLE_COLOUR = (30, 140, 255), (255, 160, 40), (90, 230, 90)
_KEY = ((_LEFT_COLOUR, "left"), (_RIGHT_COLOUR, "right"), (_MIDDLE_COLOUR, "middle"))
_TILE_PX = (300, 390)
_MOMENT = 0.4
"""Place of the frame in a track where only one is shown, as a part of its length."""


def draw_points(source: Path, out_png: Path, *, moments: Sequence[float] = (_MOMENT,)) -> Path:
    """Write one sheet: every track of a work folder or folder of shards, in every camera, at each of the moments.

    Args:
        source: the shards.
        out_png: the picture to write.
        moments: places of the frames in a track, as parts of its length.
    """
    tracks = read_corpus(find_shards(source), Wanted()).tracks
    rows = [
        [_tile(track, view, round(moment * (len(track.frames) - 1))) for view in track.views for moment in moments]
        for track in tracks
    ]
    # Two tracks side by side, so that the sheet is about as wide as it is high.
    pairs = [[tile for row in rows[at : at + 2] for tile in row] for at in range(0, len(rows), 2)]
    sheet = with_key(stack_tiles(pairs), "The 17 points", _KEY)
    write_bytes(out_png, encode_picture(sheet, "png").tobytes())
    return out_png


def _tile(track: Track, view: CameraTrack, at: int) -> NDArray[np.uint8]:
    row = int(view.rows[at])
    with ShardFile(view.shard) as shard:
        picture = decode_picture(shard.picture(row), where=str(view.shard)).copy()
        cut = shard.read("crops/intrinsics_px", row)
    pixels = into_crop(view.seen_px[at], view.camera.intrinsics_px, cut)
    for a, b in BONES:
        draw_lines(picture, pixels[[a, b]][None], _colour(b))
    for point in range(len(pixels)):
        draw_dots(picture, pixels[point][None], _colour(point), radius_px=2.5)
    height, width = picture.shape[:2]
    # Narrower than the crop, which is square: the body is upright in the middle of it.
    tile = cut_tile(picture, (width / 2.0, height / 2.0), (round(height * _TILE_PX[0] / _TILE_PX[1]), height), _TILE_PX)
    draw_label(tile, f"{track.clip} {track.motion} {view.camera.name} frame {int(track.frames[at])}")
    return tile


def _colour(point: int) -> Bgr:
    if point in LEFT:
        return _LEFT_COLOUR
    return _RIGHT_COLOUR if point in RIGHT else _MIDDLE_COLOUR
