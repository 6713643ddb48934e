"""Reading of sessions and cameras, by the reader that made the record of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from movi_prep.errors import InternalError
from movi_prep.formats.calibration import read_camera as read_bmlmovi_camera
from movi_prep.recordings.bmlmovi_session import read_bmlmovi_session
from movi_prep.recordings.camera_files import read_manifest_camera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from movi_prep.records.camera import Camera
    from movi_prep.records.recordings import CameraFiles, ReaderName
    from movi_prep.records.session import Session

T = TypeVar("T")

_SESSIONS: dict[ReaderName, Callable[[Path], Session]] = {"bmlmovi": read_bmlmovi_session}
_CAMERAS: dict[ReaderName, Callable[[str, CameraFiles, Path | None], Camera]] = {
    "bmlmovi": lambda name, files, _video: read_bmlmovi_camera(name, files.intrinsics, files.extrinsics),
    "manifest": read_manifest_camera,
}


def read_session(reader: ReaderName, path: Path) -> Session:
    """Read the session of a subject; raise InputError where the file does not hold one."""
    return _of(_SESSIONS, reader)(path)


def read_camera(reader: ReaderName, name: str, files: CameraFiles, video: Path | None = None) -> Camera:
    """Read the calibration of a camera, beside its video; raise InputError where the files do not hold one."""
    return _of(_CAMERAS, reader)(name, files, video)


def _of(readers: dict[ReaderName, T], reader: ReaderName) -> T:
    if reader not in readers:
        raise InternalError(f"recordings of reader {reader!r} have no such file, but a unit reads one")
    return readers[reader]
