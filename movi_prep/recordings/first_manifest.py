"""A first manifest for a folder: the motions, videos and calibrations in it, matched by their names, for a person to
correct.

A video is of a clip if the clip's name stands in its path, and of a camera if the camera's does; where there is one
camera only, all videos are of it. Videos without a match are listed in comments.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.errors import InputError
from movi_prep.formats.motion_files import read_subject_shape
from movi_prep.formats.opencv_calibration import read_opencv_camera
from movi_prep.formats.picture_folder import PICTURE_SUFFIXES
from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras
from movi_prep.formats.pose_results import TORCH_SUFFIXES
from movi_prep.names import natural_order
from movi_prep.recordings.folders import list_files
from movi_prep.recordings.manifest import COLMAP_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".m4v", ".webm")
_MOTION_SUFFIXES, _MOTION_ENDS = (".npz", ".pkl", *TORCH_SUFFIXES), ("_poses", "_stageii", "_smpl")
_NO_SUBJECT = frozenset({"motion", "motions", "smpl", "smplh", "smplx", "data", "results", "poses", "amass"})
_HEAD = """\
# Recordings for movi-prep: check each line, then run
#     movi-prep check --manifest {name}
#     movi-prep run --manifest {name}
# Paths count from the folder of this file. docs/own_recordings.md explains every entry.
"""


@dataclass(frozen=True)
class FoundFiles:
    """The files that a folder holds.

    Attributes:
        motions: motion files, by subject and clip.
        cameras: name -> lines of its entry.
        videos: videos and folders of pictures.
        body_models: the folder named `body_models`, or None.
    """

    motions: dict[tuple[str, str], Path]
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
    motions = {
        (_subject(path, root), _clip(path)): path
        for path in own
        if path.suffix.lower() in _MOTION_SUFFIXES and _is_motion(path)
    }
    # A folder with pictures is a video.
    folders = {path.parent for path in own if path.suffix.lower() in PICTURE_SUFFIXES}
    videos = [path for path in own if path.suffix.lower() in VIDEO_SUFFIXES]
    cameras = dict(entry for path in own for entry in _cameras(path, root))
    return FoundFiles(
        motions, cameras, tuple(sorted([*videos, *folders], key=lambda path: natural_order(str(path)))), models
    )


def manifest_text(root: Path, found: FoundFiles, *, name: str) -> str:
    """Return a manifest with comments; paths are relative to `root`."""
    lines = [_HEAD.format(name=name).rstrip()]
    models = found.body_models.relative_to(root) if found.body_models else None
    lines.append(
        f"body_models: {_text(models)}" if models else "# body_models: folder with the SMPL, SMPL+H or SMPL-X models"
    )
    if found.cameras:
        lines += ["", "cameras:"]
    for name_of, entry in found.cameras.items():
        lines += [f"  {_text(name_of)}:", *(f"    {line}" for line in entry)]
        lines.append("    # world_up: z            # axis of the calibration's world that points up: z, y or -y")
    lines += ["", "recordings:"]
    used: set[Path] = set()
    for (subject, clip), motion in sorted(found.motions.items(), key=lambda item: natural_order("/".join(item[0]))):
        lines += [
            f"  - subject: {_text(subject)}",
            f"    clip: {_text(clip)}",
            f"    motion: {_text(motion.relative_to(root))}",
        ]
        films = {
            camera: video for video in found.videos if (camera := _camera_of(video, clip, root, found)) is not None
        }
        lines += ["    cameras:"] if films else []
        for filmed_by, video in sorted(films.items()):
            used.add(video)
            lines += [f"      {_text(filmed_by)}:", f"        video: {_text(video.relative_to(root))}"]
            lines.append("        first_frame: 0       # frame that shows the motion at offset_s, counted from 0")
            lines.append("        offset_s: 0.0        # time of the motion that this frame shows, seconds")
            lines += ["        rate_hz: 30          # pictures have no clock"] if video.is_dir() else []
    left = [video for video in found.videos if video not in used]
    lines += ["", "# Videos that no clip and camera matched by name:"] if left else []
    lines += [f"#   {video.relative_to(root)}" for video in left]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """Return a scalar as YAML reads it back."""
    # JSON's strings are YAML's, whatever is in them.
    text = str(value)
    plain = text.replace("_", "").replace("-", "").replace("/", "").replace(".", "").isalnum() and not text[0].isdigit()
    return (
        text if plain and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off") else json.dumps(text)
    )


def _subject(path: Path, root: Path) -> str:
    above = [part for part in path.relative_to(root).parts[:-1] if part.lower() not in _NO_SUBJECT]
    return above[-1] if above else "S1"


def _clip(path: Path) -> str:
    stem = path.stem
    return next((stem.removesuffix(end) for end in _MOTION_ENDS if stem.endswith(end) and stem != end), stem)


def _is_motion(path: Path) -> bool:
    try:
        read_subject_shape(path)
    except InputError:
        return False
    # shape.npz and stage-one files lie beside AMASS's clips, and hold a shape only.
    return path.stem != "shape" and not path.stem.endswith("_stagei")


def _cameras(path: Path, root: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield name and lines of each camera that a file holds."""
    try:
        if path.name == COLMAP_FILES[0] and path.with_name(COLMAP_FILES[1]).is_file():
            where = _text(path.parent.relative_to(root)) if path.parent != root else "."
            unit = "metres_per_unit: 1.0    # COLMAP leaves the unit of its world open: measure a length in it"
            yield path.parent.name, (f"calibration: {where}", unit)
        elif path.suffix.lower() == ".toml":
            for camera in read_pose2sim_cameras(path):
                yield (
                    camera.name,
                    (f"calibration: {_text(path.relative_to(root))}", f"calibration_name: {_text(camera.name)}"),
                )
        elif path.suffix.lower() in (".json", ".yaml", ".yml", ".xml"):
            found = read_opencv_camera(path)
            lines = [f"calibration: {_text(path.relative_to(root))}"]
            lines += [] if found.size_px else ["# size_px: [1920, 1080]  # the file does not say: add it"]
            lines += [] if found.lens else ["# distortion: none       # only if the pictures are undistorted"]
            lines += [] if len(found.rotations) else ["# The file has no pose: name `poses` beside each video."]
            yield path.stem, tuple(lines)
    except InputError:
        return


def _camera_of(video: Path, clip: str, root: Path, found: FoundFiles) -> str | None:
    """Return the camera that filmed a clip in a video by the names in its path; None where the path names none."""
    place = str(video.relative_to(root)).casefold()
    # With one motion only, every video must be of it.
    if clip.casefold() not in place and len(found.motions) > 1:
        return None
    named = [camera for camera in found.cameras if camera.casefold() in place]
    if len(named) == 1:
        return named[0]
    return next(iter(found.cameras)) if len(found.cameras) == 1 else None
