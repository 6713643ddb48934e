"""Set-ups of scaling and inverse kinematics: OpenSim's own XML documents here, ours in YAML in `setup_yaml`.

| document                               | what is read of it                                                          |
|----------------------------------------|-----------------------------------------------------------------------------|
| `ScaleTool` (.xml)                     | mass (kg), height (mm), files, time ranges (s), order, measurements, manual |
|                                        | factors, tasks of the static pose                                           |
| `InverseKinematicsTool` (.xml)         | files, tasks, time range (s), accuracy, constraint weight, reports          |

File names inside a document count from the document's folder, as OpenSim has it. A part that lies in a separate file
(`<IKTaskSet file="tasks.xml"/>`) is read from there. OpenSim ignores the tag of the tool itself (`IKTool`, or
a misspelt one) and goes by what is inside; so does this reader. `Unassigned` stands for a value that is not set. Parts
with `<apply>false</apply>` are left out. Values of coordinate tasks are radians or metres, as OpenSim takes them.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.records.setups import CoordinateTask, IkSetup, Measurement, ScaleSetup

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNSET = ("", "unassigned")
_INSIDE = {"ScaleTool": ("ModelScaler", "MarkerPlacer"), "InverseKinematicsTool": ("IKTaskSet",)}
"""Elements by which a tool is recognised whatever its tag."""
_SOURCES: dict[str, Literal["default", "manual", "file"]] = {
    "default_value": "default",
    "manual_value": "manual",
    "from_file": "file",
}


def read_scale_setup(path: Path) -> ScaleSetup:
    """Read a ScaleTool document (.xml) or a scaling file (.yaml).

    Raises:
        MissingError: the file does not exist.
        InputError: the file is neither, or a value in it cannot be read.
    """
    if _is_document(path):
        return _scale_setup_from_xml(path, _tool_element(path, "ScaleTool"))
    # Imported here: users of OpenSim's own documents need no YAML.
    from movi_prep.formats.setup_yaml import read_scale_yaml

    return read_scale_yaml(path)


def read_ik_setup(path: Path) -> IkSetup:
    """Read an InverseKinematicsTool document (.xml) or a tracking file (.yaml).

    Raises:
        MissingError: the file does not exist.
        InputError: the file is neither, or a value in it cannot be read.
    """
    if _is_document(path):
        return _ik_setup_from_xml(path, _tool_element(path, "InverseKinematicsTool"))
    from movi_prep.formats.setup_yaml import read_ik_yaml

    return read_ik_yaml(path)


def is_scale_document(path: Path) -> bool:
    """Return whether a document is one of OpenSim's ScaleTool, by its content.

    Raises:
        MissingError: the document does not exist.
        InputError: the file is not XML.
    """
    root = _document_root(path)
    tools = list(root) if root.tag == "OpenSimDocument" else [root]
    return any(tool.find(step) is not None for tool in tools for step in _INSIDE["ScaleTool"])


def included_files(path: Path) -> tuple[Path, ...]:
    """Return the files that an OpenSim document includes; none for a YAML file.

    Raises:
        MissingError: the document does not exist.
        InputError: the file is not a set-up.
    """
    if not _is_document(path):
        return ()
    return tuple(_named_file(path, element) for element in _document_root(path).iter() if _is_elsewhere(element))


def _is_document(path: Path) -> bool:
    """Return whether a set-up is OpenSim's (.xml); refuse a file that is neither that nor YAML."""
    suffix = path.suffix.lower()
    if suffix not in (".xml", ".yaml", ".yml"):
        raise InputError(
            path,
            expected="a set-up: an OpenSim document (.xml) or a YAML file (.yaml)",
            got=suffix or "no suffix",
            remedy="name the set-up",
        )
    return suffix == ".xml"


