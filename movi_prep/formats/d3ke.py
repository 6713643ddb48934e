"""The files that the released D3KE training code opens, written so that it runs on them unchanged.

One subject N with v video rows (all cameras, sorted by camera, clip, frame), c label coordinates, b label bodies:

| file | dataset | dtype | shape | unit | content |
|---|---|---|---|---|---|
| `subject_N.hdf5` | `ImgList` | S150 | (v,) | | `BMLmovi/Subject_N_F/F_PGx_Subject_N_L.{clip}.{frame}.0.jpg` |
| | `subjectID`, `videoID`, `frame` | i8 | (v,) | 1 | subject, clip (from 1), video frame within the clip |
| | `cameraType` | S5 | (v,) | | `PG1`, `PG2` |
| | `globalFrame` | i8 | (v,) | 1 | frame within the video, from 0 |
| | `startFrame`, `globalEndFrame` | i8 | (v,) | 1 | first and last video frame of the clip's unbroken rows |
| | `globalStartFrame` | i8 | (v,) | 1 | first video frame of the subject's first clip |
| | `hflipUsage`, `seed` | i8 | (v,) | 1 | random per subject and camera, from a seeded generator |
| | `usedFrame` | i8 | (v,) | 1 | the "moved since" flag |
| | `pos3d`, `sim_pos3d` | f8 | (v, 22, 3) | m | SMPL joints, observed and simulated, AMASS world |
| | `marker_pos3d`, `sim_marker_pos3d` | f8 | (v, 55, 3) | m | label markers likewise |
| | `pos3d_mask`, `marker_pos3d_mask` | f8 | (v, 22), (v, 55) | 1 | 1 within the bound, else 0 |
| | `bbox` | i8 | (v, 4) | px | column, row, width, height |
| `subject_N_opensim.hdf5` | `openSimJointPos` | f8 | (v, 50, 3) | m | joint centres, AMASS world |
| | `coordinateAngle`, `coordinateMask` | f8 | (v, c) | rad, 1 | label coordinates |
| | `rootRot` | f8 | (v, 4, 4) | 1, m | moving frame of the ground-to-pelvis joint in AMASS world |
| | `N_boneScale` | f8 | (b, 3) | 1 | scale factor times the base model's mesh scale |
| `N_PGx_img.hdf5` | `images` | u1 | (n, 600, 800, 3) | | BGR, zero outside the box but in frame 0; gzip, a chunk each |
| | `name`, `numFrames` | S150, i8 | (1,) | | name of the video, its number of frames |
| `N_PGx_bbox.npy` | | f8 | (n, 4) | px | box of every video frame |
| `all_bbox.npy` | | | | px | dict: subject -> camera -> (n, 4) |
| `videoIdx.npy` | | | | 1 | dict: subject -> flags30 transposed, (2, clips), from 1, inclusive |
| `pyBaseModel.pkl` | | | | | the unscaled model as `ms_model_estimation.pyOpenSim` objects |

Source: the released code of Bittner et al., Sensors 2023, 23(1), 341 (names, shapes, dtypes and order).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, InternalError, MissingError
from movi_prep.formats.array_pickle import dump_array_pickle, load_array_pickle
from movi_prep.formats.atomic import atomic_path, check_space, write_bytes
from movi_prep.formats.deflate import Way
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.hdf5_links import foreign_parts, own_dataset
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.plain_pickle import Foreign, dump_plain, load_plain
from movi_prep.formats.reading import reading, reads
from movi_prep.records.base_model import (
    BaseAxis,
    BaseBody,
    BaseCoordinate,
    BaseCoupler,
    BaseJoint,
    BaseMarker,
    BaseModel,
)

_PACKAGE = "ms_model_estimation.pyOpenSim"
_GZIP = {"compression": "gzip", "compression_opts": 9}

LABEL_DTYPES: Mapping[str, str] = {
    "ImgList": "S150",
    "cameraType": "S5",
    **dict.fromkeys(("subjectID", "videoID", "frame", "globalFrame", "startFrame"), "i8"),
    **dict.fromkeys(("globalStartFrame", "globalEndFrame", "hflipUsage", "seed", "usedFrame", "bbox"), "i8"),
    **dict.fromkeys(("pos3d", "sim_pos3d", "marker_pos3d", "sim_marker_pos3d"), "f8"),
    **dict.fromkeys(("pos3d_mask", "marker_pos3d_mask"), "f8"),
}
"""Datasets of `subject_N.hdf5` and their dtypes."""

OPENSIM_DTYPES: Mapping[str, str] = dict.fromkeys(
    ("openSimJointPos", "coordinateAngle", "coordinateMask", "rootRot"), "f8"
)
"""Datasets of `subject_N_opensim.hdf5`, `N_boneScale` aside."""


def image_name(subject: int, camera: str, clip: int, frame: int) -> str:
    """Return the entry of `ImgList` for one row."""
    return f"BMLmovi/Subject_{subject}_F/F_{camera}_Subject_{subject}_L.{clip}.{frame}.0.jpg"


def write_labels(path: Path, rows: Mapping[str, NDArray[Any]], *, note: str = "") -> None:
    """Write `subject_N.hdf5` atomically; `rows` holds every dataset of LABEL_DTYPES, one entry per row.

    `note` describes an alteration; it stands in the attribute `altered`, which the training code ignores.
    """
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        _write_note(file, note)
        _write_rows(file, rows, LABEL_DTYPES)


def write_opensim_labels(
    path: Path, rows: Mapping[str, NDArray[Any]], *, subject: int, bone_scale: NDArray[np.float64], note: str = ""
) -> None:
    """Write `subject_N_opensim.hdf5` atomically.

    Args:
        path: the file.
        rows: every dataset of OPENSIM_DTYPES, one entry per row.
        subject: the subject N.
        bone_scale: (b, 3) float64, scale factor times mesh scale of the base model, label bodies.
        note: description of an alteration, "" for none.
    """
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        _write_note(file, note)
        _write_rows(file, rows, OPENSIM_DTYPES)
        file.create_dataset(f"{subject}_boneScale", data=np.asarray(bone_scale, dtype="f8"), **_GZIP)


@reads("rows of D3KE's layout", "write the files again")
def read_rows(path: Path) -> dict[str, NDArray[Any]]:
    """Read every dataset of `subject_N.hdf5` or `subject_N_opensim.hdf5`.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not HDF5.
    """
    with _open_after_trial(path) as file:
        return {name: np.asarray(own_dataset(file, name, path)[()]) for name in file.keys()}  # noqa: SIM118 - links


@reads("a file of D3KE's layout", "write the files again")
def read_foreign_parts(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the parts of a file that lie in other files: name, and what each is (see `hdf5_links`)."""
    with _open_after_trial(path) as file:
        return tuple(foreign_parts(file))


