"""The embedded data set: a small download of AMASS BMLmovi and BML-MoVi, written by the project itself.

    body_models/{smplh,dmpls}/SEX/model.npz          the open body in SMPL+H layout
    amass/BMLmovi/BMLmovi/Subject_N_F_MoSh/...       clips of both releases, shape.npz beside
    v3d/F_v3d_Subject_N.mat                          clip boundaries, sex, optical markers
    videos/F_PG1_Subject_N_L.avi, F_PG2_...          800 x 600 at 30 Hz
    calibration/cameraParams_PG1.npz, ...            intrinsics and extrinsics in MATLAB's conventions
    truth/truth.npz, truth.json                      the results that every stage should find
    config.yaml                                      ready for `movi-prep run --config`
    made.json                                        what it was made of (`made`); written last
    ABOUT.txt                                        description of the folder; written first

Equal arguments give equal bytes.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.amass_files import write_clip, write_subject_files
from movi_prep.demo.cameras import IMAGE_SIZE_PX, demo_cameras, write_calibration
from movi_prep.demo.cast import cast
from movi_prep.demo.channels import MOCAP_RATE_HZ, VIDEO_STEP, smoothed
from movi_prep.demo.film import empty_stage, film
from movi_prep.demo.made import forget_made, read_made, write_made
from movi_prep.demo.open_body import read_open_body, write_open_body
from movi_prep.demo.posed_body import shaped_body
from movi_prep.demo.session import act
from movi_prep.demo.truth import clip_truth, describe_performer, marker_vertices, posed_points, write_truth
from movi_prep.demo.v3d_files import write_v3d
from movi_prep.demo.wardrobe import dress
from movi_prep.errors import UsageError, list_names
from movi_prep.formats.atomic import write_text
from movi_prep.records.advance import Advance, advancing, between, unheard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.demo.cameras import DemoCamera
    from movi_prep.demo.cast import Performer
    from movi_prep.demo.posed_body import DemoBody
    from movi_prep.demo.session import Session

_PARTS = ("body_models", "amass", "v3d", "videos", "calibration", "truth")
"""Folders of the data set."""

VIDEO_RATE_HZ = MOCAP_RATE_HZ / VIDEO_STEP

_ABOUT = """\
The embedded data set of movi-prep: made up people, no recordings. `movi-prep demo` writes it anew where it
was changed; it may be deleted.
"""

_CONFIG = """\
# Settings of the embedded data set: paths count from this file's folder; both layouts of shards; else the default.
work: work
amass: amass
body_models: body_models
v3d: v3d
videos: videos
calibration: calibration
shard:
  layout: both
