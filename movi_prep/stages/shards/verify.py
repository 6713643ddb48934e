"""Verifies shards as training reads them: every file and every picture, in several processes.

| check | finds |
|---|---|
| links | fields, groups and attributes whose values lie in another file or under another name |
| schema | a missing field, another dtype or shape, axes that disagree, another unit or frame |
| attributes | invalid numbers, names and lists; a subject or camera that contradicts the file's name |
| checksums | a changed or damaged byte, of values and (from version 3 on) of attributes |
| finite values | NaN or infinity where the mask marks a label |
| rotations | matrices that are not rotations |
| pictures | one that cannot be decoded, or has another size than the file says |
| pixels | labels marked as in the image that lie outside it, or outside the box but inside the body's extent |
| frames | labels in world and camera frame that the camera's pose does not map onto each other |
| tree | joint centres or a pelvis that do not follow from the model's tree, the angles and the root pose |
| splits | shards of one subject in different parts of the data |
"""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from movi_prep.errors import InputError, InternalError, MoviPrepError, list_names
from movi_prep.formats.absent_shards import absent_shards
from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.hdf5_trial import REMEDY, check_hdf5
from movi_prep.formats.shard import PICTURES, ShardFile
from movi_prep.formats.shard_records import (
    read_body_scales,
    read_clip_ids,
    read_frame_labels,
    read_label_names,
    read_shard_camera,
    read_subject_name,
)
from movi_prep.formats.shard_schema import DATASETS, ROTATION_FIELDS, SHARD_SCHEMA
from movi_prep.formats.trial_load import Limits, load_apart
from movi_prep.geometry.projection import rotation_to_camera, world_to_camera
from movi_prep.geometry.tree_labels import place_tree
from movi_prep.records.advance import Advance, advancing, unheard
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.label_tables import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.described_hdf5 import Field
    from movi_prep.records.camera import Camera
    from movi_prep.records.frame_labels import FrameLabels

_ROTATION_TOLERANCE = 1e-5
"""Relative tolerance: float32 keeps seven digits."""

_FRAME_TOLERANCE_M = 1e-5

_TREE_TOLERANCE_M = 1e-3
"""Tolerance, metres: a solver that enforces couplers by a weight, as OpenSim's, is off by tenths of a millimetre."""

_TREE_ROTATION_TOLERANCE = 1e-4

_SHORTEST_S, _SLOWEST_BYTES_PER_S, _MEMORY_BYTES = 30, 2 * 2**20, 4 * 2**30
"""A shard is damaged if reading it takes more processor time than this plus what its size explains, or more memory."""

_BOX_TOLERANCE_PX = 1.0
"""Tolerance, pixels: boxes are computed from a sample of the mesh's vertices."""


@dataclass(frozen=True)
class ShardFault:
    """One fault.

    Attributes:
        path: the shard.
        where: field, rows, or "file".
        what: what was expected and what came.
    """

    path: Path
    where: str
    what: str

    def __str__(self) -> str:
        """Return one line for a table."""
        return f"{self.path.name}: {self.where}: {self.what}"


@dataclass(frozen=True)
class CheckedFile:
    """One verified file.

    Attributes:
        path: the file.
        n_rows: rows in it.
        faults: its faults.
        split: its subject, and the part of the data that it says it belongs to; None if it does not say.
    """

    path: Path
    n_rows: int
    faults: tuple[ShardFault, ...]
    split: tuple[str, str] | None = None


