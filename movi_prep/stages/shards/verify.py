"""Verify shards the way training reads them: every file, every picture, in several processes.

| check | finds |
|---|---|
| schema | a missing field, another dtype or shape, axes that disagree |
| checksums | a changed or damaged byte |
| finite values | NaN or infinity where a mask says that there is a label |
| rotations | matrices that are none |
| pictures | one that cannot be decoded, or has another size than the file says |
| pixels | labels marked as in the image that lie outside it, or outside the box while inside the body's extent |
| frames | labels in world and camera frame that the camera does not carry onto each other |
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import MissingError, MoviPrepError, list_names
from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.shard import PICTURES, ShardFile
from movi_prep.formats.shard_schema import ROTATION_FIELDS, SHARD_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.described_hdf5 import Field

_ROTATION_TOLERANCE = 1e-5
"""float32 keeps seven digits."""

_FRAME_TOLERANCE_M = 1e-5

_BOX_TOLERANCE_PX = 1.0
"""Boxes are drawn around a sample of the mesh's vertices."""


@dataclass(frozen=True)
class ShardFault:
    """One thing that is wrong.

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
    """One file that was verified.

    Attributes:
        path: the file.
        n_rows: rows in it.
        faults: what is wrong with it.
    """

    path: Path
    n_rows: int
    faults: tuple[ShardFault, ...]


@dataclass(frozen=True)
class VerifyReport:
    """What was verified, and what is wrong."""

    files: tuple[CheckedFile, ...]

    @property
    def shards(self) -> tuple[Path, ...]:
        """Files that were read."""
        return tuple(item.path for item in self.files)

    @property
    def n_rows(self) -> int:
        """Rows in them."""
        return sum(item.n_rows for item in self.files)

    @property
    def n_bytes(self) -> int:
        """Size of the files."""
        return sum(item.path.stat().st_size for item in self.files if item.path.is_file())

    @property
    def faults(self) -> tuple[ShardFault, ...]:
        """Everything that is wrong, by file."""
        return tuple(fault for item in self.files for fault in item.faults)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify_shards(folder: Path, workers: int = 1) -> VerifyReport:
    """Verify all native shards of a folder, in `workers` processes.

    Raises:
        MissingError: there is no shard.
    """
    paths = tuple(sorted(path for path in folder.glob("*.h5") if not path.name.startswith(".")))
    if not paths:
        raise MissingError(folder, expected="shards (*.h5)", got="none", remedy="run 'movi-prep shard'")
    if workers == 1:
        checked = [verify_shard(path) for path in paths]
    else:
        # Spawned, not forked: the caller may hold threads and open files.
        with ProcessPoolExecutor(max_workers=workers, mp_context=get_context("spawn")) as pool:
            checked = list(pool.map(verify_shard, paths))
    return VerifyReport(tuple(checked))


def verify_shard(path: Path) -> CheckedFile:
    """Verify one shard."""
    try:
        with ShardFile(path) as shard:
            faults = tuple(ShardFault(path, where, what) for where, what in _faults(shard))
            return CheckedFile(path, shard.n_rows, faults)
    except (MoviPrepError, OSError, KeyError) as error:
        # A damaged file can fail in any place that reads it; the damage is the finding.
        return CheckedFile(path, 0, (ShardFault(path, "file", " ".join(str(error).split())),))


def _faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    schema = list(_schema_faults(shard))
    yield from schema
    if schema:
        # What follows would trip over the same fields with a message that says less.
        return
    for field in shard.faulty_checksums():
        yield field, "the checksum does not fit: values were changed after they were written"
    yield from _value_faults(shard)
    yield from _rotation_faults(shard)
    yield from _frame_faults(shard)
    yield from _pixel_faults(shard)
    yield from _picture_faults(shard)


def _schema_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    axes: dict[str, int] = {}
    for item in SHARD_SCHEMA.fields:
        if item.name not in shard:
            # What a later version added is not missing from an older file.
            if not item.optional and item.since <= shard.version:
                yield item.name, "the field is missing"
            continue
        shape, dtype = shard.layout(item.name)
        if not _dtype_fits(item, dtype):
            yield item.name, f"expected {item.dtype}, but got {dtype}"
        if not _shape_fits(item, shape, axes):
            yield item.name, f"expected dims {item.dims} with {axes}, but got shape {shape}"
    if axes.get("row") == 0:
        yield "frames/clip", "the shard has no rows"


def _dtype_fits(item: Field, dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "S" if item.dtype == STRING else dtype == np.dtype(item.dtype)


def _shape_fits(item: Field, shape: tuple[int, ...], axes: dict[str, int]) -> bool:
    return len(shape) == len(item.dims) and all(
        length == (dim if isinstance(dim, int) else axes.setdefault(dim, length))
        for dim, length in zip(item.dims, shape, strict=True)
    )


_MAY_BE_NAN = (
    *("clips/lag_s", "clips/rotation_deg", "clips/offset_m", "subject/body_scales"),
    *("clips/picture_agreement", "clips/picture_lag_s", "clips/picture_offset_px", "clips/picture_on_body"),
    *("clips/picture_by_chance", "clips/other_agreement"),
)
"""NaN where nothing was measured, or the model has no such body."""

_MAY_BE_INFINITE = ("tree/piece_start", "tree/coordinate_range", "labels/coordinates_std_rad")
"""The first piece of a function reaches to -infinity; so do deviations of what no marker sees, to the other."""


def _value_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    for item in SHARD_SCHEMA.fields:
        if item.name not in shard or item.dtype == STRING or item.name == PICTURES:
            continue
        values = shard.read(item.name)
        if values.dtype.kind != "f" or item.name in _MAY_BE_NAN:
            continue
        # Infinity is a value of these, NaN is none of any.
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
        error = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        bad = (error > _ROTATION_TOLERANCE) | (np.linalg.det(rotations) < 0)
        if bad.any():
            yield name, f"{bad.sum()} of {bad.size} matrices are no rotations, R R^T off by up to {error.max():.2g}"


def _frame_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    """The camera must carry labels of the world onto those of its own frame, the pelvis included."""
    rotation = shard.read("camera/world_to_camera_rotation")
    translation = shard.read("camera/world_to_camera_translation_m")
    pose_valid = shard.read("labels/pose_valid")
    # What the body itself shows is there in every row; what the fitted model says only where it has a pose.
    for kind, always in (("joints", True), ("markers", True), ("opensim_joints", False)):
        rows = slice(None) if always else pose_valid
        world = shard.read(f"labels/{kind}_world_m")[rows].astype(np.float64)
        camera = shard.read(f"labels/{kind}_camera_m")[rows]
        # A point that was not seen, or that the model does not have, is zero in both frames.
        known = world.any(axis=-1)
        off = np.linalg.norm(world @ rotation.T + translation - camera, axis=-1)[known]
        if off.size and off.max() > _FRAME_TOLERANCE_M:
            yield f"labels/{kind}_camera_m", f"off the camera's view of the world by up to {off.max():.2g} m"
    pelvis = rotation @ shard.read("labels/pelvis_rotation_world") - shard.read("labels/pelvis_rotation_camera")
    if np.abs(pelvis).max() > _ROTATION_TOLERANCE:
        yield "labels/pelvis_rotation_camera", f"off the turned pelvis by up to {np.abs(pelvis).max():.2g}"


def _pixel_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    size = np.array([shard.attribute("image_width_px"), shard.attribute("image_height_px")])
    source = shard.read("crops/source_px").astype(np.float64)[:, None]
    body = shard.read("crops/body_px").astype(np.float64)[:, None]
    for kind in ("joints", "markers"):
        pixels, inside = shard.read(f"labels/{kind}_px").astype(np.float64), shard.read(f"labels/{kind}_in_image")
        outside = inside & ~((pixels >= -0.5 - 1e-3) & (pixels < size - 0.5 + 1e-3)).all(axis=-1)
        if outside.any():
            yield f"labels/{kind}_px", f"{outside.sum()} marked as in the image lie outside"
        on_body = inside & _within(pixels, body[..., :2], body[..., 2:])
        lost = on_body & ~_within(pixels, source[..., :2] - 0.5, source[..., :2] + source[..., 2:] - 0.5)
        if lost.any():
            row = int(np.flatnonzero(lost.any(axis=1))[0])
            yield f"labels/{kind}_px", f"{lost.sum()} on the body lie outside their crop, first in row {row}"


def _within(pixels: NDArray[np.float64], near: NDArray[np.float64], far: NDArray[np.float64]) -> NDArray[np.bool_]:
    tolerance = _BOX_TOLERANCE_PX
    return np.asarray(((pixels >= near - tolerance) & (pixels <= far + tolerance)).all(axis=-1))


def _picture_faults(shard: ShardFile) -> Iterator[tuple[str, str]]:
    # OpenCV takes its time to load; a broken schema ends before this.
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