def _scale_setup_from_xml(path: Path, tool: ET.Element) -> ScaleSetup:
    scaler, placer = tool.find("ModelScaler"), tool.find("MarkerPlacer")
    if scaler is None and placer is None:
        raise InputError(
            path,
            expected="a ScaleTool with a ModelScaler or a MarkerPlacer",
            got=f"only {list_names({child.tag for child in tool})}",
            remedy="write the document with OpenSim's Scale Tool",
        )
    # A step that the document lacks is switched off, as in OpenSim (ScaleTool::isDefaultModelScaler).
    scaler, scaling = (scaler, _flag(scaler, "apply")) if scaler is not None else (ET.Element("ModelScaler"), False)
    placer, placing = (placer, _flag(placer, "apply")) if placer is not None else (ET.Element("MarkerPlacer"), False)
    static_files = [_file(path, step, "marker_file") for step in (scaler, placer)]
    # Tasks count where no marker is placed, too: the static pose is what the audit looks at.
    weights, tasks = _tasks(path, placer)
    height_mm = _positive(path, tool, "height")
    return ScaleSetup(
        name=tool.get("name", path.stem),
        source=str(path),
        measurements=tuple(_measurements(path, scaler)) if scaling else (),
        manual_factors=dict(_manual_factors(path, scaler)) if scaling else {},
        order=tuple(_text(scaler, "scaling_order").split()) if scaling else (),
        scale_bodies=scaling,
        scaling_time_range_s=_time_range(path, scaler),
        placement_time_range_s=_time_range(path, placer),
        preserve_mass_distribution=_flag(scaler, "preserve_mass_distribution", default=False),
        max_marker_movement_m=_movement_limit_m(path, placer),
        marker_weights=weights,
        coordinate_tasks=tasks,
        place_markers=placing,
        mass_kg=_positive(path, tool, "mass"),
        # ScaleTool states the height in millimetres.
        height_m=None if height_mm is None else height_mm / 1000.0,
        model_file=_file(path, tool.find("GenericModelMaker"), "model_file"),
        marker_set_file=_file(path, tool.find("GenericModelMaker"), "marker_set_file"),
        # The scaler's file, or the placer's: documents that only place markers name no other.
        static_file=static_files[0] or static_files[1],
        placement_file=static_files[1],
        coordinate_file=_file(path, placer, "coordinate_file"),
        scaled_model_file=_file(path, scaler, "output_model_file") if scaling else None,
        placed_model_file=_file(path, placer, "output_model_file") if placing else None,
        factors_file=_file(path, scaler, "output_scale_file") if scaling else None,
        placed_markers_file=_file(path, placer, "output_marker_file") if placing else None,
        pose_file=_file(path, placer, "output_motion_file") if placing else None,
    )


def _ik_setup_from_xml(path: Path, tool: ET.Element) -> IkSetup:
    weights, tasks = _tasks(path, tool)
    return IkSetup(
        name=_tool_name(path, tool),
        source=str(path),
        marker_weights=weights,
        coordinate_tasks=tasks,
        accuracy=_accuracy(path, tool),
        # OpenSim 4.6's tool enforces couplers whatever weight is set: 1, 20 and infinity give the same coordinates on
        # a model with 21 couplers. The weight that the document states is therefore not what its tool does.
        constraint_weight=math.inf,
        time_range_s=_time_range(path, tool),
        model_file=_file(path, tool, "model_file"),
        marker_file=_file(path, tool, "marker_file"),
        coordinate_file=_file(path, tool, "coordinate_file"),
        output_motion_file=_file(path, tool, "output_motion_file"),
        # OpenSim's default results directory is "./", the folder of the document.
        results_folder=_file(path, tool, "results_directory") or path.parent,
        report_errors=_flag(tool, "report_errors", default=True),
        report_marker_locations=_flag(tool, "report_marker_locations", default=False),
    )


def _measurements(path: Path, scaler: ET.Element) -> Iterator[Measurement]:
    for element in scaler.iter("Measurement"):
        if not _flag(element, "apply", default=True):
            continue
        name = element.get("name", "")
        pairs = [tuple(_text(pair, "markers").split()) for pair in element.iter("MarkerPair")]
        wrong = [pair for pair in pairs if len(pair) != 2]
        if wrong:
            raise InputError(
                path,
                expected=f"two marker names in each MarkerPair of measurement {name!r}",
                got=f"{' '.join(wrong[0]) or 'none'}",
                remedy="name two markers, separated by a space",
            )
        bodies = [(body.get("name", ""), _axes(path, body, name)) for body in element.iter("BodyScale")]
        yield Measurement(name=name, marker_pairs=tuple((a, b) for a, b in pairs), body_axes=tuple(bodies))


def _axes(path: Path, body: ET.Element, measurement: str) -> str:
    text = _text(body, "axes")
    # small letters count in OpenSim, too
    axes = "".join(text.upper().split())
    if not axes or not set(axes) <= set("XYZ"):
        raise InputError(
            path,
            expected=f"axes of X, Y, Z for body {body.get('name', '')!r} in measurement {measurement!r}",
            got=repr(text),
            remedy="name one to three of them, separated by spaces",
        )
    return axes


