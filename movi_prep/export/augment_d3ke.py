"""D3KE's layout altered (see `alterations`): every file of a subject is written again, with the attribute `altered`.

Its files hold no cameras, so that a flip needs their calibration. Each row is mirrored by its own camera.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import AuditError, InputError, UsageError, list_names
from movi_prep.export.alterations import Alteration
from movi_prep.export.augment_native import MIRROR_TOLERANCE_M
from movi_prep.formats import d3ke
from movi_prep.formats.label_tables import read_label_tables, read_mirror_signs
from movi_prep.geometry.mirror import BODY_REFLECTION, mirror_coordinates, mirror_order
from movi_prep.geometry.mirror_world import Mirror, mirror_of
from movi_prep.records.camera import Camera
from movi_prep.records.label_tables import LabelTables
from movi_prep.stages.d3ke.network_limits import layer_error_m

Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Folder:
    """The files of one folder in D3KE's layout, and their cameras, for flips."""

    path: Path
    cameras: Mapping[str, Camera]

    def subjects(self) -> list[int]:
        """Return the numbers of its subjects."""
        # `subject_1` has labels, `subject_1_opensim` lies beside it.
        names = [path.stem.split("_") for path in self.path.glob("subject_*.hdf5")]
        return sorted(int(parts[1]) for parts in names if len(parts) == 2 and parts[1].isdecimal())


def augment_folder(
    folder: Folder, out: Path, alteration: Alteration, *, subjects: Sequence[int], allow_asymmetric: bool = False
) -> tuple[float, list[InputError]]:
    """Write altered files of some subjects, and the shared files.

    Returns:
        The error of a flip's joint centres, metres, and the errors of subjects that are left out.

    Raises:
        UsageError: a flip lacks a camera's calibration.
        InputError: no subject could be altered.
        AuditError: the network's layer misses the mirrored joint centres, and `allow_asymmetric` is not set.
    """
    done = json.dumps({"kind": alteration.kind, "amount": alteration.amount})
    shutil.copyfile(folder.path / "pyBaseModel.pkl", out / "pyBaseModel.pkl")
    boxes = d3ke.read_dictionary(folder.path / "all_bbox.npy")
    clips = d3ke.read_dictionary(folder.path / "videoIdx.npy")
    misses_m: dict[int, float] = {}
    errors: list[InputError] = []
    for subject in subjects:
        try:
            _check_subject(folder.path, subject, boxes, clips)
            misses_m[subject] = _augment_subject(
                folder, out, alteration, subject=subject, note=done, boxes=boxes[subject]
            )
        # One damaged subject must not cost the others; it is reported.
        except InputError as error:
            errors.append(error)
            _remove_subject(out, subject)
    if not misses_m:
        raise errors[0]
    worst_m = max(misses_m.values())
    # Written so that NaN, an unknown distance, is refused too.
    if not worst_m <= MIRROR_TOLERANCE_M and not allow_asymmetric:
        raise AuditError(
            f"{folder.path}: flip: expected a model that is a mirror image of itself, but D3KE's layer misses the "
            f"mirrored joint centres by up to {1e3 * worst_m:.1f} mm; leave 'flip' out, or write it all the same: "
            "--allow-asymmetric"
        )
    d3ke.write_dictionary(out / "all_bbox.npy", {subject: boxes[subject] for subject in misses_m})
    d3ke.write_dictionary(out / "videoIdx.npy", {subject: clips[subject] for subject in misses_m})
    return worst_m, errors


def _check_subject(folder: Path, subject: int, *tables: Mapping[int, Any]) -> None:
    for name, table in zip(("all_bbox.npy", "videoIdx.npy"), tables, strict=True):
        if subject not in table:
            raise InputError(
                folder / name,
                expected=f"subject {subject}, whose labels lie beside it",
                got=f"subjects {list_names(map(str, sorted(table)))}",
                remedy="run 'movi-prep shard --layout d3ke'",
            )


def _remove_subject(out: Path, subject: int) -> None:
    """Remove what was written of a subject before its first error."""
    for pattern in (f"subject_{subject}.hdf5", f"subject_{subject}_*", f"{subject}_*"):
        for path in out.glob(pattern):
            path.unlink()


