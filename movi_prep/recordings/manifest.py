"""Recordings that a manifest lists: subjects, clips, motions, cameras and videos, wherever the files lie.

Subjects, clips and cameras have their names in the manifest; characters that cannot stand in a path become `_`
(`names.clean_name`). An entry that cannot be used is left out and reported; the others are used.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.config.base import narrow
from movi_prep.config.footage import NO_CHOICE, CameraOptions, MotionChoice, VideoClock
from movi_prep.errors import InputError, UsageError, list_names, suggest
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.names import clean_name
from movi_prep.recordings.bodies import find_body_models
from movi_prep.recordings.folders import first_few, list_files
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import CameraFiles, Footage, Recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from movi_prep.config.manifest import CameraEntry, ClipEntry, Manifest, VideoEntry

COLMAP_FILES = ("cameras.txt", "images.txt")


def find_manifest(path: Path, body_models: Path | None) -> Recordings:
    """Return the recordings in a manifest.

    Args:
        path: the manifest.
        body_models: folder with body models; None for the manifest's.

    Raises:
        UsageError: the manifest cannot be read, or an entry in it is wrong.
    """
    try:
        manifest = read_manifest(path)
    except InputError as error:
        # A manifest is part of the command: its faults end the run before any unit, as those of a flag do.
        raise UsageError(str(error)) from error
    findings: list[str] = []
    clips = _named_clips(manifest, findings)
    motions = {
        clip: entry.motion for clip, entry in clips.items() if _is_there(entry.motion, f"motion of {clip}", findings)
    }
    # Clips without motion are left out already: their videos need no finding of their own.
    footage = _footage(manifest, {clip: clips[clip] for clip in motions}, findings)
    models = list_files(body_models or manifest.body_models)
    bodies, tissues = find_body_models(models, findings)
    return Recordings(
        motions={clip: motions[clip] for clip in sorted(motions)},
        choices={clip: choice for clip in motions if (choice := narrow(clips[clip], MotionChoice)) != NO_CHOICE},
        body_models=bodies,
        dmpl_models=tissues,
        footage=footage,
        video_rate_hz=None,
        reader="manifest",
        findings=tuple(dict.fromkeys([*models.findings, *findings])),
    )


def _named_clips(manifest: Manifest, findings: list[str]) -> dict[ClipId, ClipEntry]:
    """Return the clips by their names; those that would share one are left out."""
    subjects = _distinct((entry.subject for entry in manifest.recordings), "subjects", findings)
    groups: dict[ClipId, list[ClipEntry]] = defaultdict(list)
    for entry in manifest.recordings:
        if entry.subject in subjects:
            groups[ClipId(subjects[entry.subject], clean_name(entry.clip))].append(entry)
    alike = [
        f"{clip} is listed {len(group)} times alike: one is used" for clip, group in groups.items() if _same(group)
    ]
    clashes = [
        f"{clip}: {list_names({item.clip for item in group})} are {len(group)} entries: none is used, name them apart"
        for clip, group in groups.items()
        if len(group) > 1 and not _same(group)
    ]
    findings += [*first_few(alike, "more are listed twice"), *first_few(clashes, "more clips clash")]
    return {clip: group[0] for clip, group in groups.items() if len(group) == 1 or _same(group)}


def _same(group: list[ClipEntry]) -> bool:
    return len(group) > 1 and all(entry == group[0] for entry in group)


def _distinct(texts: Iterable[str], what: str, findings: list[str]) -> dict[str, str]:
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


def _footage(
    manifest: Manifest, clips: Mapping[ClipId, ClipEntry], findings: list[str]
) -> dict[tuple[ClipId, str], Footage]:
    names = _distinct((name for entry in clips.values() for name in entry.cameras), "cameras", findings)
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
    missing = [path for path, what in wanted if not _is_there(path, what, findings)]
    if missing:
        return None
    options = CameraOptions() if camera is None else narrow(camera, CameraOptions)
    if options.calibration_name is None:
        # A calibration of several cameras usually names them as the manifest does.
        options = options.model_copy(update={"calibration_name": name})
    poses = video.poses or files[-1]
    return Footage(video.video, CameraFiles(files[0], poses, options), narrow(video, VideoClock))


def _is_there(path: Path, what: str, findings: list[str]) -> bool:
    there = path.exists()
    if not there:
        findings.append(f"{what}: {path} is not there, so that it is left out; correct the path in the manifest")
    return there
