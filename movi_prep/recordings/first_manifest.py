"""A first manifest for a folder, for a person to correct: motions, videos and calibrations matched by their names.

A video is of a clip if the clip's name stands in its path, and of a camera if the camera's does. Of several names that
do, the longest counts (`walk_fast`, not `walk`), and of clips of one name that whose subject stands there, too. Where
there is one clip or one camera only, all videos are of it. Videos without a match are listed in comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.config.yaml_text import yaml_scalar
from movi_prep.plain_text import visible
from movi_prep.recordings.folders import with_most

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from movi_prep.recordings.found_files import FoundFiles, FoundMotion

_HEAD = """\
# Recordings for movi-prep: check each line, then run
#     movi-prep check --manifest {name}
#     movi-prep run --manifest {name}
# Paths count from the folder of this file. docs/own_recordings.md explains every entry.
"""
_OWN_CAMERA = "camera"


def manifest_text(root: Path, found: FoundFiles, *, name: str) -> str:
    """Return a manifest with comments; paths are relative to `root`."""
    lines = [_HEAD.format(name=name).rstrip()]
    models = found.body_models.relative_to(root) if found.body_models else None
    lines.append(
        f"body_models: {yaml_scalar(models)}"
        if models
        else "# body_models: folder with the SMPL, SMPL+H or SMPL-X models"
    )
    if found.cameras:
        lines += ["", "cameras:"]
    for camera, entry in found.cameras.items():
        lines += [f"  {yaml_scalar(camera)}:", *(f"    {line}" for line in entry)]
        lines.append("    # world_up: z            # axis of the calibration's world that points up: z, y or -y")
    lines += ["", "recordings:"]
    films = match_videos(root, found)
    for motion in found.motions:
        lines += _clip_lines(motion, root, films.get((motion.subject, motion.clip), {}))
    used = {video for of_clip in films.values() for video in of_clip.values()}
    left = [video for video in found.videos if video not in used]
    lines += ["", "# Videos that no clip and camera matched by name:"] if left else []
    lines += [f"#   {visible(video.relative_to(root))}" for video in left]
    return "\n".join(lines) + "\n"


def match_videos(root: Path, found: FoundFiles) -> dict[tuple[str, str], dict[str, Path]]:
    """Return the videos of each clip (subject, clip) by camera, as far as their paths name both."""
    films: dict[tuple[str, str], dict[str, Path]] = {}
    for video in found.videos:
        place = str(video.relative_to(root)).casefold()
        clips = _clips_in(place, found)
        for motion in clips:
            camera = _OWN_CAMERA if motion.has_camera else _camera_in(place, found)
            # One video for each clip and camera; a second one is listed as left over.
            if camera is not None:
                films.setdefault((motion.subject, motion.clip), {}).setdefault(camera, video)
    return films


def _clips_in(place: str, found: FoundFiles) -> list[FoundMotion]:
    """Return the clip that a path names; all people of a file, where it names the file; [] where it names several."""
    # With one motion only, every video must be of it.
    named = [motion for motion in found.motions if motion.clip.casefold() in place] or (
        list(found.motions) if len({motion.path for motion in found.motions}) == 1 else []
    )
    named = with_most(named, lambda motion: motion.subject.casefold() in place)
    named = with_most(named, lambda motion: len(motion.clip))
    return named if len({motion.path for motion in named}) == 1 else []


def _camera_in(place: str, found: FoundFiles) -> str | None:
    named = with_most([name for name in found.cameras if name.casefold() in place], len)
    if len(named) == 1:
        return named[0]
    return next(iter(found.cameras)) if len(found.cameras) == 1 else None


def _clip_lines(motion: FoundMotion, root: Path, films: Mapping[str, Path]) -> Iterator[str]:
    """Yield the lines of one clip."""
    yield f"  - subject: {yaml_scalar(motion.subject)}"
    yield f"    clip: {yaml_scalar(motion.clip)}"
    yield f"    motion: {yaml_scalar(motion.path.relative_to(root))}"
    if motion.person:
        yield f"    person: {motion.person}"
    if not motion.sex_is_known:
        yield "    # sex: neutral          # of the body model that the motion was fitted to; the file does not say"
        yield "    # motion_rate_hz: 30    # frames per second of the video that the motion was made from"
    if films:
        yield "    cameras:"
    for camera, video in sorted(films.items()):
        yield f"      {yaml_scalar(camera)}:"
        yield f"        video: {yaml_scalar(video.relative_to(root))}"
        if motion.has_camera:
            yield f"        calibration: {yaml_scalar(motion.path.relative_to(root))}"
            yield "        per_frame: true      # one pose for each picture"
        else:
            yield "        first_frame: 0       # frame that shows the motion at offset_s, counted from 0"
            yield "        offset_s: 0.0        # time of the motion that this frame shows, seconds"
        if video.is_dir():
            yield "        rate_hz: 30          # pictures have no clock"
