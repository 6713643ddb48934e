"""Finds what would fail before anything runs: opens a clip per subject and every other file, reports each fault once.

| part | opened | compared with |
|---|---|---|
| AMASS clips | the first of each subject: its head | |
| body models, soft tissue | all, whole | sex of the clips that were opened |
| calibration | all cameras, whole | |
| V3D | all, whole | sex and length of the clip that was opened; numbers of clips |
| videos | all: head, index and a few places of .avi files; of others the first frame | last frame that flags30 name |
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from movi_prep.config.footage import NO_CHOICE
from movi_prep.config.markers import MarkerSettings
from movi_prep.errors import InputError, MoviPrepError, describe_os_error, list_names
from movi_prep.formats.avi.structure import check_avi_ends, read_avi_head
from movi_prep.formats.body_models import read_body_model, read_soft_tissue_directions
from movi_prep.formats.foreign_content import foreign_content
from movi_prep.formats.motion_files import open_motion
from movi_prep.recordings.read import read_camera, read_session
from movi_prep.recordings.wanted import MODEL_FILES
from movi_prep.records.recordings import CameraFiles
from movi_prep.stages.align_footage import clock_of_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from movi_prep.formats.amass import MotionFile
    from movi_prep.formats.motion_files import WholeMotion
    from movi_prep.records.body_layout import BodyName
    from movi_prep.records.camera import Camera
    from movi_prep.records.identity import ClipId
    from movi_prep.records.motion import Sex
    from movi_prep.records.recordings import Footage, Recordings
    from movi_prep.records.session import Session
    from movi_prep.video.footage import FrameReader

Result = TypeVar("Result")

CLIPS = "AMASS clips (one of each subject)"
MOTIONS, BODY_MODELS, SOFT_TISSUE = "motions", "body models", "soft tissue"
_FETCH = "sign in, fetch it again, and unpack it"
_LENGTH_SLACK = 0.02
"""Clips are cut a few frames off; more than this part of their length is another motion, or another rate."""
_SLACK_FRAMES = 3
_VARIES = re.compile(r"/[^\s:;,()']+|\d+(\.\d+)?")


@dataclass(frozen=True)
class DataFault:
    """One kind of fault, however many files have it.

    Attributes:
        part: which part of the data: `AMASS clips`.
        expected: what should be there.
        got: what came instead, in the words of the first file's error.
        remedy: what to do.
        files: the files that have it, the first one first.
        n_opened: how many files of this part were opened.
        subjects: subjects whose results need it, if the files do not show that.
    """

    part: str
    expected: str
    got: str
    remedy: str
    files: tuple[Path, ...]
    n_opened: int
    subjects: tuple[str, ...] = ()

    @property
    def stops_bodies(self) -> bool:
        """Whether no body can be posed for it: a motion or a body model, not what belongs to a video."""
        return self.part in (CLIPS, MOTIONS, BODY_MODELS, SOFT_TISSUE)

    def __str__(self) -> str:
        """Return the fault as one line."""
        number = f"{len(self.files)} of {self.n_opened} opened" if self.n_opened > 1 else "the file"
        shown = f"{self.files[0]}{' and others' if len(self.files) > 1 else ''}"
        waiting = f", needed by {list_names(self.subjects)}" if self.subjects else ""
        return f"{self.part}: {number}: expected {self.expected}, but got {self.got}; {self.remedy} ({shown}{waiting})"


@dataclass(frozen=True)
class ClipLength:
    """The length of a clip: `n_samples` mocap samples at `rate_hz`."""

    n_samples: int
    rate_hz: float


@dataclass(frozen=True)
class DataCheck:
    """The result of opening files.

    Attributes:
        faults: kinds of faults, those of most files first.
        lengths: length of every clip: read in those that were opened, by size of the file in the others.
    """

    faults: tuple[DataFault, ...]
    lengths: Mapping[ClipId, ClipLength]


@dataclass
class _Found:
    """Faults as they are met: part, file and error; and which subjects wait for a file."""

    faults: list[tuple[str, Path, InputError]] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    needed_by: dict[Path, tuple[str, ...]] = field(default_factory=dict)

    def open(self, part: str, path: Path, read: Callable[[], Result]) -> Result | None:
        """Return the content of a file; if it cannot be read, note the fault and return None."""
        self.opened[part] = self.opened.get(part, 0) + 1
        try:
            foreign = "" if path.is_dir() else foreign_content(path)
            if foreign:
                raise InputError(path, expected=f"a {path.suffix} file", got=foreign, remedy=_FETCH)  # noqa: TRY301
            return read()
        except InputError as error:
            # Two files that are read together, as a camera's: the error names the one at fault.
            named = Path(error.where)
            self.faults.append((part, named if named.is_file() else path, error))
        except OSError as error:
            self.add(part, path, expected="a file that can be read", got=describe_os_error(error), remedy="see there")
        except MoviPrepError as error:
            self.add(part, path, expected="a file that can be used", got=str(error), remedy="see there")
        return None

    def add(self, part: str, path: Path, *, expected: str, got: str, remedy: str) -> None:
        """Note a fault that shows when files are compared."""
        self.faults.append((part, path, InputError(path, expected=expected, got=got, remedy=remedy)))

    def kinds(self) -> tuple[DataFault, ...]:
        """Return the faults, those in the same words (paths and numbers aside) as one."""
        groups: dict[tuple[str, str, str], list[tuple[Path, InputError]]] = {}
        for part, path, error in self.faults:
            # Numbers and paths aside: six hundred clips of a wrong release are one fault.
            key = (part, _VARIES.sub("#", error.expected), _VARIES.sub("#", error.got))
            groups.setdefault(key, []).append((path, error))
        kinds = [
            DataFault(
                part=part,
                expected=group[0][1].expected,
                got=group[0][1].got,
                remedy=group[0][1].remedy,
                files=tuple(dict.fromkeys(path for path, _ in group)),
                n_opened=max(self.opened.get(part, 0), len(group)),
                subjects=tuple(dict.fromkeys(name for path, _ in group for name in self.needed_by.get(path, ()))),
            )
            for (part, *_), group in groups.items()
        ]
        return tuple(sorted(kinds, key=lambda fault: -len(fault.files)))


def check_data_files(recordings: Recordings, settings: MarkerSettings | None = None) -> DataCheck:
    """Open every clip of a manifest, else one per subject, and every body model, V3D file, calibration and video head.

    Args:
        recordings: what there is.
        settings: how motions are to be read and posed; None for the defaults.
    """
    found, asked = _Found(), settings or MarkerSettings()
    firsts = {subject: recordings.clips_of(subject)[0] for subject in recordings.subjects}
    # People write manifests by hand, line by line; a download is whole or not.
    opened = recordings.motions if recordings.reader == "manifest" else firsts.values()
    motions = {
        clip: motion
        for clip in opened
        if (motion := found.open(_clips(recordings), recordings.motions[clip], _reads_head(recordings, clip, asked)))
    }
    _open_bodies(recordings, motions, found, soft_tissue=asked.soft_tissue)
    _open_cameras(recordings, found)
    for subject, path in sorted(recordings.sessions.items()):
        # Data of subjects without clips are not used.
        if subject in firsts:
            session = found.open("V3D", path, lambda path=path: read_session(recordings.reader, path))  # type: ignore[misc]
            if session is not None:
                _compare_with_clips(session, path, recordings.clips_of(subject), motions, found)
            _open_videos(recordings, subject, session, found)
    for subject in firsts:
        if subject not in recordings.sessions:
            _open_videos(recordings, subject, None, found)
    return DataCheck(faults=found.kinds(), lengths=dict(_lengths(recordings, motions)))


def _clips(recordings: Recordings) -> str:
    return MOTIONS if recordings.reader == "manifest" else CLIPS


@dataclass(frozen=True)
class _Head:
    n_samples: int
    rate_hz: float
    sex: Sex
    body: BodyName


def _reads_head(recordings: Recordings, clip: ClipId, asked: MarkerSettings) -> Callable[[], _Head]:
    path, choice = recordings.motions[clip], recordings.choices.get(clip, NO_CHOICE)

    def read() -> _Head:
        with open_motion(path, choice, rate_hz=asked.motion_rate_hz, up=asked.motion_up) as file:
            return _head_of(file)

    return read


def _head_of(file: MotionFile | WholeMotion) -> _Head:
    return _Head(n_samples=file.n_samples, rate_hz=file.rate_hz, sex=file.shape.sex, body=file.shape.body)


def _open_bodies(recordings: Recordings, motions: Mapping[ClipId, _Head], found: _Found, *, soft_tissue: bool) -> None:
    """Open all models, and note the clips whose body and sex have none."""
    clips: dict[tuple[BodyName, str], list[ClipId]] = defaultdict(list)
    for clip, motion in motions.items():
        clips[motion.body, motion.sex].append(clip)
    for (body, sex), path in sorted(recordings.body_models.items()):
        found.needed_by[path] = tuple(clip.subject for clip in clips[body, sex])
        found.open(BODY_MODELS, path, lambda path=path, sex=sex: read_body_model(path, sex=sex))  # type: ignore[misc]
    for path in recordings.dmpl_models.values():
        found.open(SOFT_TISSUE, path, lambda path=path: read_soft_tissue_directions(path))  # type: ignore[misc]
    for (body, sex), lacking in clips.items():
        # If there is no model at all, the plan already says so.
        if recordings.body_models and (body, sex) not in recordings.body_models:
            file = MODEL_FILES[body].format(sex=sex, SEX=sex.upper())
            there = f"only {list_names(map(' '.join, recordings.body_models))}"
            _add_lacking(recordings, lacking, found, what=f"a model of {body}, {sex}", there=there, file=file)
        if soft_tissue and recordings.dmpl_models and sex not in recordings.dmpl_models:
            file = f"dmpls/{sex}/model.npz"
            _add_lacking(recordings, lacking, found, what=f"a DMPL model, {sex}", file=file)


def _add_lacking(
    recordings: Recordings, clips: Iterable[ClipId], found: _Found, *, what: str, file: str, there: str = "none"
) -> None:
    is_hinted = any("model" in finding for finding in recordings.findings)
    passed_over = "; a file that was passed over for it is among the findings" if is_hinted else ""
    for clip in clips:
        path = recordings.motions[clip]
        found.needed_by[path] = (clip.subject,)
        found.add(
            _clips(recordings),
            path,
            expected=what,
            got=there,
            remedy=f"fetch {file}{passed_over}",
        )


def _open_cameras(recordings: Recordings, found: _Found) -> None:
    for camera, intrinsics in sorted(recordings.intrinsics.items()):
        extrinsics = recordings.extrinsics.get(camera)
        if extrinsics is None:
            continue

        def read(camera: str = camera, inner: Path = intrinsics, outer: Path = extrinsics) -> object:
            return read_camera(recordings.reader, camera, CameraFiles(inner, outer))

        # Read one after the other: either may be a web page or empty.
        if found.open("calibration", extrinsics, lambda: True):
            found.open("calibration", intrinsics, read)
    _open_footage(recordings, found)


def _open_footage(recordings: Recordings, found: _Found) -> None:
    """Open the calibration and the video of every clip that has its own, each once, and compare them."""
    # Loads OpenCV, which BMLmovi's headers do without.
    from movi_prep.video.footage import open_footage

    cameras: dict[tuple[object, ...], Camera | None] = {}
    videos: dict[Path, FrameReader | None] = {}
    for (_, name), footage in recordings.footage.items():
        files, video = footage.camera, footage.video
        pictures = video if video.is_dir() else None
        place = (name, files.intrinsics, files.extrinsics, pictures)
        if place not in cameras:
            read = partial(read_camera, recordings.reader, name, files, pictures)
            cameras[place] = found.open("calibration", files.intrinsics, read)
        if video not in videos:
            videos[video] = reader = found.open("videos", video, partial(open_footage, video))
            # Heads stay in memory, files do not stay open: there may be thousands.
            if reader is not None:
                reader.close()
        _compare_footage(cameras[place], videos[video], footage, found)


def _compare_footage(camera: Camera | None, reader: FrameReader | None, footage: Footage, found: _Found) -> None:
    """Note the faults that show when a video is compared with its calibration and with the clip's entry."""
    from movi_prep.video.footage import check_size

    if reader is not None:
        found.open("clocks of videos", footage.video, lambda: clock_of_clip(reader, footage.clock))
        if camera is not None:
            found.open("sizes of pictures", footage.video, lambda: check_size(reader, camera.size_px))


