"""Verifies files in D3KE's layout as its training code reads them: three files per row, one row at a time.

| check | finds |
|---|---|
| links | datasets whose values lie in another file or under another name |
| layout | a missing file or dataset, another dtype or shape, unequal numbers of rows |
| finite values | NaN or infinity |
| rotations | a root pose that is not a rotation |
| masks | anything but 0 and 1 |
| order | rows that are not sorted by camera, clip and frame, or that a window of frames would not find by counting |
| pictures | a picture that is black inside its box, or not black outside it |
| layer | joint centres that the network's layer does not reproduce from angles, scales and root pose |
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import MoviPrepError
from movi_prep.formats import d3ke
from movi_prep.formats.absent_shards import absent_shards
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.records.advance import Advance, unheard
from movi_prep.records.base_model import BaseModel
from movi_prep.records.label_tables import LabelTables
from movi_prep.stages.d3ke.network_limits import layer_error_m
from movi_prep.stages.shards.verify import CheckedFile, ShardFault, VerifyReport, describe_error, verify_shards

_ROTATION_TOLERANCE = 1e-5

_LAYER_TOLERANCE_M = 1e-3
"""Tolerance, metres: a solver that enforces couplers by a weight, as OpenSim's at D3KE's settings, is off by tenths of
a millimetre."""

_PICTURES_PER_CAMERA = 50
"""Pictures that are unpacked per camera, evenly spread; each is a whole frame in gzip-9, which is slow to unpack."""

Rows = Mapping[str, NDArray[Any]]


def verify_folder(folder: Path, workers: int = 1, advance: Advance = unheard) -> VerifyReport:
    """Verify the shards of a work folder, in both layouts, or of a folder with one layout.

    Raises:
        MissingError: the folder holds no shard.
    """
    native, foreign = (folder / name if (folder / name).is_dir() else folder for name in ("shards", "shards-d3ke"))
    files = verify_d3ke(foreign) if foreign.is_dir() else ()
    if any(native.glob("*.h5")):
        files = (*verify_shards(native, workers, advance).files, *files)
    if not files:
        raise absent_shards(folder, expected="shards of either layout")
    return VerifyReport(files)


def verify_d3ke(folder: Path) -> tuple[CheckedFile, ...]:
    """Verify all subjects of a folder in D3KE's layout; return () if it holds none."""
    subjects = sorted(
        int(match[1]) for path in folder.glob("*.hdf5") if (match := re.match(r"subject_(\d+)\.", path.name))
    )
    if not subjects:
        return ()
    tables = read_label_tables()
    shared = _checked(folder / "pyBaseModel.pkl", _shared_faults(folder, subjects))
    try:
        base = d3ke.read_base_model(folder / "pyBaseModel.pkl")
    except Exception:  # noqa: BLE001 - as below
        # Faults of the shared files are reported elsewhere; without them the layer cannot be run.
        base = None
    return (shared, *(_verify_subject(folder, subject, tables, base) for subject in subjects))


def _verify_subject(folder: Path, subject: int, tables: LabelTables, base: BaseModel | None) -> CheckedFile:
    """Verify one subject; if reading its files raises, that is a finding."""
    path = folder / f"subject_{subject}.hdf5"
    try:
        rows = d3ke.read_rows(path)
        opensim = d3ke.read_rows(folder / f"subject_{subject}_opensim.hdf5")
        faults = list(_subject_faults(folder, subject, rows, opensim, tables=tables, base=base))
    except Exception as error:  # noqa: BLE001 - a damaged file can fail in any place that reads it
        return CheckedFile(path, 0, (ShardFault(path, "file", describe_error(error)),))
    return CheckedFile(path, len(rows.get("frame", ())), tuple(ShardFault(path, *fault) for fault in faults))


def _subject_faults(
    folder: Path, subject: int, rows: Rows, opensim: Rows, *, tables: LabelTables, base: BaseModel | None
) -> Iterator[tuple[str, str]]:
    broken = [*_link_faults(folder, subject), *_layout_faults(rows, opensim, subject, tables)]
    yield from broken
    if broken:
        # Later checks would report the same datasets with less clear messages.
        return
    yield from _value_faults(rows, opensim)
    yield from _order_faults(rows)
    yield from _picture_faults(folder, subject, rows)
    if base is not None:
        yield from _layer_faults(base, tables, opensim, subject)


def _link_faults(folder: Path, subject: int) -> Iterator[tuple[str, str]]:
    names = (f"subject_{subject}.hdf5", f"subject_{subject}_opensim.hdf5", f"{subject}_*_img.hdf5")
    for path in sorted(found for name in names for found in folder.glob(name)):
        for part, what in d3ke.read_foreign_parts(path):
            yield f"{path.name}, {part}", f"expected it in the file itself, but got {what}"


def _checked(path: Path, faults: Iterator[tuple[str, str]]) -> CheckedFile:
    return CheckedFile(path, 0, tuple(ShardFault(path, where, what) for where, what in faults))


def _shared_faults(folder: Path, subjects: Sequence[int]) -> Iterator[tuple[str, str]]:
    try:
        d3ke.read_base_model(folder / "pyBaseModel.pkl")
    except Exception as error:  # noqa: BLE001 - whatever a damaged file raises is a finding about it
        yield "base model", describe_error(error)
    for name in ("all_bbox.npy", "videoIdx.npy"):
        try:
            table = d3ke.read_dictionary(folder / name)
        except Exception as error:  # noqa: BLE001 - likewise
            yield name, describe_error(error)
            continue
        lacking = sorted(set(subjects) - set(table))
        if lacking:
            yield name, f"expected an entry for every subject, but {lacking} have none"


