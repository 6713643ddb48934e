"""Videos whose pictures tell their number, and .avi files written byte by byte, in all the ways of writing them.

Two codecs that OpenCV cannot write stand in `tests/data`: H.264 and MPEG-4 with B frames (x264 and FFmpeg, a key frame
every 20 frames), 60 pictures of `coded_picture` each.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64
N_FRAMES = 60
CODECS = ("MJPG", "XVID", "H264", "FMP4")

_N_BITS = 8
_BLOCK_PX = WIDTH // _N_BITS
_BAND_PX = 12
_DATA = Path(__file__).parent.parent / "data"
_FILES = {"H264": _DATA / "h264_b_frames.avi", "FMP4": _DATA / "mpeg4_b_frames.avi"}


def coded_picture(number: int) -> np.ndarray:
    """Return (64, 96, 3) uint8: bright and dark blocks spell the number above, its complement below, a slope moves."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    grey = 128 + 60 * np.sin((columns + 2 * number) / 15.0) * np.cos(rows / 10.0)
    image = np.repeat(grey[..., None], 3, axis=2)
    for bit in range(_N_BITS):
        is_set = number >> bit & 1
        columns_of_bit = slice(bit * _BLOCK_PX, (bit + 1) * _BLOCK_PX)
        image[:_BAND_PX, columns_of_bit] = 225 if is_set else 30
        image[-_BAND_PX:, columns_of_bit] = 30 if is_set else 225
    return image.astype(np.uint8)


def read_code(image: np.ndarray) -> int:
    """Return the number that a picture spells, -1 where it spells none."""
    inner = slice(3, -3)
    blocks = [slice(bit * _BLOCK_PX, (bit + 1) * _BLOCK_PX) for bit in range(_N_BITS)]
    above = [image[:_BAND_PX, block][inner, inner].mean() > 128 for block in blocks]
    below = [image[-_BAND_PX:, block][inner, inner].mean() < 128 for block in blocks]
    return sum(bit << place for place, bit in enumerate(above)) if above == below else -1


@dataclass(frozen=True)
class Frame:
    """The bytes of one frame, and whether it is a key frame."""

    content: bytes
    is_key: bool = True