@dataclass(frozen=True)
class VerifyReport:
    """The verified files and their faults."""

    files: tuple[CheckedFile, ...]

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files that were read."""
        return tuple(item.path for item in self.files)

    @property
    def n_rows(self) -> int:
        """Number of rows in them."""
        return sum(item.n_rows for item in self.files)

    @property
    def n_bytes(self) -> int:
        """Size of the files."""
        return sum(item.path.stat().st_size for item in self.files if item.path.is_file())

    @property
    def faults(self) -> tuple[ShardFault, ...]:
        """All faults, file by file."""
        return tuple(fault for item in self.files for fault in item.faults)

    @property
    def is_sound(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


def verify_shards(folder: Path, workers: int = 1, advance: Advance = unheard) -> VerifyReport:
    """Verify all native shards of a folder, in `workers` processes; `advance` receives the fraction that is done.

    Raises:
        MissingError: there is no shard.
    """
    paths = tuple(sorted(path for path in folder.glob("*.h5") if not path.name.startswith(".")))
    if not paths:
        raise absent_shards(folder)
    if workers == 1:
        checked = list(advancing(map(verify_shard, paths), advance, total=len(paths)))
    else:
        # Spawned, not forked: the caller may hold threads and open files.
        with ProcessPoolExecutor(max_workers=workers, mp_context=get_context("spawn")) as pool:
            checked = list(advancing(pool.map(verify_shard, paths), advance, total=len(paths)))
    return VerifyReport(tuple(_with_split_faults(checked)))


def verify_shard(path: Path) -> CheckedFile:
    """Verify one shard in a separate process; if reading it raises or ends the process, that is a finding."""
    n_bytes = path.stat().st_size if path.is_file() else 0
    processor_s = _SHORTEST_S + n_bytes // _SLOWEST_BYTES_PER_S
    # Ten times the processor time on the wall clock: a busy machine or a slow disk is no fault of the file.
    limits = Limits(longest_s=10 * processor_s, processor_s=processor_s, memory_bytes=_MEMORY_BYTES + 4 * n_bytes)
    try:
        if path.is_file():
            # A limit for each part finds most endless loops within seconds; the whole has more time.
            check_hdf5(path)
        checked = load_apart(path, lambda: _verify_here(path), limits=limits, remedy=REMEDY)
    except InputError as error:
        checked = CheckedFile(path, 0, (ShardFault(path, "file", describe_error(error)),))
    if checked is None:
        raise InternalError(f"{path}: verifying it in a separate process gave no result")
    return checked


def _verify_here(path: Path) -> CheckedFile:
    try:
        with ShardFile(path) as shard:
            faults = tuple(ShardFault(path, where, what) for where, what in _faults(shard))
            return CheckedFile(path, shard.n_rows, faults, split=_split(shard))
    except Exception as error:  # noqa: BLE001 - a damaged file can fail in any place that reads it
        return CheckedFile(path, 0, (ShardFault(path, "file", describe_error(error)),))


def describe_error(error: Exception) -> str:
    """Return one line about an error that reading a damaged file raised."""
    says = " ".join(str(error).split())
    # Our own errors are sentences. Those of h5py or numpy are not, so their type is added.
    return says if isinstance(error, MoviPrepError) else f"it cannot be read ({type(error).__name__}: {says[:300]})"


def _split(shard: ShardFile) -> tuple[str, str]:
    return read_subject_name(shard), str(shard.attribute("split"))


def _with_split_faults(files: Sequence[CheckedFile]) -> Iterator[CheckedFile]:
    """Yield the files with the faults that only several together show: a subject must be in one part of the data."""
    parts: dict[str, Counter[str]] = {}
    for item in files:
        if item.split is not None:
            parts.setdefault(item.split[0], Counter())[item.split[1]] += 1
    for item in files:
        if item.split is None or len(parts[item.split[0]]) == 1:
            yield item
        else:
            subject, split = item.split
            others = list_names(sorted(set(parts[subject]) - {split}))
            conflict = f"subject {subject} is in {split} here, but in {others} in other shards"
            yield replace(item, faults=(*item.faults, ShardFault(item.path, "split", conflict)))


def _faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    elsewhere = dict(shard.foreign_parts())
    schema = [fault for fault in _schema_faults(shard) if not _is_below(fault[0], elsewhere)]
    broken = [*((name, f"expected it in the file itself, but got {what}") for name, what in elsewhere.items()), *schema]
    yield from broken
    yield from _attribute_faults(shard)
    if broken:
        # Later checks would report the same fields with less clear messages.
        return
    for field in shard.faulty_checksums():
        yield field, "the checksum does not match: values were changed after they were written"
    if shard.metadata_changed():
        yield "attributes", "the checksum does not match: attributes were changed after they were written"
    # Raises if the clips' names are invalid; the caller turns that into a finding.
    read_clip_ids(shard)
    yield from _value_faults(shard)
    yield from _rotation_faults(shard)
    labels, camera = read_frame_labels(shard), read_shard_camera(shard)
    yield from _frame_faults(labels, camera)
    yield from _tree_faults(shard, labels)
    yield from _pixel_faults(shard, labels, camera)
    yield from _picture_faults(shard)


def _is_below(field: str, names: Iterable[str]) -> bool:
    """Return whether a field, or a group that contains it, is among some names."""
    return any(field == name or field.startswith(f"{name}/") for name in names)


def _schema_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    axes: dict[str, int] = {}
    for item in SHARD_SCHEMA.fields:
        if item.name not in shard:
            # An older file need not have a field of a later version.
            if not item.optional and item.since <= shard.version:
                yield item.name, "the field is missing"
            continue
        try:
            shape, dtype = shard.layout(item.name)
        except InputError as error:
            yield item.name, f"expected {error.expected}, but got {error.got}"
            continue
        yield from _description_faults(shard, item)
        if not _dtype_fits(item, dtype):
            yield item.name, f"expected {item.dtype}, but got {dtype}"
        if not _shape_fits(item, shape, axes):
            yield item.name, f"expected dims {item.dims} with {axes}, but got shape {shape}"
    if axes.get("row") == 0:
        yield "frames/clip", "the shard has no rows"


def _description_faults(shard: ShardFile, item: Field) -> Iterator[tuple[str, str]]:
    """Yield units, frames and axes that differ from the schema's: the numbers would be misread."""
    said = shard.description(item.name)
    for name, expected in (("unit", item.unit), ("frame", item.frame), ("dims", json.dumps(list(item.dims)))):
        if said[name] != expected:
            yield item.name, f"expected {name} {expected!r}, but got {said[name]!r}"


