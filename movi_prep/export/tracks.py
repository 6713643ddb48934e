"""Shards as tracks: unbroken runs of frames with 17 points, the same frames in every camera.

Lifting networks take windows of neighbouring frames, and pairs of cameras at one moment: a track ends where a
frame, or a point of it, is missing in one camera; the next track begins after the gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, InternalError, MissingError, list_names
from movi_prep.export.human36m import JointSource, Points17, make_points
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import (
    read_clip_ids,
    read_frame_labels,
    read_label_names,
    read_shard_camera,
    read_subject_name,
)
from movi_prep.geometry.projection import inside_image, project_camera_points
from movi_prep.names import natural_order
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.choice import choose_names
from movi_prep.records.identity import ClipId

if TYPE_CHECKING:
    from movi_prep.records.camera import Camera


_RADIAL_TERMS = (0, 1, 4)
"""Places of k1, k2 and k3 among OpenCV's coefficients."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """A track as one camera sees it.

    Attributes:
        camera: the camera.
        shard: the file that the frames come from.
        rows: (n,) int64, rows of that file.
        camera_m: (n, 17, 3) float64, metres, camera frame.
        seen_px: (n, 17, 2) float64, pixels of the video, lens included.
        in_image: (n, 17) bool, whether the points lie on the image.
    """

    camera: Camera
    shard: Path
    rows: NDArray[np.int64]
    camera_m: NDArray[np.float64]
    seen_px: NDArray[np.float64]
    in_image: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Track:
    """An unbroken run of frames of one clip.

    Attributes:
        clip: the clip.
        motion: name of the motion.
        run: which run of the clip, from 1; 0 where the clip has only one.
        part: part of the data that the subject belongs to.
        rate_hz: frames per second.
        frames: (n,) int64, frames of the clip, successive.
        world_m: (n, 17, 3) float64, metres, AMASS world.
        views: one for each camera, in the order of their names.
    """

    clip: ClipId
    motion: str
    run: int
    part: str
    rate_hz: float
    frames: NDArray[np.int64]
    world_m: NDArray[np.float64]
    views: tuple[CameraTrack, ...]

    @property
    def name(self) -> str:
        """Name of the clip, and of the run where there are several."""
        return f"{self.clip.clip} run {self.run}" if self.run else self.clip.clip


@dataclass(frozen=True)
class Corpus:
    """All tracks, and the clips without any.

    Attributes:
        tracks: by subject and clip.
        findings: further findings.
        left_out: what is missing, and why.
    """

    tracks: tuple[Track, ...]
    findings: tuple[str, ...]
    left_out: tuple[str, ...]

    def of(self, part: str) -> tuple[Track, ...]:
        """Return the tracks of one part of the data."""
        return tuple(track for track in self.tracks if track.part == part)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects."""
        return tuple(dict.fromkeys(track.clip.subject for track in self.tracks))


@dataclass(frozen=True)
class Wanted:
    """The part of the shards to export.

    Attributes:
        train: subjects to train on: names, numbers or ranges of BML-MoVi's, patterns. If train or
            test is given, no other subject is exported; without both, parts are those in the shards.
        test: subjects to test on.
        cameras: names of the cameras; empty for all.
        joints: source of the joints.
        plain_cameras: whether only cameras that stand still and have radial terms k1, k2, k3 can be exported.
    """

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    joints: JointSource = "smpl"
    plain_cameras: bool = False


@dataclass(frozen=True, eq=False)
class _View:
    """One camera's frames of one clip: rows of the shard by frame of the clip, and their points."""

    shard: Path
    camera: Camera
    part: str
    motion: str
    rate_hz: float
    frames: NDArray[np.int64]
    rows: NDArray[np.int64]
    points: Points17
    seen_px: NDArray[np.float64]


@dataclass(frozen=True)
class _Head:
    """The head of a shard that can be opened."""

    path: Path
    subject: str
    camera: str
    split: str


def find_shards(folder: Path) -> list[Path]:
    """Return the shards of a work folder, or of a folder of shards.

    Raises:
        MissingError: there are none.
    """
    for place in (folder / "shards", folder):
        found = sorted(place.glob("*.h5"), key=lambda path: natural_order(path.name))
        if found:
            return found
    raise MissingError(folder, expected="native shards (*.h5)", got="none", remedy="run 'movi-prep shard'")


