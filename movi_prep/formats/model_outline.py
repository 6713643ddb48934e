"""The parts of an OpenSim model (.osim) that pages show, read without OpenSim, whose import takes long.

| of the document | becomes |
|---|---|
| `<Coordinate name>`, `<range>` | ranges, rad and m |
| `<Marker name>`, `<socket_parent_frame>` (`<body>` before version 4) | the body that carries each marker |
| joints: `<socket_parent_frame>`, `<socket_child_frame>` and their `<frames>` | the bodies that each joint connects |
| joints inside `<Body>`, with `<parent_body>` (before version 4) | the same |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from movi_prep.errors import InputError
from movi_prep.formats.reading import reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GROUND = "ground"


@dataclass(frozen=True)
class ModelOutline:
    """Names of a model, and what each marker and joint is attached to.

    Attributes:
        name: the model's name.
        ranges: coordinate -> lower and upper end of its range, rad or m.
        marker_bodies: marker -> body that carries it.
        joints: joint -> its parent body and its child body, in the model's order.
        turning: coordinates that an axis of rotation depends on, by whatever function.
    """

    name: str
    ranges: Mapping[str, tuple[float, float]]
    marker_bodies: Mapping[str, str]
    joints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    turning: frozenset[str] = frozenset()


@reads("an OpenSim model", "make the model again")
def read_model_outline(path: Path) -> ModelOutline:
    """Read names, ranges, bodies and joints from a model file.

    Raises:
        InputError: the file is not an OpenSim model.
    """
    model = ET.parse(path).getroot().find("Model")  # noqa: S314 - a model that OpenSim reads, too
    if model is None:
        raise InputError(path, expected="an OpenSim model", got="another document", remedy="make the model again")
    return ModelOutline(
        name=_name(model),
        ranges={_name(item): _range(item) for item in model.iter("Coordinate")},
        marker_bodies={_name(item): _marker_body(item) for item in model.iter("Marker")},
        joints=dict(_joints(model)),
        turning=frozenset(_turning(model)),
    )


def _joints(model: ET.Element) -> Iterator[tuple[str, tuple[str, str]]]:
    for joint in model.iterfind("JointSet/objects/*"):
        # A socket names a frame of the joint itself, or the path of a body (/bodyset/tibia_r, ../../ground).
        frames = {_name(frame): _last(frame.findtext("socket_parent")) for frame in joint.iterfind("frames/*")}
        parent, child = (_last(joint.findtext(f"socket_{side}_frame")) for side in ("parent", "child"))
        # A frame of the joint stands for the body it is fixed to; any other name is that of a body.
        yield _name(joint), (frames.get(parent, parent), frames.get(child, child))
    for body in model.iterfind("BodySet/objects/Body"):
        for joint in body.iterfind("Joint/*"):
            yield _name(joint), (joint.findtext("parent_body", GROUND).strip(), _name(body))


def _turning(model: ET.Element) -> Iterator[str]:
    for axis in model.iter("TransformAxis"):
        if _name(axis).startswith("rotation"):
            yield from axis.findtext("coordinates", "").split()


def _marker_body(marker: ET.Element) -> str:
    return _last(marker.findtext("socket_parent_frame") or marker.findtext("body"))


def _last(path: str | None) -> str:
    return (path or "").strip().rpartition("/")[2]


def _range(coordinate: ET.Element) -> tuple[float, float]:
    # A coordinate without a range is free.
    low, high = (float(number) for number in coordinate.findtext("range", "-inf inf").split())
    return low, high


def _name(item: ET.Element) -> str:
    return item.get("name", "")