_NUMBERS = ("image_width_px", "image_height_px", "frame_rate_hz")
_LISTS = {"refused": (int, int, str), "left_out": (int | str, str)}
"""The types in each entry of an attribute that is a JSON list."""


def _attribute_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    """Yield faults of attributes that readers need and no other check covers, also in files without their checksum."""
    for name in _NUMBERS:
        value = shard.attribute(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
            yield name, f"expected a positive number, but got {value!r}"
    for name, kinds in _LISTS.items():
        try:
            entries = shard.attribute(name)
        except ValueError:
            yield name, "expected a JSON list, but got something else"
            continue
        if not isinstance(entries, list) or not all(_is_entry(entry, kinds) for entry in entries):
            yield name, f"expected a list of {len(kinds)} values each, but got {entries!r:.80}"
    split = shard.attribute("split")
    if split not in get_args(Split):
        yield "split", f"expected one of {list_names(get_args(Split))}, but got {split!r}"
    yield from _name_faults(shard)


def _is_entry(entry: Any, kinds: tuple[Any, ...]) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == len(kinds)
        and all(isinstance(value, kind) for value, kind in zip(entry, kinds, strict=True))
    )


def _name_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    """Yield a subject or camera that contradicts the file's name; files with other kinds of names are not checked."""
    number, name, camera = (shard.attribute(which) for which in ("subject", "subject_name", "camera"))
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(camera, str):
        yield "subject", f"expected the number of a subject and the name of a camera, but got {number!r} and {camera!r}"
        return
    if name is not None and (number_of(str(name)) or 0) != number:
        yield "subject", f"expected the number in the name {name!r}, but got {number}"
    subject = read_subject_name(shard)
    said = re.fullmatch(r"(S\d+)_(.+)", shard.path.stem)
    if said and (said[1], said[2]) != (subject, camera):
        yield "file", f"the name says {said[1]} and {said[2]}, the attributes say {subject} and {camera}"