def _layout_faults(rows: Rows, opensim: Rows, subject: int, tables: LabelTables) -> Iterator[tuple[str, str]]:
    scale = f"{subject}_boneScale"
    for found, dtypes in ((rows, d3ke.LABEL_DTYPES), (opensim, {**d3ke.OPENSIM_DTYPES, scale: "f8"})):
        for name, dtype in dtypes.items():
            if name not in found:
                yield name, "the dataset is missing"
            elif found[name].dtype != np.dtype(dtype):
                yield name, f"expected dtype {np.dtype(dtype)}, but got {found[name].dtype}"
    if "frame" not in rows:
        return
    n, shapes = len(rows["frame"]), _shapes(tables)
    for name, values in {**rows, **opensim}.items():
        expected = (len(tables.bodies), 3) if name == scale else (n, *shapes.get(name, ()))
        if values.shape != expected:
            yield name, f"expected shape {expected}, but got {values.shape}"


def _shapes(tables: LabelTables) -> dict[str, tuple[int, ...]]:
    joints, markers, coordinates = len(tables.joints), len(tables.markers), len(tables.coordinates)
    return {
        **dict.fromkeys(("pos3d", "sim_pos3d"), (joints, 3)),
        **dict.fromkeys(("marker_pos3d", "sim_marker_pos3d"), (markers, 3)),
        "pos3d_mask": (joints,),
        "marker_pos3d_mask": (markers,),
        "bbox": (4,),
        "openSimJointPos": (len(tables.opensim_joints), 3),
        **dict.fromkeys(("coordinateAngle", "coordinateMask"), (coordinates,)),
        "rootRot": (4, 4),
    }


def _value_faults(rows: Rows, opensim: Rows) -> Iterator[tuple[str, str]]:
    for name, values in {**rows, **opensim}.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            yield name, f"{np.count_nonzero(~np.isfinite(values))} values are NaN or infinite"
        if name.lower().endswith("mask") and not np.isin(values, (0.0, 1.0)).all():
            yield name, "expected a mask of 0 and 1"
    # Older files have rows without a pose, with no valid coordinate and no root.
    solved = opensim["coordinateMask"].any(axis=1)
    rotations = opensim["rootRot"][solved, :3, :3]
    errors = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2), initial=0.0)
    bad = (errors > _ROTATION_TOLERANCE) | (np.linalg.det(rotations) < 0)
    if bad.any():
        yield "rootRot", f"{np.count_nonzero(bad)} of {len(bad)} are not rotations"


def _order_faults(rows: Rows) -> Iterator[tuple[str, str]]:
    keys = list(zip(rows["cameraType"].tolist(), rows["videoID"].tolist(), rows["frame"].tolist(), strict=True))
    if keys != sorted(keys):
        yield "rows", "expected them sorted by camera, clip and frame"
    same_clip = np.array([here[:2] == after[:2] for here, after in itertools.pairwise(keys)], dtype=bool)
    if np.any(np.diff(rows["globalFrame"] - rows["frame"])[same_clip] != 0):
        yield "frame", "frame numbers of a clip do not increase with those of the video"
    for name in ("startFrame", "globalEndFrame"):
        if lost := _lost_ends(keys, rows["globalFrame"], rows[name]):
            yield name, f"{lost} rows are not as many rows from this frame as frames: windows would mix clips"


def _lost_ends(keys: Sequence[tuple[Any, ...]], frames: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Return for how many rows the training code, which counts rows, would miss the end of a window."""
    rows = zip(keys, frames.tolist(), ends.tolist(), strict=True)
    # The code counts rows from this one: row + (end - frame) must be the row that shows `end`, of the same clip.
    return sum(
        not 0 <= (other := row + end - frame) < len(keys) or keys[other][:2] != key[:2] or frames[other] != end
        for row, (key, frame, end) in enumerate(rows)
    )


def _picture_faults(folder: Path, subject: int, rows: Rows) -> Iterator[tuple[str, str]]:
    for camera in sorted({name.decode() for name in rows["cameraType"].tolist()}):
        path = folder / f"{subject}_{camera}_img.hdf5"
        numbers = np.flatnonzero(rows["cameraType"] == camera.encode())
        # A fixed number, because unpacking every frame takes as long as writing did.
        picks = numbers[np.unique(np.linspace(0, len(numbers) - 1, _PICTURES_PER_CAMERA).astype(int))]
        try:
            for row in picks.tolist():
                fault = _box_fault(d3ke.read_image(path, int(rows["globalFrame"][row])), rows["bbox"][row])
                if fault:
                    yield f"{path.name}, frame {int(rows['globalFrame'][row])}", fault
        except MoviPrepError as error:
            yield path.name, str(error)


def _box_fault(image: NDArray[np.uint8], box_px: NDArray[np.int64]) -> str:
    left, top, width, height = (int(value) for value in box_px)
    inside = np.zeros(image.shape[:2], dtype=bool)
    inside[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
    if not image[inside].any():
        return "black inside the box"
    return "not black outside the box" if image[~inside].any() else ""


def _layer_faults(base: BaseModel, tables: LabelTables, opensim: Rows, subject: int) -> Iterator[tuple[str, str]]:
    try:
        error_m = layer_error_m(base, tables, dict(opensim), opensim[f"{subject}_boneScale"])
    except (MoviPrepError, KeyError) as error:
        yield "layer", f"the network's layer cannot be run: {error}"
        return
    if error_m > _LAYER_TOLERANCE_M:
        yield "layer", f"the network's layer puts joint centres up to {error_m * 1e3:.2f} mm from the written ones"
