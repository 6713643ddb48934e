"""Holes of zeros in frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from movi_prep.video.frame_table import read_frame_table
from movi_prep.video.holes import HoleFinder
from tests.builders.avi_files import HEIGHT, WIDTH, Frame, Layout, build_avi


def test_a_hole_of_zeros_in_a_picture_is_found_where_the_decoder_is_silent(tmp_path: Path) -> None:
    """A picture of noise, 20 kB: a blank block in it is a picture to the decoder."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT * 4, WIDTH * 4, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    whole = build_avi([Frame(content)] * 4, Layout())
    path = tmp_path / "video.avi"
    begin = whole.begins[2] + 9000
    path.write_bytes(whole.content[:begin] + bytes(4200) + whole.content[begin + 4200 :])
    with HoleFinder(path, read_frame_table(path)) as holes:
        assert [holes.is_in(number) for number in range(4)] == [False, False, True, False]
    padded = content + bytes(5000)
    path.write_bytes(build_avi([Frame(padded)] * 2, Layout()).content)
    with HoleFinder(path, read_frame_table(path)) as holes:
        assert not holes.is_in(0)


def test_zeros_are_nothing_unusual_in_other_codecs_and_other_files(tmp_path: Path) -> None:
    path = tmp_path / "video.avi"
    path.write_bytes(build_avi([Frame(bytes(20_000))] * 2, Layout(codec_name="HFYU")).content)
    with HoleFinder(path, read_frame_table(path)) as holes:
        assert not holes.is_in(0)
    with HoleFinder(path, None) as holes:
        assert not holes.is_in(0)
