"""The videos that a manifest lists, and the calibration of their cameras."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.config.base import narrow
from movi_prep.config.footage import CameraOptions, VideoClock
from movi_prep.errors import list_names, suggest
from movi_prep.names import clean_name
from movi_prep.recordings.folders import first_few
from movi_prep.records.recordings import CameraFiles, Footage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from movi_prep.config.manifest import CameraEntry, ClipEntry, Manifest, VideoEntry
    from movi_prep.records.identity import ClipId

COLMAP_FILES = ("cameras.txt", "images.txt")


def find_footage(
    manifest: Manifest, clips: Mapping[ClipId, ClipEntry], findings: list[str]
) -> dict[tuple[ClipId, str], Footage]:
    """Return the videos of some clips by clip and camera, as far as all their files are there."""
    names = distinct_names((name for entry in clips.values() for name in entry.cameras), "cameras", findings)
    found: dict[tuple[ClipId, str], Footage] = {}
    shards: dict[str, tuple[str, str]] = {}
    for clip, entry in sorted(clips.items(), key=lambda item: item[0]):
        for name, video in entry.cameras.items():
            if name not in names:
                continue
            # A shard is named after both: A_B before C, and A before B_C, would be one file.
            taken = shards.setdefault(f"{clip.subject}_{names[name]}", (clip.subject, names[name]))
            if taken != (clip.subject, names[name]):
                clash = f"{taken[0]} before {taken[1]}, and {clip.subject} before {names[name]}"
                findings.append(f"shard {'_'.join(taken)}: {clash}: only the first is written, rename a camera")
            else:
                footage = _one_video(clip, name, video, manifest.cameras, findings)
                if footage is not None:
                    found[clip, names[name]] = footage
    return found


def _one_video(
    clip: ClipId, name: str, video: VideoEntry, cameras: Mapping[str, CameraEntry], findings: list[str]
) -> Footage | None:
    """Return the footage of a camera for a clip; None, with a finding, where a file is missing."""
    camera = cameras.get(name)
    calibration = video.calibration or (camera.calibration if camera else None)
    if calibration is None:
        findings.append(
            f"{clip}: camera {name!r} has no calibration{suggest(name, cameras)}: its video is left out; list it below "
            f"`cameras` (there are {list_names(cameras) or 'none'})"
        )
        return None
    files = [calibration / part for part in COLMAP_FILES] if calibration.is_dir() else [calibration]
    wanted = [(video.video, f"{name} video of {clip}"), *((file, f"calibration of {name}") for file in files)]
    wanted += [] if video.poses is None else [(video.poses, f"{name} poses of {clip}")]
    # All of them, not the first: nobody should correct four paths one by one.
    missing = [path for path, what in wanted if not is_there(path, what, findings)]
    if missing:
        return None
    options = CameraOptions() if camera is None else narrow(camera, CameraOptions)
    if options.calibration_name is None:
        # A calibration of several cameras usually names them as the manifest does.
        options = options.model_copy(update={"calibration_name": name})
    poses = video.poses or files[-1]
    return Footage(video.video, CameraFiles(files[0], poses, options), narrow(video, VideoClock))


def distinct_names(texts: Iterable[str], what: str, findings: list[str]) -> dict[str, str]:
    """Return text -> name, without texts that would share a name."""
    groups: dict[str, list[str]] = defaultdict(list)
    for text in dict.fromkeys(texts):
        # Two names that differ only in characters that a path cannot hold would share their files.
        groups[clean_name(text)].append(text)
    findings += first_few(
        [
            f"{what} {' and '.join(map(repr, group))} would all be {name}: none is used, name them apart"
            for name, group in groups.items()
            if len(group) > 1
        ],
        f"more {what} clash",
    )
    return {group[0]: name for name, group in groups.items() if len(group) == 1}


def is_there(path: Path, what: str, findings: list[str]) -> bool:
    """Return whether a file is there; a finding names one that is not."""
    there = path.exists()
    if not there:
        findings.append(f"{what}: {path} is not there, so that it is left out; correct the path in the manifest")
    return there