def _manual_factors(path: Path, scaler: ET.Element) -> Iterator[tuple[str, tuple[float, float, float]]]:
    for element in scaler.iter("Scale"):
        if _flag(element, "apply", default=True):
            x, y, z = _numbers(path, element, "scales", 3)
            segment = _text(element, "segment")
            if not all(0 < factor < math.inf for factor in (x, y, z)):
                got = f"{x:g} {y:g} {z:g} for {segment}"
                raise InputError(path, expected="positive manual scales", got=got, remedy="correct <scales>")
            yield segment, (x, y, z)


def _tasks(path: Path, tool: ET.Element) -> tuple[dict[str, float], tuple[CoordinateTask, ...]]:
    """Return marker weights and coordinate tasks that are switched on."""
    applied = [element for element in tool.iter() if element.tag.endswith("Task") and _flag(element, "apply")]
    weights: dict[str, float] = {}
    for element in applied:
        if element.tag == "IKMarkerTask":
            # OpenSim's tool takes the first of several tasks of one marker.
            weights.setdefault(element.get("name", ""), _weight(path, element))
    return weights, tuple(_coordinate_task(path, e) for e in applied if e.tag == "IKCoordinateTask")


def _coordinate_task(path: Path, element: ET.Element) -> CoordinateTask:
    kind = _text(element, "value_type") or "default_value"
    if kind not in _SOURCES:
        raise InputError(
            path,
            expected=f"a value_type of {list_names(_SOURCES)}",
            got=f"{kind!r} for coordinate {element.get('name')!r}",
            remedy="correct the coordinate task",
        )
    return CoordinateTask(
        name=element.get("name", ""),
        weight=_weight(path, element),
        source=_SOURCES[kind],
        value=_finite(path, element, "value"),
    )


def _weight(path: Path, task: ET.Element) -> float:
    weight = _number(path, task, "weight", 1.0)
    if not 0 <= weight < math.inf:
        kind = "marker" if task.tag == "IKMarkerTask" else "coordinate"
        got = f"{weight:g} for {task.get('name', '')}"
        raise InputError(path, expected=f"{kind} weights of 0 or more", got=got, remedy="correct them")
    return weight


def _accuracy(path: Path, tool: ET.Element) -> float:
    accuracy = _number(path, tool, "accuracy", 1e-5)
    if not 0 < accuracy < math.inf:
        raise InputError(
            path, expected="a positive <accuracy>", got=f"{accuracy:g}", remedy="correct it, or leave it out (1e-5)"
        )
    return accuracy


def _tool_name(path: Path, tool: ET.Element) -> str:
    """Return the tool's name, "" where it has none. Reports are named after it, so it must not contain a path."""
    name = tool.get("name", "").strip()
    if name in (".", "..") or any(letter in "/\\" or not letter.isprintable() for letter in name):
        raise InputError(
            path,
            expected="a tool name that can stand in a file name",
            got=repr(name),
            remedy="take path separators and control characters out; <results_directory> says where results go",
        )
    return name


def _movement_limit_m(path: Path, placer: ET.Element) -> float:
    # OpenSim states the limit in the unit of the marker data, which is nearly always millimetres.
    limit = _number(path, placer, "max_marker_movement", -1.0)
    # Negative means "no limit of its own", whatever the number.
    return limit / 1000.0 if limit > 0 else -1.0


def _tool_element(path: Path, tag: str) -> ET.Element:
    """Return the element of a tool, with the parts that lie in separate files in their places."""
    root = _document_root(path)
    tools = list(root) if root.tag == "OpenSimDocument" else [root]
    # The right tag first, the content second: a document may hold both tools.
    fitting = [tool for tool in tools if tool.tag == tag] or [
        tool for tool in tools if any(tool.find(inside) is not None for inside in _INSIDE[tag])
    ]
    if not fitting:
        raise InputError(
            path,
            expected=f"an OpenSim {tag} document, with {' or '.join(f'<{inside}>' for inside in _INSIDE[tag])}",
            got=list_names({root.tag, *(tool.tag for tool in tools)}),
            remedy="check which set-up this is",
        )
    _include(path, fitting[0], above=(path.resolve(),))
    return fitting[0]


