"""What files of other data sets, cameras and manifests hold: 3DPW, EMDB, networks, OpenCV, Pose2Sim, recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import InputError, list_names
from movi_prep.examine.file_facts import ArrayFacts, FileFacts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.records.calibrated_camera import CalibratedCamera

_OPENCV = (b"opencv_storage", b"opencv-matrix")
_HEAD_BYTES = 4096


def is_opencv(path: Path) -> bool:
    """Return whether OpenCV wrote a YAML or XML file."""
    with path.open("rb") as file:
        # OpenCV writes its marks at the start of a file.
        head = file.read(_HEAD_BYTES)
    return any(word in head for word in _OPENCV)


def inspect_opencv(path: Path) -> FileFacts:
    """Return what a calibration of OpenCV holds."""
    from movi_prep.formats.opencv_calibration import read_opencv_camera

    return _cameras(path, "camera of OpenCV", [read_opencv_camera(path)])


def inspect_pose2sim(path: Path) -> FileFacts:
    """Return what a calibration of Pose2Sim holds."""
    from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras

    return _cameras(path, "cameras of Pose2Sim", read_pose2sim_cameras(path))


def _cameras(path: Path, kind: str, cameras: Sequence[CalibratedCamera]) -> FileFacts:
    arrays = [
        ArrayFacts(f"{camera.name} {name}", values.shape, str(values.dtype), "", unit, "as in the file", what)
        for camera in cameras
        for name, values, unit, what in (
            ("intrinsics", camera.intrinsics_px, "px", "[[fx, s, cx], [0, fy, cy], [0, 0, 1]]"),
            ("rotations", camera.rotations, "1", "world to camera"),
            ("translations", camera.translations_m, "as stored", "world to camera"),
        )
    ]
    sizes = {camera.name: camera.size_px for camera in cameras}
    facts = {f"{name} size": f"{size[0]}x{size[1]} px" if size else "not told" for name, size in sizes.items()}
    return FileFacts(path, kind, facts, tuple(arrays))


def inspect_manifest(path: Path) -> FileFacts:
    """Return what a manifest of recordings holds."""
    from movi_prep.formats.manifest_file import read_manifest

    manifest = read_manifest(path)
    facts: dict[str, str | float | int] = {
        "subjects": list_names({entry.subject for entry in manifest.recordings}),
        "clips": len(manifest.recordings),
        "videos": sum(len(entry.cameras) for entry in manifest.recordings),
        "cameras": list_names(manifest.cameras),
    }
    return FileFacts(path, "manifest of recordings", facts)


def inspect_other_pickle(path: Path, error: InputError) -> FileFacts:
    """Return what a pickle holds that is none of plain arrays: persons of 3DPW or EMDB, or a body model.

    Raises:
        InputError: it is none of them; `error` says so, if it holds none of their parts.
    """
    from movi_prep.formats.model_pickle import model_pickle_shapes

    try:
        shapes = model_pickle_shapes(path)
    except InputError:
        shapes = {}
    if "v_template" in shapes:
        arrays = [ArrayFacts(name, shape, "") for name, shape in shapes.items()]
        return FileFacts(path, "body model, a pickle of Python 2, read without running code", {}, tuple(arrays))
    try:
        return inspect_poses(path)
    except InputError:
        # The first error is the one that helps: the file is of neither kind.
        raise error from None


def inspect_poses(path: Path) -> FileFacts:
    """Return which persons a file of poses holds."""
    from movi_prep.formats.pose_results import read_posed_persons

    persons = read_posed_persons(path)
    facts: dict[str, str | float | int] = {}
    for number, person in enumerate(persons):
        rate = f"{person.rate_hz:g} Hz" if person.rate_hz else "no rate told"
        sex = person.sex or "no sex told"
        facts[f"person {number}"] = f"{sex}, {len(person.betas)} betas, {len(person.poses_rad)} frames, {rate}"
    return FileFacts(path, "poses of persons, read without running code", facts)