"""


@dataclass(frozen=True)
class DemoSummary:
    """The written data set.

    Attributes:
        folder: the data set.
        config: its ready configuration file.
        subjects: numbers of the subjects.
        n_clips: AMASS clips in all.
        n_samples: mocap samples in these clips.
        n_frames: video frames in all videos.
        n_bytes: size of the data set.
    """

    folder: Path
    config: Path
    subjects: tuple[int, ...]
    n_clips: int
    n_samples: int
    n_frames: int
    n_bytes: int


_COUNTS = ("n_clips", "n_samples", "n_frames", "n_bytes")
_ACTING = 0.15
"""About which part of the work is done when all motions are there, and the pictures are not."""


@dataclass(frozen=True)
class _Shoot:
    """One video to make: all data that a separate process needs."""

    path: Path
    performer: Performer
    camera: DemoCamera
    poses_rad: NDArray[np.float64]
    translation_m: NDArray[np.float64]


def find_demo(
    folder: Path, *, seed: int = 0, subjects: Sequence[int] | None = None, clips: Sequence[int] | None = None
) -> DemoSummary | None:
    """Return the data set in a folder where it is whole; None where `write_demo` must write it (again)."""
    facts = read_made(folder, _asked(seed, subjects, clips))
    if facts is None:
        return None
    numbers = {name: int(facts[name]) for name in _COUNTS}
    return DemoSummary(folder, folder / "config.yaml", tuple(facts["subjects"]), **numbers)


def _asked(seed: int, subjects: Sequence[int] | None, clips: Sequence[int] | None) -> dict[str, Any]:
    chosen = {"subjects": subjects, "clips": clips}
    return {"seed": seed} | {name: None if these is None else list(these) for name, these in chosen.items()}


def write_demo(
    folder: Path,
    *,
    seed: int = 0,
    subjects: Sequence[int] | None = None,
    clips: Sequence[int] | None = None,
    workers: int | None = None,
    advance: Advance = unheard,
) -> DemoSummary:
    """Write the data set below `folder`.

    Args:
        folder: the folder; created where missing.
        seed: seed of all random numbers: drift, soft tissue, missing points.
        subjects: the performers, None for all.
        clips: their motions (positions in V3D's list, from 1), None for all.
        workers: processes that render; None for one per core, at most one per video.
        advance: receives the fraction that is done.

    Raises:
        UsageError: a subject, clip or seed does not exist, or the folder holds data of another origin.
    """
    performers = _chosen(subjects)
    cues = {performer.subject: _chosen_cues(performer, clips) for performer in performers}
    _claim(folder, seed)
    forget_made(folder)
    cameras = demo_cameras()
    write_open_body(folder / "body_models")
    for camera in cameras:
        write_calibration(folder / "calibration", camera)
    arrays: dict[str, NDArray[Any]] = {}
    description: dict[str, Any] = {"seed": seed, "marker_names": list(marker_vertices()), "subjects": {}}
    shoots: list[_Shoot] = []
    sessions: dict[int, Session] = {}
    for performer in advancing(performers, between(advance, 0.0, _ACTING), total=len(performers)):
        # By subject: who else is written does not change anybody's files.
        rng = np.random.default_rng([seed, performer.subject])
        body = shaped_body(read_open_body(performer.sex), performer.betas)
        session = act(body, cues[performer.subject], rng)
        sessions[performer.subject] = session
        arrays |= write_recordings(folder, performer, body, session, rng)
        description["subjects"][str(performer.subject)] = describe_performer(performer, session, body.height_m)
        shoots += _shoots(folder / "videos", performer, session, cameras)
    filmed = _film_all(shoots, workers, between(advance, _ACTING, 1.0))
    for shoot, boxes in zip(shoots, filmed, strict=True):
        for clip in sessions[shoot.performer.subject].clips:
            key = f"S{shoot.performer.subject}_C{clip.number}_boxes_{shoot.camera.name}"
            arrays[key] = boxes[clip.first_frame : clip.last_frame + 1]
    write_truth(folder / "truth", arrays, description)
    write_text(folder / "config.yaml", _CONFIG)
    written = _summary(folder, sessions, shoots)
    facts = {"subjects": written.subjects} | {name: getattr(written, name) for name in _COUNTS}
    write_made(folder, _asked(seed, subjects, clips), facts, (*_PARTS, "config.yaml", "ABOUT.txt"))
    return written


def _claim(folder: Path, seed: int) -> None:
    """Mark the folder as the embedded data set's own, because its files have the names of real recordings."""
    if seed < 0:
        raise UsageError(f"demo: expected a seed of 0 or more, but got {seed}")
    own = [folder / "ABOUT.txt", folder / "config.yaml"]
    is_own = any(
        path.is_file() and path.read_text(errors="replace")[:40] in (_ABOUT[:40], _CONFIG[:40]) for path in own
    )
    # All that is there, not the names of its parts only: eight folders more in a work folder or a home are no help.
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if there and not is_own:
        raise UsageError(
            f"{folder}: expected an empty folder or an embedded data set to write anew, but it holds "
            f"{list_names(there, at_most=6)} of another origin; name another folder"
        )
    write_text(folder / "ABOUT.txt", _ABOUT)


def _chosen(subjects: Sequence[int] | None) -> list[Performer]:
    performers = cast()
    wanted = sorted(performers) if subjects is None else list(dict.fromkeys(subjects))
    unknown = [str(number) for number in wanted if number not in performers]
    if unknown:
        there = list_names(str(number) for number in performers)
        raise UsageError(f"demo: expected subjects out of {there}, but got {list_names(unknown)}; choose from these")
    return [performers[number] for number in wanted]


def _chosen_cues(performer: Performer, clips: Sequence[int] | None) -> tuple[Any, ...]:
    if clips is None:
        return performer.cues
    chosen = tuple(cue for number, cue in enumerate(performer.cues, start=1) if number in clips)
    if not chosen:
        raise UsageError(
            f"demo: expected clips out of 1-{len(performer.cues)} for subject {performer.subject}, "
            f"but got {list_names(str(clip) for clip in clips)}; choose from these"
        )
    return chosen


def write_recordings(
    folder: Path, performer: Performer, body: DemoBody, session: Session, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Write the AMASS and V3D files of one subject; return its truth, entries named as in `movi_prep.demo.truth`."""
    points = posed_points(body, session)
    truth: dict[str, NDArray[Any]] = {
        "tpose_joints_m": body.joints_m,
        "tpose_markers_m": body.vertices_m[list(marker_vertices().values())],
    }
    write_subject_files(folder / "amass", performer)
    for clip in session.clips:
        # Drawn for every clip, stored or not, so that the choice of clips that have them moves no other number.
        dmpls = _soft_tissue(clip.samples.stop - clip.samples.start, rng)
        if clip.in_amass:
            stored = None if clip.number in performer.clips_without_dmpls else dmpls
            motion = (session.poses_rad[clip.samples], session.translation_m[clip.samples])
            write_clip(folder / "amass", performer, clip.number, *motion, stored)
        values = clip_truth(clip, points, demo_cameras())
        truth |= {f"C{clip.number}_{name}": value for name, value in values.items()}
    n_samples = len(points.joints_m) - 3  # the last mocap sample is the one that the last video frame shows
    write_v3d(
        folder / "v3d",
        performer,
        session,
        points=points.cut(slice(n_samples)),
        height_m=body.height_m,
        rng=rng,
    )
    return {f"S{performer.subject}_{name}": value for name, value in truth.items()}


def _soft_tissue(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return soft-tissue coefficients (n, 8) that quiver at about 5 Hz with a size of about 0.4."""
    noise = np.stack([smoothed(column, 0.03) for column in rng.standard_normal((8, n_samples))], axis=-1)
    noise *= 0.4 / noise.std()
    return noise


def _shoots(folder: Path, performer: Performer, session: Session, cameras: Sequence[DemoCamera]) -> Iterator[_Shoot]:
    poses, translation = session.at_video_clock
    for camera in cameras:
        n_frames = session.n_frames - (performer.short_video if camera.name == "PG2" else 0)
        path = folder / f"F_{camera.name}_Subject_{performer.subject}_L.avi"
        yield _Shoot(path, performer, camera, poses[:n_frames], translation[:n_frames])


def _film_all(shoots: Sequence[_Shoot], workers: int | None, advance: Advance) -> list[NDArray[np.float64]]:
    """Return the boxes of all videos, each written by a separate process."""
    n_workers = min(workers or os.cpu_count() or 1, len(shoots))
    if n_workers == 1:
        return list(advancing(map(_film_one, shoots), advance, total=len(shoots)))
    # Forked children would inherit the locks of whatever threads the caller has.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, mp_context=context) as pool:
        return list(advancing(pool.map(_film_one, shoots), advance, total=len(shoots)))


def _film_one(shoot: _Shoot) -> NDArray[np.float64]:
    """Write one video; return the box of each frame, (n, 4) pixels."""
    from movi_prep.video.avi_writer import write_avi

    performer = shoot.performer
    model = read_open_body(performer.sex)
    wardrobe = dress(model, performer.clothes, performer.stripe)
    motion = (shoot.poses_rad, shoot.translation_m)
    boxes: list[NDArray[np.float64]] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        for shot in film(
            empty_stage(shoot.camera), shaped_body(model, performer.betas), wardrobe, motion, performer.subject
        ):
            boxes.append(shot.box_px)
            yield shot.image

    write_avi(shoot.path, images(), size_px=IMAGE_SIZE_PX, rate_hz=VIDEO_RATE_HZ)
    return np.array(boxes)


def _summary(folder: Path, sessions: dict[int, Session], shoots: Sequence[_Shoot]) -> DemoSummary:
    written = [clip for session in sessions.values() for clip in session.clips if clip.in_amass]
    return DemoSummary(
        folder=folder,
        config=folder / "config.yaml",
        subjects=tuple(sessions),
        n_clips=len(written),
        n_samples=sum(clip.samples.stop - clip.samples.start for clip in written),
        n_frames=sum(len(shoot.poses_rad) for shoot in shoots),
        n_bytes=sum(path.stat().st_size for part in _PARTS for path in (folder / part).rglob("*") if path.is_file()),
    )
