"""The data: subjects, clips, and the files of motions, bodies, cameras, videos and sessions.

A reader makes it from a user's folders (`movi_prep.recordings`); no content is read yet. What a file of a session or a
camera means, only its reader knows: stages call `movi_prep.recordings.read` with the name of the reader.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from movi_prep.names import natural_order

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.config.footage import CameraOptions, MotionChoice, VideoClock
    from movi_prep.records.body_layout import BodyName
    from movi_prep.records.identity import ClipId
    from movi_prep.records.motion import UpAxis

ReaderName = Literal["bmlmovi", "amass", "manifest", "3dpw", "emdb", "results"]
"""The readers, one for each layout of recordings on disk."""


@dataclass(frozen=True)
class CameraFiles:
    """The files of a camera's calibration.

    Attributes:
        intrinsics: file with camera matrix and lens; may be that of `extrinsics`.
        extrinsics: file with its pose, or poses, in the world.
        options: how to read them; None for files that need no options.
    """

    intrinsics: Path
    extrinsics: Path
    options: CameraOptions | None = None


@dataclass(frozen=True)
class Footage:
    """The video of one camera that shows one clip only.

    Attributes:
        video: a video, or a folder of pictures.
        camera: calibration of the camera.
        clock: which frames show the clip, and when.
    """

    video: Path
    camera: CameraFiles
    clock: VideoClock


@dataclass(frozen=True)
class Recordings:
    """The record of all recordings.

    Attributes:
        motions: motion file of each chosen clip.
        choices: whose motion of its file a clip is, and of which body, where more is said than the file.
        motion_up: axis that is up in motion of other sources than AMASS; None to find it from the motion.
        subsets: part of the data that a subject belongs to, for reports; none where the data have no parts.
        body_models: body model by body and sex.
        dmpl_models: DMPL `model.npz` by sex.
        sessions: file with a subject's sex, height and mass, and with the frames at which clips begin and end.
        videos: video by (subject, camera).
        intrinsics: file with the intrinsics of each camera, by its name; may be that of `extrinsics`.
        extrinsics: file with its pose, or poses, in the world.
        footage: videos of single clips, by clip and camera; those in `videos` show all clips of a subject.
        disputed_cameras: cameras whose files contradict each other, and how; they are in neither mapping above.
        video_rate_hz: nominal rate of the videos, Hz; None for recordings without session videos.
        reader: which reader made this, and can read sessions and cameras.
        findings: sentences on files that were passed over, and why (for example two files for one clip).
        others: motion files of clips that were found but not chosen; they still hold the shape of their subject.
    """

    motions: Mapping[ClipId, Path] = field(default_factory=dict)
    choices: Mapping[ClipId, MotionChoice] = field(default_factory=dict)
    motion_up: UpAxis | None = None
    subsets: Mapping[str, str] = field(default_factory=dict)
    body_models: Mapping[tuple[BodyName, str], Path] = field(default_factory=dict)
    dmpl_models: Mapping[str, Path] = field(default_factory=dict)
    sessions: Mapping[str, Path] = field(default_factory=dict)
    videos: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    intrinsics: Mapping[str, Path] = field(default_factory=dict)
    extrinsics: Mapping[str, Path] = field(default_factory=dict)
    footage: Mapping[tuple[ClipId, str], Footage] = field(default_factory=dict)
    disputed_cameras: Mapping[str, str] = field(default_factory=dict)
    video_rate_hz: float | None = 30.0
    reader: ReaderName = "bmlmovi"
    findings: tuple[str, ...] = ()
    others: Mapping[ClipId, Path] = field(default_factory=dict)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with at least one clip of motion, in order."""
        return tuple(self._clips)

    def clips_of(self, subject: str) -> tuple[ClipId, ...]:
        """Clips of one subject, in order."""
        return self._clips.get(subject, ())

    def all_motions_of(self, subject: str) -> dict[ClipId, Path]:
        """Motion files of one subject in the order of its clips, chosen or not."""
        return self._all_motions.get(subject, {})

    @property
    def whole_cameras(self) -> frozenset[str]:
        """Cameras whose calibration is complete."""
        # `&` binds closer than `|`: both files for a camera of sessions, one entry for one of a clip.
        return frozenset(self.intrinsics) & frozenset(self.extrinsics) | {camera for _, camera in self.footage}

    def footage_of(self, subject: str) -> tuple[tuple[tuple[ClipId, str], Footage], ...]:
        """Return the videos of single clips of one subject, chosen or not, by clip and camera, in order."""
        return self._footage.get(subject, ())

    @cached_property
    def filmed(self) -> frozenset[tuple[str, str]]:
        """Subject and camera of every video."""
        return frozenset(self.videos) | {(clip.subject, camera) for clip, camera in self.footage}

    @property
    def video_files(self) -> tuple[Path, ...]:
        """Every video, in order."""
        return tuple(sorted({*self.videos.values(), *(item.video for item in self.footage.values())}))

    def cameras_wanted(self, asked: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the cameras to write: the requested ones, or all; BMLmovi's are PG1 and PG2."""
        if asked is not None:
            return asked
        return tuple(sorted({camera for _, camera in self.footage}, key=natural_order)) or ("PG1", "PG2")

    def video_of(self, clip: ClipId, camera: str) -> Path | None:
        """Return the video that shows a clip before a camera."""
        own = self.footage.get((clip, camera))
        return self.videos.get((clip.subject, camera)) if own is None else own.video

    def camera_files(self, clip: ClipId, camera: str) -> CameraFiles | None:
        """Return the calibration of a camera for one clip; None where it is incomplete."""
        own = self.footage.get((clip, camera))
        if own is not None:
            return own.camera
        if camera not in self.intrinsics or camera not in self.extrinsics:
            return None
        return CameraFiles(self.intrinsics[camera], self.extrinsics[camera])

    @cached_property
    def _clips(self) -> dict[str, tuple[ClipId, ...]]:
        # Grouped once: all of AMASS has eleven thousand clips and five hundred subjects.
        return _by_subject(self.motions)

    @cached_property
    def _footage(self) -> dict[str, tuple[tuple[tuple[ClipId, str], Footage], ...]]:
        # Grouped once, as clips are.
        groups: dict[str, list[tuple[tuple[ClipId, str], Footage]]] = defaultdict(list)
        for key, footage in sorted(self.footage.items(), key=lambda item: item[0]):
            groups[key[0].subject].append((key, footage))
        return {subject: tuple(found) for subject, found in groups.items()}

    @cached_property
    def _all_motions(self) -> dict[str, dict[ClipId, Path]]:
        found = {**self.others, **self.motions}
        return {subject: {clip: found[clip] for clip in clips} for subject, clips in _by_subject(found).items()}


def _by_subject(clips: Mapping[ClipId, Path]) -> dict[str, tuple[ClipId, ...]]:
    groups: dict[str, list[ClipId]] = defaultdict(list)
    for clip in clips:
        groups[clip.subject].append(clip)
    return {subject: tuple(sorted(groups[subject])) for subject in sorted(groups, key=natural_order)}