def _augment_subject(
    folder: Folder,
    out: Path,
    alteration: Alteration,
    *,
    subject: int,
    note: str,
    boxes: dict[str, NDArray[np.float64]],
) -> float:
    """Write one subject; the boxes in `boxes` are mirrored in place."""
    names = (f"subject_{subject}.hdf5", f"subject_{subject}_opensim.hdf5")
    labels, opensim = (d3ke.read_rows(folder.path / name) for name in names)
    # Taken out first: it is by body, not by row.
    scales = opensim.pop(f"{subject}_boneScale")
    error_m, mirrors = 0.0, {}
    if alteration.kind == "flip":
        mirrors = _mirrors(folder, list(boxes))
        tables = read_label_tables()
        rows = _mirror_rows({**labels, **opensim}, tables, mirrors)
        base = d3ke.read_base_model(folder.path / "pyBaseModel.pkl")
        sizes = {body.name: body.mesh_scale for body in base.bodies}
        stated = np.array([sizes[name] for name in tables.bodies])
        # Factors change sides; what the base model states of a body does not.
        scales = stated * (scales / stated)[mirror_order(tables.bodies)]
        error_m = layer_error_m(base, tables, rows, scales)
        labels, opensim = ({name: rows[name] for name in part} for part in (labels, opensim))
    d3ke.write_labels(out / names[0], labels, note=note)
    d3ke.write_opensim_labels(out / names[1], opensim, subject=subject, bone_scale=scales, note=note)
    for camera, before in list(boxes.items()):
        mirror = mirrors.get(camera)
        if mirror is not None:
            boxes[camera] = mirror.boxes(before.astype(np.int64)).astype(np.float64)
        _augment_pictures(
            folder.path, out, f"{subject}_{camera}", _change(alteration, mirror, boxes[camera]), note=note
        )
        d3ke.write_boxes(out / f"{subject}_{camera}_bbox.npy", boxes[camera])
    return error_m


def _mirrors(folder: Folder, cameras: Sequence[str]) -> dict[str, Mirror]:
    lacking = [name for name in cameras if name not in folder.cameras]
    if lacking:
        raise UsageError(
            f"flip: expected the calibration of {list_names(lacking)}, which D3KE's layout does not hold, but got "
            "none; name its folder: --calibration"
        )
    return {name: mirror_of(folder.cameras[name]) for name in cameras}


def _mirror_rows(rows: Rows, tables: LabelTables, mirrors: Mapping[str, Mirror]) -> Rows:
    """Return the rows of the mirror image, each in the mirror of its camera."""
    signs = np.array([read_mirror_signs()[name] for name in tables.coordinates], dtype=np.float64)
    orders = {
        **dict.fromkeys(("pos3d", "sim_pos3d", "pos3d_mask"), mirror_order(tables.joints)),
        **dict.fromkeys(("marker_pos3d", "sim_marker_pos3d", "marker_pos3d_mask"), mirror_order(tables.markers)),
        "openSimJointPos": mirror_order(tables.opensim_joints),
        "coordinateMask": mirror_order(tables.coordinates),
    }
    mirrored = {name: values[:, orders[name]] if name in orders else values for name, values in rows.items()}
    mirrored["coordinateAngle"] = mirror_coordinates(rows["coordinateAngle"], mirror_order(tables.coordinates), signs)
    # = {name|Copies: the rows that were read must stay as they are, since each camera changes a part of these arrays.
    mirrored |= {name: mirrored[name].copy() for name in ("rootRot", "bbox")}
    for camera, mirror in mirrors.items():
        own = np.flatnonzero(rows["cameraType"] == camera.encode())
        for name in orders:
            # Masks only change sides; points are mirrored too.
            if not name.endswith("ask"):
                mirrored[name][own] = mirror.points(mirrored[name][own])
        pose = mirrored["rootRot"][own]
        pose[:, :3, :3] = mirror.world @ pose[:, :3, :3] * BODY_REFLECTION
        pose[:, :3, 3] = mirror.points(pose[:, :3, 3])
        mirrored["rootRot"][own] = pose
        mirrored["bbox"][own] = mirror.boxes(rows["bbox"][own])
    return mirrored


Change = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


def _change(alteration: Alteration, mirror: Mirror | None, boxes_px: NDArray[np.float64]) -> Change:
    """Return the function that alters a frame's picture, given the picture and its number."""
    from movi_prep.video.altered_pictures import brighten, coarsen, keep_middle, stretch_contrast, turn_picture

    def change(picture: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        left, top, width, height = (int(side) for side in boxes_px[frame])
        if mirror is not None:
            turn = np.column_stack([mirror.picture, mirror.principal_px - mirror.picture @ mirror.principal_px])
            turned = turn_picture(picture, turn, (picture.shape[1], picture.shape[0]))
            # A camera that rolls turns the box: its corners leave the new one.
            return keep_middle(turned, (left + width / 2.0, top + height / 2.0), (width, height))
        if alteration.kind == "crop":
            middle = (left + width / 2.0, top + height / 2.0)
            return keep_middle(picture, middle, (alteration.amount * width, alteration.amount * height))
        altered = picture.copy()
        # Outside the box pictures are black, and stay so.
        inside = (slice(max(top, 0), max(top + height, 0)), slice(max(left, 0), max(left + width, 0)))
        how = {"brightness": brighten, "contrast": stretch_contrast, "resize": coarsen}[alteration.kind]
        if altered[inside].size:
            altered[inside] = how(picture[inside], alteration.amount)
        return altered

    return change


def _augment_pictures(folder: Path, out: Path, stem: str, change: Change, *, note: str) -> None:
    path = folder / f"{stem}_img.hdf5"
    name, shape, frames = d3ke.read_image_heads(path)

    def pictures() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        # Frames that were never written are black, and take no room.
        for frame in frames:
            yield frame, change(d3ke.read_image(path, frame), frame)

    d3ke.write_images(out / path.name, pictures(), name=name, shape=shape, note=note)