@reads("images of D3KE's layout", "write the files again")
def read_image(path: Path, frame: int) -> NDArray[np.uint8]:
    """Return one frame, (height, width, 3) uint8 BGR; open and close the file each time, as the training code does.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not HDF5, or has no such frame.
    """
    # Without the trial in a child process, which would add 5 to 20 ms to every frame.
    with _open(path) as file:
        images = own_dataset(file, "images", path)
        if not 0 <= frame < images.shape[0]:
            raise InputError(
                path, expected=f"a frame {frame}", got=f"{images.shape[0]} frames", remedy="write the files again"
            )
        return np.asarray(images[frame])


def _write_note(file: h5py.File, note: str) -> None:
    if note:
        file.attrs["altered"] = note


@reads("images of D3KE's layout", "write the files again")
def read_image_heads(path: Path) -> tuple[str, tuple[int, int, int], list[int]]:
    """Return name, (frames, height, width) and the numbers of the frames that were written, of `N_PGx_img.hdf5`."""
    with _open_after_trial(path) as file:
        images = own_dataset(file, "images", path)
        # Frames that nobody wrote have no chunk: the index tells them without reading a pixel.
        written = [images.id.get_chunk_info(at).chunk_offset[0] for at in range(images.id.get_num_chunks())]
        name = own_dataset(file, "name", path)[0].decode()
        n_frames, height, width, _ = images.shape
        return name, (int(n_frames), int(height), int(width)), sorted(int(frame) for frame in written)


def _open_after_trial(path: Path) -> h5py.File:
    if path.is_file():
        check_hdf5(path)
    return _open(path)


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise MissingError(path, expected="a file of D3KE's layout", got="no file", remedy="run 'movi-prep shard'")
    with reading(path, expected="an HDF5 file", remedy="write the files again"):
        return open_hdf5(path)