def _open_videos(recordings: Recordings, subject: str, session: Session | None, found: _Found) -> None:
    for (owner, _), path in sorted(recordings.videos.items()):
        if owner != subject:
            continue
        n_frames = found.open("videos", path, lambda path=path: _n_frames(path))  # type: ignore[misc]
        last = int(session.video_ranges[:, 1].max()) if session is not None and len(session.clips) else 0
        if n_frames and last > n_frames + _SLACK_FRAMES:
            found.add(
                "videos against V3D",
                path,
                expected=f"the {last} frames that flags30 of its V3D file reach to",
                got=f"{n_frames} frames",
                remedy="the video is cut or another subject's: fetch it again; frames beyond its end are refused",
            )


def _n_frames(path: Path) -> int:
    """Return the number of frames in the headers of an .avi; 0 for other containers, which only estimate it.

    Raises:
        InputError: it is cut, was never closed, or has no frame.
    """
    for damage in check_avi_ends(path):
        remedy = "fetch it again; frames that cannot be found are refused"
        raise InputError(path, expected="a whole video", got=f"a damaged one: {damage}", remedy=remedy)
    head = read_avi_head(path)
    if head is not None:
        return head.n_frames
    # OpenCV takes a while to load, and most videos are .avi files.
    from movi_prep.video.reader import read_video_head

    read_video_head(path)
    return 0


