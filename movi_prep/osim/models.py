"""Reading and writing OpenSim models, quietly; small conversions between OpenSim's types and numpy."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import opensim

from movi_prep.errors import InputError, MissingError, ModelError, list_names
from movi_prep.formats.atomic import atomic_path
from movi_prep.formats.user_cache import document_digest, is_known_to_load, remember_that_it_loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


_just_written: dict[str, opensim.Model] = {}
"""The model that this process wrote last, by the digest of its document, for whoever reads it next."""


def quiet_opensim() -> None:
    """Keep OpenSim from writing `opensim.log` into the current folder and from printing.

    Errors still come as exceptions.
    """
    opensim.Logger.setLevelString("Off")
    opensim.Logger.removeFileSink()


def read_model(path: Path, marker_set: Path | None = None) -> opensim.Model:
    """Load a model and build its system once, so that a broken one is refused here.

    Args:
        path: the model's file.
        marker_set: a MarkerSet document whose markers are added (`add_marker_set`); None for none.

    Raises:
        MissingError: a file does not exist.
        InputError: OpenSim cannot load it; its reason is in the message.
    """
    if marker_set is None:
        return _read_model(path)
    # The system is built when the markers are there.
    model = _read_model(path, has_system=False)
    try:
        add_marker_set(model, marker_set)
    except InputError:
        # Refused here where the model by itself is at fault.
        _read_model(path)
        raise
    return model


def _read_model(path: Path, *, has_system: bool = True) -> opensim.Model:
    quiet_opensim()
    if not path.is_file():
        raise MissingError(path, expected="an OpenSim model (.osim)", got="no file", remedy="check the path")
    # Taken out, because the caller may change it: the clips of a subject that was scaled here, for example.
    if _just_written and (written := _just_written.pop(_digest([path]), None)) is not None:
        written.setInputFileName(str(path))
        return written
    _check_parts(path)
    _try_first(path, lambda: opensim.Model(str(path)).initSystem())
    try:
        model = opensim.Model(str(path))
        if has_system:
            model.initSystem()
    # ValueError: OpenSim's message may quote bytes of the file that are not text.
    except (RuntimeError, ValueError) as error:
        raise InputError(
            path,
            expected="a model that OpenSim can load",
            got=_refusal(path, error),
            remedy="open it in OpenSim's application and repair it, or choose another model",
        ) from error
    # OpenSim loads any of its documents as an empty model.
    if model.getMarkerSet().getSize() == 0 and model.getCoordinateSet().getSize() == 0:
        raise InputError(
            path,
            expected="a model with joints and coordinates",
            got="one without any coordinate",
            remedy="check that this is a musculoskeletal model",
        )
    return model


def _check_parts(path: Path) -> None:
    """Refuse a document with a part in another file (`<ForceSet file="forces.xml"/>`) that is missing or broken.

    OpenSim goes on without the part, and says nothing.
    """
    if b"file=" not in path.read_bytes():
        return
    root = _parsed(path)
    # If the document itself is broken, loading it says so.
    for part in [] if isinstance(root, str) else root.iter():
        name = part.get("file")
        if not name:
            continue
        expected, there = f"the <{part.tag}> that {path.name} names", path.parent / name
        if not there.is_file():
            raise MissingError(there, expected=expected, got="no file", remedy="put it there, or into the model itself")
        found = _parsed(there)
        got = found if isinstance(found, str) else f"a document without it: <{found.tag}>"
        if isinstance(found, str) or (found.tag != part.tag and found.find(part.tag) is None):
            raise InputError(there, expected=expected, got=got, remedy="repair it, or name another in the model")


def _parsed(path: Path) -> ET.Element | str:
    """Return the root of an XML document, or why it has none."""
    try:
        return ET.parse(path).getroot()  # noqa: S314 - a model file of the user, no network, no entities used
    # Unknown encodings end in the other two.
    except (ET.ParseError, LookupError, ValueError) as broken:
        return f"a file that is cut or no XML: {broken}"


def add_marker_set(model: opensim.Model, path: Path) -> None:
    """Add the markers of a MarkerSet document to the model; markers of the same name are replaced.

    Raises:
        MissingError: the file does not exist.
        InputError: OpenSim cannot load it.
    """
    if not path.is_file():
        raise MissingError(path, expected="a marker set (.xml)", got="no file", remedy="check the path")

    def add() -> None:
        _update_markers(model, opensim.MarkerSet(str(path)))
        # It also connects what was added.
        model.initSystem()

    _try_first(path, add, model)
    try:
        add()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            path,
            expected="a marker set for this model",
            got=f"OpenSim's refusal: {_reason(error)}",
            remedy="check that the bodies it names exist in the model",
        ) from error


def _update_markers(model: opensim.Model, added: opensim.MarkerSet) -> None:
    names = [added.get(index).getName() for index in range(added.getSize())]
    if len({*names, *marker_names(model)}) < len(names) + model.getMarkerSet().getSize():
        model.updateMarkerSet(added)
        return
    # With every marker that is new, `updateMarkerSet` goes through the whole model again.
    for index in range(added.getSize()):
        model.updMarkerSet().cloneAndAppend(added.get(index))


def _try_first(path: Path, load: Callable[[], object], model: opensim.Model | None = None) -> None:
    """Load a document in another process first: some broken ones end their process instead of raising.

    A document that has not done so before, with the same OpenSim and beside the same model, will not do so now.
    """
    file = Path(model.getInputFileName()) if model is not None else None
    # The file of a model that was built in memory is not there.
    documents = [path] if file is None else [path, file] if file.is_file() else []
    digest = _digest(documents)
    if is_known_to_load(digest):
        return
    from movi_prep.formats.trial_load import check_that_it_loads

    check_that_it_loads(path, load)
    remember_that_it_loads(digest)


def _digest(documents: Sequence[Path]) -> str:
    return document_digest(documents, parser=f"opensim {opensim.__version__}")


def write_model(path: Path, model: opensim.Model) -> opensim.Model:
    """Write a model atomically, and return it as it was read back, with its system.

    What is returned is also what the next `read_model` of these bytes returns: look at it, but change a clone.

    Raises:
        ModelError: OpenSim cannot read it back.
    """
    # A marker that was moved to another body has a new path. It ends the model's system.
    model.finalizeConnections()
    return write_document(path, model_document(model))


def model_document(model: opensim.Model) -> bytes:
    """Return the content of the file (.osim) of a model as it is now; its connections must be up to date.

    It is whole: what the model was read with from files of their own (`<MarkerSet file="markers.xml"/>`) is in it.
    """
    _bring_in_parts(model)
    with tempfile.TemporaryDirectory(prefix="movi-prep-") as folder:
        # OpenSim prints to files only.
        path = Path(folder) / "model.osim"
        model.printToXML(str(path))
        return path.read_bytes()


def _bring_in_parts(model: opensim.Model) -> None:
    """Mark the sets of a model as parts of its document: OpenSim prints of others the name of their file, no more."""
    for index in range(model.getNumProperties()):
        held = model.getPropertyByIndex(index)
        for part in (held.updValueAsObject(at) for at in range(held.size() if held.isObjectProperty() else 0)):
            if not part.getInlined():
                part.setInlined(True)


def write_document(path: Path, document: bytes) -> opensim.Model:
    """Write the content of a model's file atomically; return the model, or raise ModelError, as `write_model` does."""
    with atomic_path(path) as partial:
        # Load it before it gets its final name, so that the next stage never finds a model that cannot be loaded.
        partial.write_bytes(document)
        try:
            written = opensim.Model(str(partial))
            written.initSystem()
            digest = _digest([partial])
            remember_that_it_loads(digest)
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenSim cannot read back the model it wrote: {_reason(error)}") from error
    _just_written.clear()
    # A document with parts in other files has no digest, and is read again.
    if digest:
        _just_written[digest] = written
    return written