def _include(path: Path, element: ET.Element, *, above: tuple[Path, ...]) -> None:
    """Put the parts that lie in separate files in their places, those of these files, too."""
    # A list, because children are replaced while the tree is walked.
    for parent in list(element.iter()):
        for index, child in enumerate(parent):
            if not _is_elsewhere(child):
                continue
            part = _named_file(path, child)
            # Only the files above count: two parts may include the same third one.
            if part.resolve() in above:
                raise InputError(
                    part,
                    expected="files that do not include each other in a circle",
                    got=f"<{child.tag}> of {path.name}, which this file is a part of",
                    remedy="correct the attribute file=",
                )
            parent[index] = _part_element(part, child.tag, what=f"the <{child.tag}> of {path}")
            _include(part, parent[index], above=(*above, part.resolve()))


def _part_element(path: Path, tag: str, *, what: str) -> ET.Element:
    root = _document_root(path)
    found = root if root.tag == tag else root.find(tag)
    if found is None:
        tags = list_names({root.tag, *(child.tag for child in root)})
        raise InputError(path, expected=what, got=tags, remedy="check which set-up this is")
    return found


def _document_root(path: Path) -> ET.Element:
    _check_exists(path)
    try:
        return ET.parse(path).getroot()  # noqa: S314 - a document of the user, no network, no entities used
    # An encoding that does not exist is a LookupError, one that expat cannot decode a ValueError.
    except (ET.ParseError, LookupError, ValueError) as error:
        raise InputError(
            path, expected="an XML document", got=f"broken XML ({error})", remedy="write it again"
        ) from error


def _is_elsewhere(element: ET.Element) -> bool:
    """Return whether an object lies in a separate file, as sets of tasks and measurements in older set-ups do."""
    return element.get("file", "").strip().lower() not in _UNSET


def _named_file(path: Path, element: ET.Element) -> Path:
    return path.parent / element.get("file", "").strip().replace("\\", "/")


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise MissingError(path, expected="a set-up file", got="no file", remedy="check the path")


def _text(element: ET.Element | None, tag: str) -> str:
    found = element.find(tag) if element is not None else None
    text = (found.text or "").strip() if found is not None else ""
    return "" if text.lower() in _UNSET else text


def _flag(element: ET.Element, tag: str, *, default: bool = True) -> bool:
    text = _text(element, tag).lower()
    # OpenSim writes words, and reads 1 and 0 too.
    return default if not text else text in ("true", "1")


def _numbers(path: Path, element: ET.Element, tag: str, count: int) -> list[float]:
    text = _text(element, tag)
    try:
        # OpenSim writes infinity as `Infinity` or `Inf`; float() reads both.
        values = [float(part) for part in text.split()]
    except ValueError:
        values = []
    if len(values) != count:
        raise InputError(
            path,
            expected=f"{count} numbers in <{tag}>",
            got=repr(text[:80]),
            remedy=f"correct <{tag}> of <{element.tag}>",
        )
    return values


def _number(path: Path, element: ET.Element, tag: str, default: float) -> float:
    return _numbers(path, element, tag, 1)[0] if _text(element, tag) else default


def _finite(path: Path, element: ET.Element, tag: str) -> float:
    value = _number(path, element, tag, 0.0)
    if not math.isfinite(value):
        got = f"{value:g} for {element.get('name', '')}"
        raise InputError(path, expected=f"a finite number in <{tag}>", got=got, remedy=f"correct <{tag}>")
    return value


def _positive(path: Path, element: ET.Element, tag: str) -> float | None:
    value = _number(path, element, tag, -1.0)
    return value if value > 0 else None


def _time_range(path: Path, element: ET.Element) -> tuple[float, float]:
    if not _text(element, "time_range"):
        return (-math.inf, math.inf)
    first, last = _numbers(path, element, "time_range", 2)
    # OpenSim's own "not set" of the scale tool is -1 -1.
    if last < 0:
        return (-math.inf, math.inf)
    # Asked so that NaN fails, too.
    if not first <= last:
        raise InputError(
            path,
            expected=f"a <time_range> of <{element.tag}> that ends after it begins",
            got=f"{first:g} to {last:g} s",
            remedy="exchange the two times",
        )
    return (first, last)


def _file(path: Path, element: ET.Element | None, tag: str) -> Path | None:
    text = _text(element, tag).replace("\\", "/")
    return path.parent / text if text else None