def _compare_with_clips(
    session: Session, path: Path, clips: Iterable[ClipId], motions: Mapping[ClipId, _Head], found: _Found
) -> None:
    """Note a subject whose clips cannot be those in its V3D file."""
    for clip in clips:
        row, motion = session.row_of(clip.clip), motions.get(clip)
        if row is None:
            found.add(
                "AMASS clips against V3D",
                path,
                expected=f"flags30 of {clip}",
                got=f"flags of {len(session.clips)} clips",
                remedy="the clip gets no pictures: look whether the V3D file is another subject's",
            )
        elif motion is not None:
            _compare_length(session, path, row, motion, found)
            _compare_sex(session, path, motion, found)


def _compare_length(session: Session, path: Path, row: int, motion: _Head, found: _Found) -> None:
    first, end = (int(value) for value in session.video_ranges[row])
    first_sample, last_sample = (int(value) for value in session.mocap_ranges[row])
    flagged_s = (last_sample - first_sample) / motion.rate_hz
    there_s = motion.n_samples / motion.rate_hz
    # Two allowances: a share for long clips, and a few frames for short ones.
    slack_s = max(_LENGTH_SLACK * flagged_s, _SLACK_FRAMES * flagged_s / max(end - first, 1))
    if end > first and abs(there_s - flagged_s) > slack_s:
        found.add(
            "AMASS clips against V3D",
            path,
            expected=f"a clip of {flagged_s:.1f} s, as flags120 say",
            got=f"{there_s:.1f} s of motion",
            remedy="only what both have gets labels: look whether clip and V3D file belong together",
        )


def _compare_sex(session: Session, path: Path, motion: _Head, found: _Found) -> None:
    if motion.sex not in ("neutral", session.sex):
        found.add(
            "AMASS clips against V3D",
            path,
            expected=f"a {motion.sex} subject, as AMASS says",
            got=f"{session.sex}",
            remedy="look whether clip and V3D file belong together",
        )


def _lengths(recordings: Recordings, motions: Mapping[ClipId, _Head]) -> Iterator[tuple[ClipId, ClipLength]]:
    """Yield the length of every clip: files of one release have the same bytes for each sample."""
    heads = {clip.subject: (head, recordings.motions[clip].stat().st_size) for clip, head in motions.items()}
    for clip, path in recordings.motions.items():
        if clip in motions:
            yield clip, ClipLength(motions[clip].n_samples, motions[clip].rate_hz)
        elif clip.subject in heads:
            head, n_bytes = heads[clip.subject]
            yield clip, ClipLength(round(head.n_samples * path.stat().st_size / n_bytes), head.rate_hz)
