"""Objects cut out of Pascal VOC 2012 with their masks, to be pasted over people (Everingham et al. 2012).

| file below `VOC2012` | holds |
|---|---|
| `ImageSets/Segmentation/trainval.txt` | names of the pictures with segmented objects |
| `JPEGImages/NAME.jpg` | the picture |
| `SegmentationObject/NAME.png` | palette picture: 0 background, i object i, 255 undecided |
| `Annotations/NAME.xml` | class, box and flags of object i, in this order |

Objects that the picture cuts off, that are hard to recognise, or small are left out. Masks are softer at the edge, and
cut-outs half as large as in the picture. All of this is as D3KE's own script does it, which leaves people out, too.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.occluders import Occluder

LIST = Path("ImageSets", "Segmentation", "trainval.txt")
PERSON = "person"

_LEAST_PIXELS = 500
"""Least size of a cut-out in the picture; smaller ones are specks when they are pasted."""

_EDGE_PX, _EDGE_WEIGHT = 8, 0.75
"""Size of the ellipse that cuts a mask's edge off, and the weight of this edge, which shows some of the background."""

_SIZE = 0.5
"""Size of a cut-out, as a part of that in the picture."""


def cut_out_objects(folder: Path, *, people: bool) -> Iterator[Occluder]:
    """Yield picture (h, w, 3) uint8 BGR and mask (h, w) float32 of each whole object in a VOC2012 folder.

    Args:
        folder: the folder.
        people: whether people are among the objects.

    Raises:
        MissingError: it is no such folder.
        InputError: a file of it is damaged.
    """
    listed = folder / LIST
    if not listed.is_file():
        raise MissingError(
            listed,
            expected="the list of segmented pictures of Pascal VOC 2012",
            got="no file",
            remedy="unpack VOCtrainval_11-May-2012.tar and name its VOCdevkit/VOC2012 with --pascal",
        )
    for name in listed.read_text(encoding="utf-8").split():
        boxes = _boxes(folder / "Annotations" / f"{name}.xml", people=people)
        if boxes:
            image = _read(folder / "JPEGImages" / f"{name}.jpg")
            objects = _object_numbers(_read(folder / "SegmentationObject" / f"{name}.png"))
            yield from _cut_out(image, objects, boxes)


def _boxes(path: Path, *, people: bool) -> dict[int, tuple[int, int, int, int]]:
    """Return number of the object -> left, top, right, bottom, from 0, of objects that are seen whole."""
    try:
        # A document of the user; expat bounds entities.
        root = ET.parse(path).getroot()  # noqa: S314
    except (OSError, ET.ParseError) as error:
        raise _damaged(path, "an annotation (XML)", str(error)) from error
    found = {}
    for number, item in enumerate(root.iter("object"), start=1):
        flags = [item.findtext(flag, "0") for flag in ("difficult", "truncated")]
        if (people or item.findtext("name") != PERSON) and flags == ["0", "0"]:
            edges = [float(item.findtext(f"bndbox/{edge}", "nan")) for edge in ("xmin", "ymin", "xmax", "ymax")]
            if not np.isfinite(edges).all():
                raise _damaged(path, "a box of each object", f"object {number} without one")
            left, top, right, bottom = (round(edge) for edge in edges)
            # Pascal counts pixels from 1, the last one included.
            found[number] = (left - 1, top - 1, right, bottom)
    return found


def _cut_out(
    image: NDArray[np.uint8], objects: NDArray[np.int64], boxes: dict[int, tuple[int, int, int, int]]
) -> Iterator[Occluder]:
    edge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_EDGE_PX, _EDGE_PX))
    for number, (left, top, right, bottom) in boxes.items():
        part = (slice(top, bottom), slice(left, right))
        mask = (objects[part] == number).astype(np.uint8)
        if np.count_nonzero(mask) >= _LEAST_PIXELS:
            inner = cv2.erode(mask, edge, borderType=cv2.BORDER_CONSTANT, borderValue=0)
            weight = (_EDGE_WEIGHT * mask + (1.0 - _EDGE_WEIGHT) * inner).astype(np.float32)
            size = (max(round(mask.shape[1] * _SIZE), 1), max(round(mask.shape[0] * _SIZE), 1))
            smaller = [cv2.resize(whole, size, interpolation=cv2.INTER_AREA) for whole in (image[part], weight)]
            yield np.asarray(smaller[0], dtype=np.uint8), np.asarray(smaller[1], dtype=np.float32)


def _object_numbers(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (h, w) numbers of Pascal's palette from its colours (h, w, 3) BGR; OpenCV reads no palettes."""
    blue, green, red = (colours[..., channel].astype(np.int64) for channel in range(3))
    number = np.zeros(colours.shape[:2], dtype=np.int64)
    # Bit 3 k + c of the number is bit 7 - k of channel c: red, green, blue.
    for k in range(8):
        for c, channel in enumerate((red, green, blue)):
            if 3 * k + c < 8:
                number |= ((channel >> (7 - k)) & 1) << (3 * k + c)
    return number


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise _damaged(path, "a picture", "none that can be read")
    return np.asarray(image, dtype=np.uint8)


def _damaged(path: Path, expected: str, got: str) -> InputError:
    return InputError(path, expected=expected, got=got, remedy="unpack VOCtrainval_11-May-2012.tar again")