def _write_rows(file: h5py.File, rows: Mapping[str, NDArray[Any]], dtypes: Mapping[str, str]) -> None:
    if set(rows) != set(dtypes):
        raise InternalError(f"D3KE labels: expected {sorted(dtypes)}, but got {sorted(rows)}")
    # Only their number links the rows of all datasets: lengths must agree.
    if len({len(values) for values in rows.values()}) != 1:
        raise InternalError("D3KE labels: expected one length, but the datasets differ")
    for name, dtype in dtypes.items():
        values = np.asarray(rows[name], dtype=dtype)
        # one row to a chunk: the training code reads row by row
        chunks = {"chunks": (1, *values.shape[1:])} if values.ndim > 1 else {}
        # A full disk would end the process within HDF5.
        check_space(Path(file.filename).parent, values.nbytes)
        file.create_dataset(name, data=values, **chunks, **_GZIP)


def write_images(
    path: Path,
    frames: Iterable[tuple[int, NDArray[np.uint8]]],
    *,
    name: str,
    shape: tuple[int, int, int],
    note: str = "",
) -> None:
    """Write `N_PGx_img.hdf5` atomically, one frame at a time; frames that do not come stay black and take no room.

    Args:
        path: the file.
        frames: (frame number, (height, width, 3) uint8 BGR) in any order.
        name: name of the video.
        shape: number of frames of the video, height and width, pixels.
        note: description of an alteration, "" for none.
    """
    n_frames, height, width = shape
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        _write_note(file, note)
        pack = _Packer()
        file.create_dataset("name", data=np.array([name], dtype="S150"))
        file.create_dataset("numFrames", data=np.array([n_frames], dtype="i8"))
        images = file.create_dataset(
            "images", shape=(n_frames, height, width, 3), dtype="u1", chunks=(1, height, width, 3), **_GZIP
        )
        for number, image in frames:
            # Packed it is far smaller; the free space must hold the worst frame.
            check_space(path.parent, image.nbytes)
            # Packed here: HDF5's own call knows one way of packing, and takes the longest for it.
            images.id.write_direct_chunk((number, 0, 0, 0), pack(image))


_WAYS = (Way("ISA-L", 2), Way("libdeflate", 2), Way("libdeflate", 4), Way("libdeflate", 6))
"""Ways of deflate for pictures, the fastest first. Noise packs as well without a search; a smooth picture needs one."""

_MORE_THAN_BEST = 1.08
"""Largest size of a packed picture, as a multiple of what the last way makes of it, which is as small as gzip's level 9
to within 1 %."""


class _Packer:
    """A packer that keeps the fastest way whose result was small enough on the picture of the last trial."""

    def __init__(self) -> None:
        self._way, self._n_packed = _WAYS[-1], 0

    def __call__(self, image: NDArray[np.uint8]) -> bytes:
        content = np.ascontiguousarray(image).data.cast("B")
        # Tried on pictures 0, 1, 2, 4, 8, ...: the first is a whole frame, and light and noise of a video change.
        if self._n_packed & (self._n_packed - 1) == 0:
            self._way = _fastest_way(content)
        self._n_packed += 1
        return self._way.pack(content)


def _fastest_way(content: memoryview) -> Way:
    *faster, best = _WAYS
    enough = _MORE_THAN_BEST * len(best.pack(content))
    return next((way for way in faster if len(way.pack(content)) <= enough), best)


def write_boxes(path: Path, boxes: NDArray[np.float64]) -> None:
    """Write `N_PGx_bbox.npy` atomically: (n, 4) column, row, width, height of every video frame, pixels."""
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, np.asarray(boxes, dtype=np.float64), allow_pickle=False)


def write_dictionary(path: Path, entries: Mapping[int, Any]) -> None:
    """Write `all_bbox.npy` or `videoIdx.npy` atomically: a dict inside a 0-d object array.

    Any numpy loads it, from the 1.20 of the released code's environment on; what `np.save` writes needs 1.26.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        # `np.save` would pickle with numpy's new module names, which older versions do not have.
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(dump_array_pickle(np.array(dict(entries), dtype=object)))


def read_dictionary(path: Path) -> dict[int, Any]:
    """Read `all_bbox.npy` or `videoIdx.npy`; only numbers, names and arrays are unpickled.

    Raises:
        MissingError: the file does not exist.
        InputError: it holds something else.
    """
    if not path.is_file():
        raise MissingError(path, expected="a file of D3KE's layout", got="no file", remedy="run 'movi-prep shard'")
    with (
        reading(path, expected="a dictionary by subject (.npy)", remedy="write the files again"),
        path.open("rb") as stream,
    ):
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        table = load_array_pickle(stream.read(), where=str(path), remedy="write the files again")
    # The dict lies in a 0-d array; files of other writers may hold it bare.
    content = table.item() if isinstance(table, np.ndarray) and table.ndim == 0 else table
    if not isinstance(content, dict):
        raise InputError(path, expected="a dict", got=type(content).__name__, remedy="check which file this is")
    return content


def write_base_model(path: Path, model: BaseModel) -> None:
    """Write `pyBaseModel.pkl` atomically; D3KE's code unpickles it without this project installed."""
    write_bytes(path, dump_plain(base_model_tree(model)))