def _dtype_fits(item: Field, dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "S" if item.dtype == STRING else dtype == np.dtype(item.dtype)


def _shape_fits(item: Field, shape: tuple[int, ...], axes: dict[str, int]) -> bool:
    return len(shape) == len(item.dims) and all(
        length == (dim if isinstance(dim, int) else axes.setdefault(dim, length))
        for dim, length in zip(item.dims, shape, strict=True)
    )


_MAY_BE_NAN = (
    *("clips/lag_s", "clips/rotation_deg", "clips/offset_m"),
    *("clips/picture_agreement", "clips/picture_lag_s", "clips/picture_offset_px", "clips/picture_on_body"),
    *("clips/picture_by_chance", "clips/other_agreement"),
)
"""Fields in which NaN means that nothing was measured."""

_MAY_BE_INFINITE = (
    *("tree/piece_start", "tree/coordinate_range"),
    *("labels/coordinates_std_rad", "labels/deviation_factor", "subject/deviation_correlation_s"),
)
"""Fields that may be infinite: where a function's first piece begins, and deviations that no marker determines."""


def _value_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    for item in SHARD_SCHEMA.fields:
        if item.name not in shard or item.dtype == STRING or item.name == PICTURES:
            continue
        if item.name == DATASETS["labels.scales.factors"]:
            # Before version 3, NaN marked an absent body.
            values = read_body_scales(shard).factors
        else:
            values = shard.read(item.name)
        if values.dtype.kind != "f" or item.name in _MAY_BE_NAN:
            continue
        # These fields may be infinite; no field may be NaN.
        bad = np.isnan(values) if item.name in _MAY_BE_INFINITE else ~np.isfinite(values)
        if bad.any():
            yield item.name, f"{bad.sum()} of {bad.size} values are not finite{_first_row(item, bad)}"


def _first_row(item: Field, bad: NDArray[np.bool_]) -> str:
    if item.dims[0] != "row":
        return ""
    return f", first in row {int(np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[0])}"


def _rotation_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    for name in ROTATION_FIELDS:
        if name not in shard:
            continue
        rotations = shard.read(name).astype(np.float64).reshape(-1, 3, 3)
        # Mirrors are orthogonal too, hence the determinant below.
        error = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        bad = (error > _ROTATION_TOLERANCE) | (np.linalg.det(rotations) < 0)
        if bad.any():
            yield name, f"{bad.sum()} of {bad.size} matrices are not rotations, R R^T off by up to {error.max():.2g}"


def _frame_faults(labels: FrameLabels, camera: Camera) -> Iterator[tuple[str, str]]:
    """Yield labels of the camera frame, the pelvis included, that the camera's pose does not give from the world's."""
    root, centres = labels.root, labels.joint_centres
    points = {"joints": labels.joints, "markers": labels.markers, "surface": labels.surface}
    frames: list[tuple[str, NDArray[Any], NDArray[Any], Any]] = [
        *((f"{kind}.camera_m", each.world_m, each.camera_m, True) for kind, each in points.items() if each is not None),
        ("joint_centres.camera_m", centres.world_m, centres.camera_m, centres.valid),
        ("root.pelvis_position_camera_m", root.pelvis_position_world_m, root.pelvis_position_camera_m, root.valid),
    ]
    for attribute, world, seen, valid in frames:
        # A missing point is zero in both frames.
        known = world.any(axis=-1) | seen.any(axis=-1)
        off = np.linalg.norm(world_to_camera(camera, world.astype(np.float64)) - seen, axis=-1)[known & valid]
        if off.max(initial=0.0) > _FRAME_TOLERANCE_M:
            yield (
                DATASETS[f"labels.{attribute}"],
                f"differ by up to {off.max():.2g} m from the world's, seen by the camera",
            )
    turned = rotation_to_camera(camera, root.pelvis_rotation_world) - root.pelvis_rotation_camera
    if np.abs(turned).max() > _ROTATION_TOLERANCE:
        yield (
            DATASETS["labels.root.pelvis_rotation_camera"],
            f"differs by up to {np.abs(turned).max():.2g} from the rotated pelvis",
        )


def _tree_faults(shard: ShardFile, labels: FrameLabels) -> Iterator[tuple[str, str]]:
    """Yield joint centres and a pelvis that do not follow from tree, angles and root pose."""
    tree, names = shard.tree(), read_label_names(shard)
    solved = labels.select(labels.root.valid)
    if tree is None or not solved.n_frames:
        return
    root = solved.root
    answer = place_tree(
        tree,
        coordinate_names=names.coordinates,
        angles_rad=solved.coordinates.angles_rad,
        joint_names=names.opensim_joints,
        root=root,
    )
    if answer is None:
        return
    centres = solved.joint_centres
    misses = {
        "joint_centres.world_m": np.where(
            centres.valid, np.linalg.norm(answer.centres_m - centres.world_m, axis=-1), np.nan
        ),
        "root.pelvis_position_world_m": np.linalg.norm(
            answer.pelvis_position_world_m - root.pelvis_position_world_m, axis=-1
        )[:, None],
    }
    rows = np.flatnonzero(labels.root.valid)
    for attribute, off in misses.items():
        # NaN compares false: there the tree has no answer or the file has no label.
        bad = off > _TREE_TOLERANCE_M
        if bad.any():
            first = rows[np.flatnonzero(bad.any(axis=1))[0]]
            yield (
                DATASETS[f"labels.{attribute}"],
                f"up to {np.nanmax(off) * 1e3:.2f} mm from where tree, angles and root pose put it, "
                f"first in row {first}",
            )
    off = np.abs(answer.pelvis_rotation_world - root.pelvis_rotation_world).max()
    if off > _TREE_ROTATION_TOLERANCE:
        yield DATASETS["labels.root.pelvis_rotation_world"], f"differs from the root frame by up to {off:.2g}"


def _pixel_faults(shard: ShardFile, labels: FrameLabels, camera: Camera) -> Iterator[tuple[str, str]]:
    size = np.array(camera.size_px)
    source = shard.read("crops/source_px").astype(np.float64)[:, None]
    body = shard.read("crops/body_px").astype(np.float64)[:, None]
    for kind, points in (("joints", labels.joints), ("markers", labels.markers)):
        field = DATASETS[f"labels.{kind}.seen_px"]
        pixels, inside = points.seen_px.astype(np.float64), points.in_image
        # Pixel centres are whole numbers: the image reaches half a pixel beyond the first and the last.
        outside = inside & ~((pixels >= -0.5 - 1e-3) & (pixels < size - 0.5 + 1e-3)).all(axis=-1)
        if outside.any():
            yield field, f"{outside.sum()} marked as in the image lie outside"
        on_body = inside & _within(pixels, body[..., :2], body[..., 2:])
        lost = on_body & ~_within(pixels, source[..., :2] - 0.5, source[..., :2] + source[..., 2:] - 0.5)
        if lost.any():
            row = int(np.flatnonzero(lost.any(axis=1))[0])
            yield field, f"{lost.sum()} on the body lie outside their crop, first in row {row}"


def _within(pixels: NDArray[np.float64], near: NDArray[np.float64], far: NDArray[np.float64]) -> NDArray[np.bool_]:
    tolerance = _BOX_TOLERANCE_PX
    return np.asarray(((pixels >= near - tolerance) & (pixels <= far + tolerance)).all(axis=-1))


def _picture_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    # Imported here, because OpenCV is slow to load and not needed if the schema is broken.
    from movi_prep.video.pictures import decode_picture

    sizes = shard.read("crops/size_px")
    bad: dict[str, list[int]] = {}
    for row in range(shard.n_rows):
        try:
            picture = decode_picture(shard.picture(row))
        except MoviPrepError:
            bad.setdefault("cannot be decoded", []).append(row)
            continue
        if picture.shape[1::-1] != tuple(sizes[row]):
            bad.setdefault("have another size than crops/size_px", []).append(row)
    for what, rows in bad.items():
        yield PICTURES, f"{len(rows)} of {shard.n_rows} pictures {what}: rows {list_names(map(str, rows))}"