def read_corpus(shards: Sequence[Path], wanted: Wanted) -> Corpus:
    """Return the tracks of shards, those of all cameras together.

    Raises:
        InputError: no shard can be used (the first reason is given), or none has the wanted subjects or cameras.
    """
    heads, errors = _each(shards, _read_head)
    # A subject that --train names may be in the shard that cannot be read: that is not a wrong flag.
    parts = _choose_parts(heads, wanted, complete=not errors)
    cameras = _choose_cameras(heads, wanted)
    chosen = [head for head in heads if head.subject in parts and head.camera in cameras]
    found, more = _each(chosen, lambda head: list(_read_views(head, wanted, part=parts[head.subject])))
    errors += more
    views: dict[ClipId, dict[str, _View]] = {}
    for clip, view in (item for items in found for item in items):
        views.setdefault(clip, {})[view.camera.name] = view
    if not views:
        raise errors[0] if errors else InternalError("shards without clips")
    return _follow(views, cameras, left_out=[str(error) for error in errors])


def _each(items: Iterable[T], read: Callable[[T], R]) -> tuple[list[R], list[InputError]]:
    """Return the results of reading, and the errors of items that cannot be read."""
    done: list[R] = []
    errors: list[InputError] = []
    for item in items:
        try:
            done.append(read(item))
        except InputError as error:
            errors.append(error)
    return done, errors


def _follow(views: Mapping[ClipId, Mapping[str, _View]], cameras: Sequence[str], *, left_out: list[str]) -> Corpus:
    tracks: list[Track] = []
    findings: list[str] = []
    for clip in sorted(views):
        missing = [name for name in cameras if name not in views[clip]]
        # Pairs of cameras need both: a clip that one camera lacks would be half a sample.
        if missing:
            left_out.append(f"{clip}: it has no frames of {list_names(missing)}, and pairs need every camera")
            continue
        found, said = _tracks(clip, [views[clip][name] for name in cameras])
        tracks += found
        findings += said
        if not found:
            left_out.append(f"{clip}: no frame has all 17 points in every camera")
    return Corpus(tuple(tracks), tuple(findings), tuple(left_out))


def _choose_parts(heads: Sequence[_Head], wanted: Wanted, *, complete: bool) -> dict[str, str]:
    """Return the part of each subject that is wanted; `complete`: every shard's subject is known."""
    there = {head.subject for head in heads}
    if not wanted.train and not wanted.test:
        return {head.subject: head.split for head in heads}
    parts: dict[str, str] = {}
    for part, flag, entries in (("train", "--train", wanted.train), ("test", "--test", wanted.test)):
        chosen, absent = choose_names(entries, there)
        if absent and complete:
            raise InputError(
                flag,
                expected=f"subjects out of {list_names(sorted(there, key=natural_order))}",
                got=list_names(absent),
                remedy="correct the flag",
            )
        twice = sorted(chosen & set(parts))
        if twice:
            raise InputError(
                flag,
                expected="subjects to test on only",
                got=f"{list_names(twice)}, which --train names",
                remedy="remove them from one",
            )
        parts |= dict.fromkeys(chosen, part)
    return parts


def _choose_cameras(heads: Sequence[_Head], wanted: Wanted) -> list[str]:
    there = sorted({head.camera for head in heads}, key=natural_order)
    unknown = [name for name in wanted.cameras if name not in there]
    if unknown and there:
        raise InputError(
            "--cameras",
            expected=f"cameras out of {list_names(there)}",
            got=list_names(unknown),
            remedy="correct the flag",
        )
    return [name for name in there if not wanted.cameras or name in wanted.cameras]


def _read_head(path: Path) -> _Head:
    check_hdf5(path)
    with ShardFile(path) as shard:
        return _Head(path, read_subject_name(shard), str(shard.attribute("camera")), str(shard.attribute("split")))