def read_base_model(path: Path) -> BaseModel:
    """Read `pyBaseModel.pkl`; only the classes of the layout are known, and no code runs that the file names.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not such a pickle.
    """
    if not path.is_file():
        raise MissingError(path, expected="a base model", got="no file", remedy="run 'movi-prep shard'")
    with reading(path, expected="a base model", remedy="run 'movi-prep shard'"):
        tree = load_plain(path.read_bytes(), package=_PACKAGE, where=str(path)).attributes
        return BaseModel(
            bodies=tuple(_read_body(part.attributes) for part in tree["bodySet"].attributes["bodies"]),
            joints=tuple(_read_joint(part.attributes) for part in tree["jointSet"].attributes["joints"]),
            markers=tuple(_read_marker(part.attributes) for part in tree["markerSet"].attributes["markers"]),
            couplers=tuple(_read_coupler(part.attributes) for part in tree["constraintSet"].attributes["constraints"]),
        )


def base_model_tree(model: BaseModel) -> Foreign:
    """Return the attribute tree that D3KE's code expects of its base model."""
    bodies = [_body(body) for body in model.bodies]
    joints = [_joint(joint) for joint in model.joints]
    markers = [_marker(marker) for marker in model.markers]
    coordinates = {
        coordinate.name: [foreign, index]
        for joint, foreign in zip(model.joints, joints, strict=True)
        for index, coordinate in enumerate(joint.coordinates)
    }
    return _foreign(
        "PyOpenSimModel",
        "PyOpenSimModel",
        bodySet=_foreign("BodySet", "BodySet", bodies=bodies, bodiesDict=_by_name(bodies)),
        jointSet=_foreign(
            "JointSet", "JointSet", joints=joints, jointsDict=_by_name(joints), coordinatesDict=coordinates
        ),
        markerSet=_foreign("MarkerSet", "MarkerSet", markers=markers, markerDict=_by_name(markers)),
        constraintSet=_foreign(
            "ConstraintSet", "ConstraintSet", constraints=[_constraint(coupler) for coupler in model.couplers]
        ),
    )


def _foreign(module: str, kind: str, /, **attributes: Any) -> Foreign:
    return Foreign(f"{_PACKAGE}.{module}", kind, attributes)


def _by_name(parts: list[Foreign]) -> dict[str, Foreign]:
    return {part.attributes["name"]: part for part in parts}


def _body(body: BaseBody) -> Foreign:
    return _foreign(
        "BodySet",
        "Body",
        name=body.name,
        mesh=list(body.meshes),
        mass=float(body.mass_kg),
        massCenter=list(body.mass_centre_m),
        inertia=list(body.inertia_kg_m2),
        scale=list(body.mesh_scale),
        representation=3,
    )


def _joint(joint: BaseJoint) -> Foreign:
    frames = _foreign(
        "JointSet",
        "Frame",
        # the code tells the root by "ground" in the parent's name
        parentFrame="/ground" if joint.parent_body == "ground" else joint.parent_body,
        parentLoc=list(joint.parent_location_m),
        parentOrientation=list(joint.parent_orientation_rad),
        childFrame=joint.child_body,
        childLoc=list(joint.child_location_m),
        childOrientation=list(joint.child_orientation_rad),
    )
    coordinates = [
        _foreign(
            "JointSet",
            "Coordinate",
            name=coordinate.name,
            coordinateType=1 if coordinate.rotates else 2,
            defaultValue=float(coordinate.default),
            minValue=float(coordinate.minimum),
            maxValue=float(coordinate.maximum),
            locked=coordinate.locked,
        )
        for coordinate in joint.coordinates
    ]
    return _foreign(
        "JointSet",
        "Joint",
        name=joint.name,
        jointType="WeldJoint" if joint.welded else "CustomJoint",
        frames=frames,
        coordinates=coordinates or None,
        spatialTransform=[_axis(axis) for axis in joint.axes] or None,
        otherProperties=None,
    )


