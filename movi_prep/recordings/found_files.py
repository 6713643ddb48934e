"""What a folder holds for a first manifest: motions and calibrations, recognised by their content, and videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.config.yaml_text import yaml_scalar
from movi_prep.errors import InputError
from movi_prep.formats.data_set_cameras import read_data_set_camera
from movi_prep.formats.motion_files import is_amass, read_subject_shape
from movi_prep.formats.opencv_calibration import read_opencv_camera
from movi_prep.formats.picture_folder import PICTURE_SUFFIXES
from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras
from movi_prep.formats.pose_results import TORCH_SUFFIXES, read_posed_persons
from movi_prep.names import natural_order
from movi_prep.recordings.folders import list_files
from movi_prep.recordings.manifest_footage import COLMAP_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".m4v", ".webm")
_MOTION_SUFFIXES, _MOTION_ENDS = (".npz", ".pkl", *TORCH_SUFFIXES), ("_poses", "_stageii", "_smpl", "_data")
_NO_SUBJECT = frozenset({"motion", "motions", "smpl", "smplh", "smplx", "data", "results", "poses", "amass"})


@dataclass(frozen=True)
class FoundMotion:
    """A clip.

    Attributes:
        subject: who moves, by the folders above.
        clip: its name.
        path: its file.
        person: which person of the file it is.
        has_camera: whether the file also holds the camera that filmed it, as those of 3DPW and EMDB do.
        sex_is_known: whether the file says the sex of its body model.
    """

    subject: str
    clip: str
    path: Path
    person: int = 0
    has_camera: bool = False
    sex_is_known: bool = True


@dataclass(frozen=True)
class FoundFiles:
    """The files that a folder holds.

    Attributes:
        motions: clips, in their order.
        cameras: name -> lines of its entry.
        videos: videos and folders of pictures.
        body_models: the folder named `body_models`, or None.
    """

    motions: tuple[FoundMotion, ...]
    cameras: dict[str, tuple[str, ...]]
    videos: tuple[Path, ...]
    body_models: Path | None


def find_files(root: Path) -> FoundFiles:
    """Return what lies below a folder; motions and calibrations are recognised by their content."""
    # Hidden folders hold caches and trash, with copies of what is elsewhere.
    files = [path for path in list_files(root).files if not any(part.startswith(".") for part in path.parts)]
    # Body models are archives too: their files must not be taken for motions.
    models = next(
        (
            path.parents[index]
            for path in files
            for index in range(len(path.parents))
            if path.parents[index].name == "body_models"
        ),
        None,
    )
    own = [path for path in files if models is None or not path.is_relative_to(models)]
    motions = [motion for path in own if path.suffix.lower() in _MOTION_SUFFIXES for motion in _motions(path, root)]
    motions.sort(key=lambda motion: natural_order(f"{motion.subject}/{motion.clip}"))
    # A folder with pictures is a video.
    folders = {path.parent for path in own if path.suffix.lower() in PICTURE_SUFFIXES}
    videos = [path for path in own if path.suffix.lower() in VIDEO_SUFFIXES]
    cameras = dict(entry for path in own for entry in _cameras(path, root))
    return FoundFiles(
        tuple(motions), cameras, tuple(sorted([*videos, *folders], key=lambda path: natural_order(str(path)))), models
    )


def _motions(path: Path, root: Path) -> Iterator[FoundMotion]:
    """Yield the clips in a file: one for each person; none where it holds no motion."""
    # shape.npz and stage-one files lie beside AMASS's clips, and hold a shape only.
    if path.stem == "shape" or path.stem.endswith("_stagei"):
        return
    clip = _clip(path)
    try:
        shape = read_subject_shape(path)
        n_persons = 1 if is_amass(path) else len(read_posed_persons(path))
    except InputError:
        return
    has_camera = _has_camera(path)
    for person in range(n_persons):
        # Two people of one file are two subjects, whose body is known for this file only.
        subject = _subject(path, root, clip) if n_persons == 1 else f"{clip}_p{person}"
        yield FoundMotion(subject, clip, path, person, has_camera, shape.sex_is_known)


def _has_camera(path: Path) -> bool:
    if path.suffix.lower() != ".pkl":
        return False
    try:
        read_data_set_camera("camera", path)
    except InputError:
        return False
    return True


def _subject(path: Path, root: Path, clip: str) -> str:
    """Return the nearest folder that may name a subject; a folder named after the clip does not."""
    above = [part for part in path.relative_to(root).parts[:-1] if part.lower() not in _NO_SUBJECT and part != clip]
    return above[-1] if above else "S1"


def _clip(path: Path) -> str:
    stem = path.stem
    return next((stem.removesuffix(end) for end in _MOTION_ENDS if stem.endswith(end) and stem != end), stem)


def _cameras(path: Path, root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield name and lines of each camera that a file holds."""
    where = f"calibration: {yaml_scalar(path.relative_to(root))}"
    try:
        if path.name == COLMAP_FILES[0] and path.with_name(COLMAP_FILES[1]).is_file():
            where = f"calibration: {yaml_scalar(path.parent.relative_to(root)) if path.parent != root else '.'}"
            unit = "metres_per_unit: 1.0    # COLMAP leaves the unit of its world open: measure a length in it"
            yield path.parent.name, (where, unit)
        elif path.suffix.lower() == ".toml":
            for camera in read_pose2sim_cameras(path):
                yield camera.name, (where, f"calibration_name: {yaml_scalar(camera.name)}")
        elif path.suffix.lower() in (".json", ".yaml", ".yml", ".xml"):
            found = read_opencv_camera(path)
            lines = [where]
            lines += [] if found.size_px else ["# size_px: [1920, 1080]  # the file does not say: add it"]
            lines += [] if found.lens else ["# distortion: none       # only if the pictures are undistorted"]
            lines += [] if len(found.rotations) else ["# The file has no pose: name `poses` beside each video."]
            yield path.stem, tuple(lines)
    except InputError:
        return