def default_state(model: opensim.Model) -> opensim.State:
    """Return a state of its own, in the default pose, of a model that did not change since its system was built.

    It is a copy of the state that was made with the system: to make it anew takes a hundred times as long. So whoever
    builds a system (`initSystem`) must not pose the state that this returns.
    """
    return opensim.State(model.getWorkingState())


def marker_names(model: opensim.Model) -> tuple[str, ...]:
    """Return the names of all markers, in the model's order."""
    markers = model.getMarkerSet()
    return tuple(markers.get(index).getName() for index in range(markers.getSize()))


def body_names(model: opensim.Model) -> tuple[str, ...]:
    """Return the names of all bodies, in the model's order."""
    bodies = model.getBodySet()
    return tuple(bodies.get(index).getName() for index in range(bodies.getSize()))


def coordinate_names(model: opensim.Model) -> tuple[str, ...]:
    """Return the names of all coordinates, in the model's order."""
    coordinates = model.getCoordinateSet()
    return tuple(coordinates.get(index).getName() for index in range(coordinates.getSize()))


def vector(values: Sequence[float] | NDArray[np.float64]) -> opensim.Vec3:
    """Return three numbers as OpenSim's Vec3."""
    x, y, z = values
    return opensim.Vec3(float(x), float(y), float(z))


def array(values: opensim.Vec3) -> NDArray[np.float64]:
    """Return OpenSim's Vec3 as (3,) float64."""
    return np.array([values.get(0), values.get(1), values.get(2)])