def _axis(axis: BaseAxis) -> Foreign:
    return _foreign(
        "JointSet",
        "SpatialTransform",
        transformName=axis.name,
        axis=list(axis.axis),
        coordinateName=axis.coordinate,
        # A line through zero where a coordinate moves the axis, a constant where none does.
        funcType="LinearFunction" if axis.slope else "Constant",
        funcParameters=[float(axis.slope), 0.0] if axis.slope else [0],
    )


def _marker(marker: BaseMarker) -> Foreign:
    return _foreign(
        "MarkerSet",
        "Marker",
        name=marker.name,
        parentFrame=marker.body,
        relativeLoc=list(marker.location_m),
        fixed=marker.fixed,
    )


def _constraint(coupler: BaseCoupler) -> Foreign:
    (x1, y1), (x2, y2) = coupler.first_point, coupler.second_point
    return _foreign(
        "ConstraintSet",
        "Constraint",
        name=coupler.name,
        isEnforced=coupler.enforced,
        funcType="SimmSpline",
        # Text, as an .osim has it; repr keeps every digit.
        funcParameters=[f"{x1!r} {x2!r}", f"{y1!r} {y2!r}"],
        funcName=f"{coupler.name}_function",
        independent_coordinate_names=[coupler.independent],
        dependent_coordinate_name=coupler.dependent,
    )


def _read_body(body: dict[str, Any]) -> BaseBody:
    return BaseBody(
        name=body["name"],
        meshes=tuple(body["mesh"]),
        mass_kg=body["mass"],
        mass_centre_m=tuple(body["massCenter"]),
        inertia_kg_m2=tuple(body["inertia"]),
        mesh_scale=tuple(body["scale"]),
    )


def _read_joint(joint: dict[str, Any]) -> BaseJoint:
    frames = joint["frames"].attributes
    coordinates = [part.attributes for part in joint["coordinates"] or ()]
    return BaseJoint(
        name=joint["name"],
        welded=joint["jointType"] == "WeldJoint",
        # Undoes "/ground" of `_joint`; other parents have no slash.
        parent_body=frames["parentFrame"].removeprefix("/"),
        parent_location_m=tuple(frames["parentLoc"]),
        parent_orientation_rad=tuple(frames["parentOrientation"]),
        child_body=frames["childFrame"],
        child_location_m=tuple(frames["childLoc"]),
        child_orientation_rad=tuple(frames["childOrientation"]),
        coordinates=tuple(
            BaseCoordinate(
                name=coordinate["name"],
                rotates=coordinate["coordinateType"] == 1,
                default=coordinate["defaultValue"],
                minimum=coordinate["minValue"],
                maximum=coordinate["maxValue"],
                locked=coordinate["locked"],
            )
            for coordinate in coordinates
        ),
        axes=tuple(_read_axis(part.attributes) for part in joint["spatialTransform"] or ()),
    )


def _read_axis(axis: dict[str, Any]) -> BaseAxis:
    moves = axis["funcType"] == "LinearFunction"
    return BaseAxis(
        name=axis["transformName"],
        axis=tuple(axis["axis"]),
        coordinate=axis["coordinateName"],
        # Slopes are -1, 0 or 1 in the record; the file holds them as floats.
        slope=round(axis["funcParameters"][0]) if moves else 0,
    )


def _read_marker(marker: dict[str, Any]) -> BaseMarker:
    return BaseMarker(
        name=marker["name"],
        body=marker["parentFrame"],
        location_m=tuple(marker["relativeLoc"]),
        fixed=marker["fixed"],
    )


def _read_coupler(coupler: dict[str, Any]) -> BaseCoupler:
    (x1, x2), (y1, y2) = ([float(part) for part in text.split()][:2] for text in coupler["funcParameters"])
    return BaseCoupler(
        name=coupler["name"],
        enforced=coupler["isEnforced"],
        independent=coupler["independent_coordinate_names"][0],
        dependent=coupler["dependent_coordinate_name"],
        first_point=(x1, y1),
        second_point=(x2, y2),
    )