@lru_cache
def encoded_frames(codec: str) -> tuple[Frame, ...]:
    """Return the pictures 0 to 59 in a codec, in the order of its file."""
    if codec == "MJPG":
        jpegs = (cv2.imencode(".jpg", coded_picture(number))[1].tobytes() for number in range(N_FRAMES))
        return tuple(map(Frame, jpegs))
    if codec in _FILES:
        return tuple(_read_frames(_FILES[codec].read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.avi"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 30.0, (WIDTH, HEIGHT))
        for number in range(N_FRAMES):
            writer.write(coded_picture(number))
        writer.release()
        return tuple(_read_frames(path.read_bytes()))


def _read_frames(content: bytes) -> Iterator[Frame]:
    index = content.rindex(b"idx1") + 8
    for number, (place, length) in enumerate(chunks_of(content)):
        flags = struct.unpack_from("<I", content, index + 16 * number + 4)[0]
        yield Frame(content[place + 8 : place + 8 + length], is_key=bool(flags & 0x10))


def chunks_of(content: bytes) -> list[tuple[int, int]]:
    """Return where each frame's chunk begins in an undamaged .avi with one list of frames, and the bytes in it."""
    place, found = content.index(b"movi") + 4, []
    while content[place : place + 4] in (b"00dc", b"00db"):
        length = struct.unpack_from("<I", content, place + 4)[0]
        found.append((place, length))
        place += 8 + length + length % 2
    return found


@dataclass(frozen=True)
class Layout:
    """How a program writes its .avi.

    Attributes:
        absolute: whether idx1 counts offsets from the file, not from the word 'movi'.
        grouped: whether three frames each lie in a list 'rec '.
        sound: whether a second stream has a chunk behind every frame.
        padded: whether chunks of odd length are followed by a byte.
        sector: bytes of the sectors that chunks begin in, with zeros before; 0 where they follow each other.
        has_index: whether there is an index.
        n_riffs: RIFF chunks; more than one make an OpenDML file with ix00 and a super index, without idx1.
        codec_name: four letters.
    """

    absolute: bool = False
    grouped: bool = False
    sound: bool = False
    padded: bool = True
    sector: int = 0
    has_index: bool = True
    n_riffs: int = 1
    codec_name: str = "MJPG"


@dataclass(frozen=True)
class AviFile:
    """The bytes of an .avi, and where the chunk of each frame begins and its content ends in them."""

    content: bytes
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    def middle(self, number: int) -> int:
        """Return a place in the middle of a frame's content."""
        return (self.begins[number] + 8 + self.ends[number]) // 2


def build_avi(frames: Sequence[Frame], layout: Layout) -> AviFile:
    """Return an .avi."""
    head = _head(len(frames), layout, [(0, 0, 0)] * layout.n_riffs)
    parts = np.array_split(np.arange(len(frames)), layout.n_riffs)
    content, entries, super_entries = b"", [], []
    for number, part in enumerate(parts):
        begin = len(head) + len(content) if number else len(head)
        words = _list_head(b"RIFF", b"AVIX") if number else b""
        movi, places = _movi([frames[i] for i in part], layout, begin + len(words))
        entries += places
        if layout.n_riffs > 1:
            index = _standard_index(places)
            super_entries.append((begin + len(words) + len(movi), len(index), len(part)))
            movi += index
        movi = movi[:4] + struct.pack("<I", len(movi) - 8) + movi[8:]
        content += (words[:4] + struct.pack("<I", len(words) - 8 + len(movi)) + words[8:] if words else b"") + movi
        if not number:
            first_riff = len(head) + len(content)
    if layout.n_riffs == 1 and layout.has_index:
        content += _idx1(entries, 0 if layout.absolute else len(head) + 8)
        first_riff = len(head) + len(content)
    head = _head(len(frames), layout, super_entries)
    begins, ends = zip(*((place, place + 8 + length) for place, length, _ in entries), strict=True)
    return AviFile(head[:4] + struct.pack("<I", first_riff - 8) + head[8:] + content, begins, ends)


def _movi(frames: Sequence[Frame], layout: Layout, begin: int) -> tuple[bytes, list[tuple[int, int, bool]]]:
    """Return a list of frames that begins at a place, and (place, length, is key) of each."""
    content, places = _list_head(b"LIST", b"movi"), []
    for number, frame in enumerate(frames):
        if layout.grouped and number % 3 == 0:
            group = frames[number : number + 3]
            content += b"LIST" + struct.pack(
                "<I", 4 + sum(map(len, (_chunk(b"00dc", f.content, layout) for f in group)))
            )
            content += b"rec "
        if layout.sector:
            content += bytes(-(begin + len(content)) % layout.sector)
        places.append((begin + len(content), len(frame.content), frame.is_key))
        content += _chunk(b"00dc", frame.content, layout)
        if layout.sound:
            content += _chunk(b"01wb", bytes(100), layout)
    return content, places


def _head(n_frames: int, layout: Layout, super_entries: Sequence[tuple[int, int, int]]) -> bytes:
    codec = layout.codec_name.encode()
    n_streams = 2 if layout.sound else 1
    main = struct.pack("<14I", 33_333, 0, 0, 0x10, n_frames, 0, n_streams, 0, WIDTH, HEIGHT, 0, 0, 0, 0)
    stream = b"vids" + codec + struct.pack("<10I4H", 0, 0, 0, 1, 30, 0, n_frames, 0, 0, 0, 0, 0, WIDTH, HEIGHT)
    picture = struct.pack("<IiiHH4sIiiII", 40, WIDTH, HEIGHT, 1, 24, codec, 3 * WIDTH * HEIGHT, 0, 0, 0, 0)
    inner = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture)
    if layout.n_riffs > 1:
        table = b"".join(struct.pack("<QII", *entry) for entry in super_entries)
        inner += _chunk(b"indx", struct.pack("<HBBI4s12x", 4, 0, 0, len(super_entries), b"00dc") + table)
    lists = _chunk(b"LIST", inner)
    if layout.sound:
        sound = b"auds" + struct.pack("<11I4H", 0, 0, 0, 0, 1, 3000, 0, 100 * n_frames, 0, 0, 1, 0, 0, 0, 0)
        form = struct.pack("<HHIIHH", 1, 1, 3000, 3000, 1, 8)
        lists += _chunk(b"LIST", b"strl" + _chunk(b"strh", sound) + _chunk(b"strf", form))
    if layout.n_riffs > 1:
        lists += _chunk(b"LIST", b"odml" + _chunk(b"dmlh", struct.pack("<I", n_frames)))
    return _list_head(b"RIFF", b"AVI ") + _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + lists)


def _idx1(entries: Sequence[tuple[int, int, bool]], base: int) -> bytes:
    rows = (struct.pack("<4sIII", b"00dc", 0x10 * is_key, place - base, length) for place, length, is_key in entries)
    return _chunk(b"idx1", b"".join(rows))


def _standard_index(entries: Sequence[tuple[int, int, bool]]) -> bytes:
    base = entries[0][0]
    rows = (struct.pack("<II", place + 8 - base, length | (not is_key) << 31) for place, length, is_key in entries)
    return _chunk(b"ix00", struct.pack("<HBBI4sQI", 2, 0, 1, len(entries), b"00dc", base, 0) + b"".join(rows))


def _list_head(name: bytes, kind: bytes) -> bytes:
    return name + bytes(4) + kind


def _chunk(name: bytes, content: bytes, layout: Layout | None = None) -> bytes:
    padding = b"\0" * (len(content) % 2) if layout is None or layout.padded else b""
    return name + struct.pack("<I", len(content)) + content + padding