def marker_positions_m(model: opensim.Model, state: opensim.State, names: Sequence[str]) -> NDArray[np.float64]:
    """Return (m, 3) float64, metres: where the named markers are in ground in this state."""
    model.realizePosition(state)
    markers = model.getMarkerSet()
    found = [array(markers.get(name).getLocationInGround(state)) for name in names]
    return np.array(found).reshape(len(names), 3)


def set_pose(model: opensim.Model, state: opensim.State, coordinates: NDArray[np.float64]) -> None:
    """Put (c,) coordinates into a state as they are, locked ones too, without assembling the model again."""
    found = model.getCoordinateSet()
    for index, value in enumerate(coordinates.tolist()):
        coordinate = found.get(index)
        # A locked coordinate refuses a value; the lock is of the state, not of the model.
        if coordinate.getLocked(state):
            coordinate.setLocked(state, False)
        coordinate.setValue(state, value, False)
    model.realizePosition(state)


def is_rotation(coordinate: opensim.Coordinate) -> bool:
    """Return whether a coordinate is in radians, and in degrees in files: whether its motion type is Rotational.

    Translational ones are in metres. Coupled ones (anything but a line of slope 1, on a rotation or a translation) are
    in the unit of their function's argument, and OpenSim never converts them.
    """
    return bool(coordinate.getMotionType() == opensim.Coordinate.Rotational)


def root_joint(model: opensim.Model) -> opensim.Joint:
    """Return the joint that moves the body against ground; raise ModelError where nothing moves.

    Bodies that are welded to ground, one after the other, count as ground. Of several bodies that move against it the
    one with most coordinates below it is the root: the person, not the treadmill.
    """
    moving = [joint for joint in _joints_at_ground(model) if joint.numCoordinates() > 0]
    if not moving:
        raise ModelError(f"model {model.getName()}: no joint moves a body against ground; add one with coordinates")
    # The first of equals: `max` keeps the model's order.
    return max(moving, key=lambda joint: joint.numCoordinates())


def _joints_at_ground(model: opensim.Model) -> list[opensim.Joint]:
    """Return the joints whose parent is ground or welded to it, in the model's order."""
    joints = [model.getJointSet().get(index) for index in range(model.getJointSet().getSize())]
    still = {model.getGround().getAbsolutePathString()}
    while True:
        found = [joint for joint in joints if _base_path(joint.getParentFrame()) in still]
        welded = {_base_path(joint.getChildFrame()) for joint in found if joint.numCoordinates() == 0}
        if welded <= still:
            return found
        # In any order, because a weld may come before the one that it depends on.
        still |= welded


def _base_path(frame: opensim.PhysicalFrame) -> str:
    return str(frame.findBaseFrame().getAbsolutePathString())


def middle_angle_rad(model: opensim.Model, state: opensim.State) -> float:
    """Return the second angle of the root joint's rotation sequence, NaN with fewer: gimbal lock is at 90 degrees."""
    joint = root_joint(model)
    coordinates = [joint.get_coordinates(index) for index in range(joint.numCoordinates())]
    # Its first and third angle are free to go round; the middle one is where a sequence locks.
    rotations = [coordinate for coordinate in coordinates if is_rotation(coordinate)]
    return float(rotations[1].getValue(state)) if len(rotations) > 1 else float("nan")


def _refusal(path: Path, error: Exception) -> str:
    """Return why a model does not load; for a file that is not a model, OpenSim only reports what its parser found."""
    root = _parsed(path)
    if isinstance(root, str):
        return root
    if root.tag != "Model" and root.find("Model") is None:
        return f"a document without a <Model>: <{root.tag}> holds {list_names({child.tag for child in root})}"
    return f"its refusal: {_reason(error)}"


def _reason(error: Exception) -> str:
    """Return what OpenSim says as one line, without the places in its source that threw."""
    # OpenSim's messages span lines and end with the C++ file and line that threw.
    lines = [line.strip() for line in str(error).splitlines()]
    reason = " ".join(line for line in lines if line and not line.startswith("Thrown at"))
    return re.sub(r"^std::exception in '.*?': ", "", reason) or type(error).__name__


def set_marker_sites(model: opensim.Model, sites_m: Mapping[str, NDArray[np.float64]]) -> None:
    """Set where markers are, (3,) metres in the axes of the body that carries each, and prepare the model for use."""
    for name, site_m in sites_m.items():
        marker = model.getMarkerSet().get(name)
        transform = marker.getParentFrame().findTransformInBaseFrame()
        matrix = transform.R().asMat33()
        rotation = np.array([[matrix.get(row, column) for column in range(3)] for row in range(3)])
        # The site is in the body; `set_location` wants it in the marker's own frame, which may be an offset frame.
        marker.set_location(vector(rotation.T @ (site_m - array(transform.T()))))
    model.initSystem()