def _read_views(head: _Head, wanted: Wanted, *, part: str) -> Iterator[tuple[ClipId, _View]]:
    with ShardFile(head.path) as shard:
        camera, names = read_shard_camera(shard), read_label_names(shard)
        if wanted.plain_cameras and not is_plain(camera):
            raise InputError(
                head.path,
                expected="a camera that stands still, with radial terms k1, k2, k3: the code knows no others",
                got="a camera that moves" if camera.is_moving else f"a lens with {camera.lens.coefficients.tolist()}",
                remedy="export to motionbert or pose-hg-3d, which need neither",
            )
        clips, frames = shard.read("frames/clip"), shard.read("frames/clip_frame").astype(np.int64)
        motions = dict(zip(shard.read("clips/number").tolist(), shard.names("clips/motion"), strict=True))
        rate_hz = float(shard.attribute("frame_rate_hz"))
        for number, clip in read_clip_ids(shard).items():
            rows = np.flatnonzero(clips == number).astype(np.int64)
            points = make_points(read_frame_labels(shard, rows), names, joints=wanted.joints, source=str(head.path))
            seen_px = project_camera_points(points.camera_m, camera.intrinsics_px, camera.lens)
            yield (
                clip,
                _View(
                    shard=head.path,
                    camera=camera,
                    part=part,
                    motion=motions[number] or clip.clip,
                    rate_hz=rate_hz,
                    frames=frames[rows],
                    rows=rows,
                    points=points,
                    seen_px=seen_px,
                ),
            )


def is_plain(camera: Camera) -> bool:
    """Return whether a camera stands still and its lens has no terms but k1, k2 and k3."""
    radial = np.isin(np.arange(len(camera.lens.coefficients)), _RADIAL_TERMS)
    return not camera.is_moving and camera.lens.model == "opencv" and not camera.lens.coefficients[~radial].any()


def _tracks(clip: ClipId, views: Sequence[_View]) -> tuple[list[Track], list[str]]:
    """Return the runs of frames that are complete in every camera, and a sentence on the gaps."""
    whole = [view.frames[view.points.valid.all(axis=1) & np.isfinite(view.seen_px).all(axis=(1, 2))] for view in views]
    common = whole[0]
    for frames in whole[1:]:
        # A pair of cameras needs one moment in both.
        common = np.intersect1d(common, frames)
    # A window of frames must not reach over a gap.
    breaks = np.flatnonzero(np.diff(common) != 1) + 1
    runs = np.split(common, breaks) if len(common) else []
    tracks = [
        _track(clip, views, frames, run=number if len(runs) > 1 else 0) for number, frames in enumerate(runs, start=1)
    ]
    seen = np.unique(np.concatenate([view.frames for view in views]))
    gaps = np.setdiff1d(np.arange(seen[0], seen[-1] + 1), common) if len(seen) else seen
    said = (
        [f"{clip}: {len(gaps)} frames are not whole in every camera: {max(len(runs), 1)} run(s)"] if len(gaps) else []
    )
    return tracks, said


def _track(clip: ClipId, views: Sequence[_View], frames: NDArray[np.int64], *, run: int) -> Track:
    at = [np.searchsorted(view.frames, frames) for view in views]
    first = views[0]
    return Track(
        clip=clip,
        motion=first.motion,
        run=run,
        part=first.part,
        rate_hz=first.rate_hz,
        frames=frames,
        world_m=first.points.world_m[at[0]],
        views=tuple(
            CameraTrack(
                camera=view.camera,
                shard=view.shard,
                rows=view.rows[index],
                camera_m=view.points.camera_m[index],
                seen_px=view.seen_px[index],
                in_image=inside_image(view.seen_px[index], view.camera.size_px),
            )
            for view, index in zip(views, at, strict=True)
        ),
    )


def by_subject(tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Return the tracks of each subject."""
    found: dict[str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.clip.subject, []).append(track)
    return found


def subject_key(subject: str) -> str:
    """Return a subject as lifting codes name it, `S1`; a name without a number stays."""
    number = number_of(subject)
    return f"S{number}" if number else subject.replace(",", "_")


def action_of(track: Track) -> str:
    """Return the action of a track: the motion in one word, because codes group by the first word."""
    # Codes take the first word of a name; a slash in it would look like a folder.
    return "_".join(track.motion.replace("/", "_").split()) or track.clip.clip


def joined(tracks: Sequence[Track], value: Callable[[Track, CameraTrack], Any]) -> NDArray[Any]:
    """Return a value of every track and camera, one after the other along the first axis."""
    return np.concatenate([value(track, view) for track in tracks for view in track.views])
