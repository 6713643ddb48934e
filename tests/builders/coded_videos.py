"""Videos of any codec and container whose pictures carry their number, written by PyAV."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from movi_prep.demo.frame_code import FrameCode, draw_frame_code, read_frame_code

SIZE = (160, 96)


def coded_picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a picture that says its number, with a square that moves; (height, width, 3) uint8."""
    image = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    left = 4 + 3 * number % (size[0] - 40)
    image[40:70, left : left + 30] = (40, 120, 200)
    draw_frame_code(image, FrameCode(frame=number, subject=1, camera="PG1"))
    return image


def number_in(image: np.ndarray) -> int:
    """Return the number that a picture carries."""
    return read_frame_code(image).frame


def write_coded_video(
    path: Path,
    *,
    codec: str = "libx264",
    times_s: Sequence[float],
    tick: Fraction = Fraction(1, 90000),
    options: dict[str, str] | None = None,
    size: tuple[int, int] = SIZE,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a video with one frame at each time; frames are numbered from 0."""
    import av

    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=30, options={"g": "12", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(coded_picture(number, size), format="bgr24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def copy_packets(
    source: Path, target: Path, *, lost: Sequence[int] = (), shift_s: float = 0.0, damaged: Sequence[int] = ()
) -> Path:
    """Copy a video packet by packet, in the order of decoding: without some, with damaged ones, or shifted in time."""
    import av

    with av.open(str(source)) as before, av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as after:
        stream: Any = after.add_stream_from_template(before.streams.video[0])
        for number, packet in enumerate(before.demux(before.streams.video[0])):
            if packet.dts is None or number in lost:
                continue
            if number in damaged:
                broken = bytearray(bytes(packet))
                broken[len(broken) // 2 :] = bytes([0xA5]) * (len(broken) - len(broken) // 2)
                spoilt = av.Packet(bytes(broken))
                spoilt.pts, spoilt.dts, spoilt.time_base = packet.pts, packet.dts, packet.time_base
                spoilt.is_keyframe = packet.is_keyframe
            copied = spoilt if number in damaged else packet
            ticks = round(shift_s / packet.time_base)
            copied.pts, copied.dts = packet.pts + ticks, packet.dts + ticks
            copied.stream = stream
            after.mux(copied)
    return target


def turn_picture(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a rotation (a, b, c, d of the display matrix) into the track header of an .mp4, as phones do."""
    content = bytearray(path.read_bytes())
    # After the name of the box: version, times, number, duration, and what is reserved; 16.16 and 2.30 fixed point.
    place = content.index(b"tkhd") + 44
    a, b, c, d = matrix
    struct.pack_into(">9i", content, place, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
