"""Shards as tracks: unbroken runs of frames with 17 points, of one camera or the same moments in every camera.

Lifting networks take windows of neighbouring frames, and some of them pairs of cameras at one moment: a track ends
where a frame, or a point of it, is missing in one camera; the next track begins after the gap. Networks that read no
pictures also get the moments whose picture one camera lost: its calibration says where it would have seen the body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, InternalError, UsageError, list_names
from movi_prep.export.human36m import JointSource, Points17, make_points
from movi_prep.formats.absent_shards import absent_shards
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import (
    read_clip_ids,
    read_frame_labels,
    read_label_names,
    read_moments,
    read_shard_camera,
    read_subject_name,
)
from movi_prep.geometry.moments import common_moments, lacking_moments
from movi_prep.geometry.projection import inside_image, project_camera_points, world_to_camera
from movi_prep.names import natural_order
from movi_prep.plain_text import count_of
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.choice import choose_names
from movi_prep.records.identity import ClipId

if TYPE_CHECKING:
    from movi_prep.records.camera import Camera


_RADIAL_TERMS = (0, 1, 4)
"""Places of k1, k2 and k3 among OpenCV's coefficients."""

NO_PICTURE = -1
"""Stands for the row of a frame that a camera's shard lacks."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """A track as one camera sees it.

    Attributes:
        camera: the camera.
        shard: the file that the frames come from.
        rows: (n,) int64, rows of that file; NO_PICTURE where the camera has none.
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
        frames: (n,) int64, frames of the clip, successive, as the first camera counts them.
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
        all_cameras: whether a moment needs every camera; if not, each camera has tracks of its own.
        pictures: whether every frame needs a picture.
        shortest_run: least number of successive frames in a track.
    """

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    joints: JointSource = "smpl"
    plain_cameras: bool = False
    all_cameras: bool = True
    pictures: bool = True
    shortest_run: int = 1


@dataclass(frozen=True, eq=False)
class _View:
    """One camera's frames of one clip: rows of the shard, their moments (mocap samples) and their points."""

    shard: Path
    camera: Camera
    part: str
    motion: str
    rate_hz: float
    frames: NDArray[np.int64]
    moments: NDArray[np.float64]
    rows: NDArray[np.int64]
    points: Points17
    seen_px: NDArray[np.float64]

    def is_whole(self) -> NDArray[np.bool_]:
        """Return (n,) bool: the frames with all points, which the camera sees."""
        return np.asarray(self.points.valid.all(axis=1) & np.isfinite(self.seen_px).all(axis=(1, 2)))

    def select(self, wanted: NDArray[Any]) -> _View:
        """Return the view of some frames, by index or by (n,) bool."""
        points = self.points
        return replace(
            self,
            frames=self.frames[wanted],
            moments=self.moments[wanted],
            rows=self.rows[wanted],
            points=Points17(points.world_m[wanted], points.camera_m[wanted], points.valid[wanted]),
            seen_px=self.seen_px[wanted],
        )


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
        UsageError: there is no such folder.
        MissingError: there are no shards in it.
    """
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        raise UsageError(f"{folder}: expected a work folder or a folder of shards, but got {got}; correct the path")
    for place in (folder / "shards", folder):
        found = sorted(place.glob("*.h5"), key=lambda path: natural_order(path.name))
        if found:
            return found
    raise absent_shards(folder)


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
    if not wanted.pictures:
        # Cameras that are not exported still have moments whose picture others lost. That one of their shards cannot
        # be read is no fault of an export without them.
        rest = [head for head in heads if head.subject in parts and head.camera not in cameras]
        lens = replace(wanted, plain_cameras=False)
        found += _each(rest, lambda head: list(_read_views(head, lens, part=parts[head.subject])))[0]
    views: dict[ClipId, dict[str, _View]] = {}
    for clip, view in (item for items in found for item in items):
        views.setdefault(clip, {})[view.camera.name] = view
    if not views:
        raise errors[0] if errors else InternalError("shards without clips")
    return _follow(views, cameras, wanted, left_out=[str(error) for error in errors])


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


def _follow(
    views: Mapping[ClipId, Mapping[str, _View]], cameras: Sequence[str], wanted: Wanted, *, left_out: list[str]
) -> Corpus:
    tracks: list[Track] = []
    findings: list[str] = []
    for clip in sorted(views):
        own = [views[clip][name] for name in cameras if name in views[clip]]
        missing = [name for name in cameras if name not in views[clip]]
        if missing and (wanted.all_cameras or not own):
            # A clip that one camera lacks would be half a sample.
            why = ", and pairs need every camera; export some with --cameras" if own else ""
            left_out.append(f"{clip}: it has no frames of {list_names(missing)}{why}")
            continue
        findings += [f"{clip}: it has no frames of {list_names(missing)}"] if missing else []
        if not wanted.pictures:
            own, added = _fill_gaps(clip, own, [*views[clip].values()])
            findings += added
        for together in [own] if wanted.all_cameras else [[view] for view in own]:
            found = _tracks(clip, together, shortest=wanted.shortest_run)
            tracks += found
            if not found:
                left_out.append(f"{clip}: {_why_none(together, wanted)}")
            elif gaps := _longest(together) - sum(len(track.frames) for track in found):
                names = list_names([view.camera.name for view in together])
                findings.append(
                    f"{clip}: {count_of(gaps, 'frame')} not whole in {names}: {count_of(len(found), 'run')}"
                )
    return Corpus(tuple(tracks), tuple(findings), tuple(left_out))


def _longest(views: Sequence[_View]) -> int:
    return max(int(np.ptp(view.frames)) + 1 for view in views)


def _why_none(views: Sequence[_View], wanted: Wanted) -> str:
    common = common_moments([view.moments for view in views])
    names = list_names([view.camera.name for view in views])
    if not len(common[0]):
        return f"the frames of {names} show no common moment, and pairs need one; export one camera with --cameras"
    if wanted.shortest_run > 1:
        return f"no {wanted.shortest_run} successive frames have all 17 points in {names}"
    return f"no frame has all 17 points in {names}"


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
        moments = read_moments(shard)
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
                    moments=moments[rows],
                    rows=rows,
                    points=points,
                    seen_px=seen_px,
                ),
            )


def is_plain(camera: Camera) -> bool:
    """Return whether a camera stands still and its lens has no terms but k1, k2 and k3."""
    radial = np.isin(np.arange(len(camera.lens.coefficients)), _RADIAL_TERMS)
    return not camera.is_moving and camera.lens.model == "opencv" and not camera.lens.coefficients[~radial].any()


def _fill_gaps(clip: ClipId, views: Sequence[_View], others: Sequence[_View]) -> tuple[list[_View], list[str]]:
    """Return the views with the moments that only other cameras have, and a sentence on each that lacked some."""
    filled: list[_View] = []
    added: list[str] = []
    for view in views:
        whole = view
        for other in others:
            whole = _with_moments_of(whole, other)
        filled.append(whole)
        if more := len(whole.rows) - len(view.rows):
            added.append(
                f"{clip}: {count_of(more, 'frame')} without a picture in {view.camera.name}, kept all the same"
            )
    return filled, added


def _with_moments_of(view: _View, other: _View) -> _View:
    """Return a view with the moments that it lacks and another has; as it is where it cannot be said what it saw."""
    common = common_moments([view.moments, other.moments])
    ahead = np.unique(view.frames[common[0]] - other.frames[common[1]])
    # Where a moving camera was is known in its own frames only, and clocks of other rates have no such frame.
    if view.camera.is_moving or len(ahead) != 1:
        return view
    more = other.select(lacking_moments(view.moments, other.moments))
    camera_m = world_to_camera(view.camera, more.points.world_m)
    seen_px = project_camera_points(camera_m, view.camera.intrinsics_px, view.camera.lens)
    # A body outside the image is no frame of this camera, with a picture or without.
    there = np.asarray(inside_image(seen_px, view.camera.size_px).any(axis=1))
    more = replace(
        more,
        frames=more.frames + ahead,
        rows=np.full(len(more.rows), NO_PICTURE),
        points=replace(more.points, camera_m=camera_m),
        seen_px=seen_px,
    ).select(there)
    return _in_order(view, more)


def _in_order(view: _View, more: _View) -> _View:
    points = [each.points for each in (view, more)]
    both = replace(
        view,
        frames=np.concatenate([view.frames, more.frames]),
        moments=np.concatenate([view.moments, more.moments]),
        rows=np.concatenate([view.rows, more.rows]),
        points=Points17(
            world_m=np.concatenate([each.world_m for each in points]),
            camera_m=np.concatenate([each.camera_m for each in points]),
            valid=np.concatenate([each.valid for each in points]),
        ),
        seen_px=np.concatenate([view.seen_px, more.seen_px]),
    )
    return both.select(np.argsort(both.moments, kind="stable"))


def _tracks(clip: ClipId, views: Sequence[_View], *, shortest: int) -> list[Track]:
    """Return the runs of moments that are whole in every camera."""
    common = common_moments([view.moments for view in views])
    paired = [view.select(at) for view, at in zip(views, common, strict=True)]
    whole = np.asarray(np.all([view.is_whole() for view in paired], axis=0))
    paired = [view.select(whole) for view in paired]
    # A window of frames must not reach over a gap, in any camera.
    breaks = np.any([np.diff(view.frames) != 1 for view in paired], axis=0)
    runs = np.split(np.arange(len(paired[0].frames)), np.flatnonzero(breaks) + 1)
    runs = [run for run in runs if len(run) >= max(shortest, 1)]
    return [
        _track(clip, [view.select(run) for view in paired], run=number if len(runs) > 1 else 0)
        for number, run in enumerate(runs, start=1)
    ]


def _track(clip: ClipId, views: Sequence[_View], *, run: int) -> Track:
    first = views[0]
    return Track(
        clip=clip,
        motion=first.motion,
        run=run,
        part=first.part,
        rate_hz=first.rate_hz,
        frames=first.frames,
        world_m=first.points.world_m,
        views=tuple(_camera_track(view, first) for view in views),
    )


def _camera_track(view: _View, first: _View) -> CameraTrack:
    camera_m, seen_px = view.points.camera_m, view.seen_px
    # Clocks may differ by a part of a sample: what a camera sees is then projected from the track's own points.
    if not view.camera.is_moving and (view.moments != first.moments).any():
        camera_m = world_to_camera(view.camera, first.points.world_m)
        seen_px = project_camera_points(camera_m, view.camera.intrinsics_px, view.camera.lens)
    return CameraTrack(
        camera=view.camera,
        shard=view.shard,
        rows=view.rows,
        camera_m=camera_m,
        seen_px=seen_px,
        in_image=inside_image(seen_px, view.camera.size_px),
    )


def by_subject(tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Return the tracks of each subject."""
    found: dict[str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.clip.subject, []).append(track)
    return found


def cameras_in(tracks: Sequence[Track]) -> dict[str, Camera]:
    """Return the cameras of tracks by name, in the order of their names."""
    found = {view.camera.name: view.camera for track in tracks for view in track.views}
    return {name: found[name] for name in sorted(found, key=natural_order)}


def subject_keys(corpus: Corpus) -> dict[str, str]:
    """Return subject -> its name in lifting codes, `S1`; names without distinct numbers stay."""
    numbers = {name: number_of(name) for name in corpus.subjects}
    keys = {name: f"S{number}" if number else name for name, number in numbers.items()}
    # Two people under one key would be merged.
    return keys if len(set(keys.values())) == len(keys) else {name: name for name in keys}


def action_of(track: Track) -> str:
    """Return the action of a track: the motion in one word, because codes group by the first word."""
    # Codes take the first word of a name, and lists of actions have commas; a slash would look like a folder.
    return "_".join(re.sub("[/,]", "_", track.motion).split()) or track.clip.clip


def joined(tracks: Sequence[Track], value: Callable[[Track, CameraTrack], Any]) -> NDArray[Any]:
    """Return a value of every track and camera, one after the other along the first axis."""
    return np.concatenate([value(track, view) for track in tracks for view in track.views])
