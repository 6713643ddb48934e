"""Alignment: a recording shifted by a known amount in time and space is measured, and judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.root import Config
from movi_prep.errors import MissingError
from movi_prep.formats.alignment_file import read_alignment
from movi_prep.formats.marker_file import write_markers
from movi_prep.geometry.frames import amass_to_ground, amass_to_movi
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.bmlmovi_session import JOINT_OF_VIRTUAL_MARKER
from movi_prep.recordings.folders import Folders
from movi_prep.records.alignment import SubjectAlignment
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject, number_of
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import StageReport
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.align import ALIGN
from movi_prep.stages.markers import MARKERS
from tests.builders.v3d_files import VIRTUAL_MARKERS, V3dFile
from tests.sentences import raises_recorded

CLIP = movi_clip(1, 1)
FLAGS = ((21, 50), (61, 75))
N_SAMPLES = 400


def _swing(times_s: np.ndarray) -> np.ndarray:
    """Return (n, 12, 3) metres, AMASS world: twelve joints swinging 10 cm wide at 0.5 to 1.6 Hz."""
    k = np.arange(12)
    phase = 2 * np.pi * (0.5 + 0.1 * k) * times_s[:, None]
    rest = np.stack([np.cos(k), np.sin(k), 0.2 * k], axis=-1)
    return rest + 0.1 * np.stack([np.sin(phase), np.cos(phase + k), np.sin(phase + 2)], axis=-1)


def _markers(folder: Path, *, n_frames: int = 30, rate_hz: float = 30.0) -> WorkFolder:
    work = WorkFolder(folder / "work")
    samples = 4 * np.arange(n_frames)
    times = samples / 120.0
    positions = amass_to_ground(_swing(times))
    write_markers(
        work.markers(CLIP),
        MarkerTrajectories(
            names=tuple(JOINT_OF_VIRTUAL_MARKER.values()),
            positions_m=positions,
            times_s=times,
            sample_indices=samples,
            rate_hz=rate_hz,
            source="test",
        ),
        provenance={},
    )
    return work


def _v3d(
    *, lag_samples: float = 0.0, turn_deg: float = 0.0, shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> V3dFile:
    times = (np.arange(N_SAMPLES) - 4 * (FLAGS[0][0] - 1) - lag_samples) / 120.0
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    joints = amass_to_movi(_swing(times)) @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T + shift_m
    virtual = np.full((N_SAMPLES, 20, 3), 100.0)
    virtual[:, [VIRTUAL_MARKERS.index(name) for name in JOINT_OF_VIRTUAL_MARKER]] = 1000.0 * joints
    return V3dFile(flags30=FLAGS, virtual_mm=virtual, n_samples=N_SAMPLES)


def _align(folder: Path, v3d: V3dFile | None, work: WorkFolder) -> tuple[SubjectAlignment, StageReport]:
    recordings = Recordings(
        motions={CLIP: folder / "unused.npz"},
        sessions={} if v3d is None else {"S001": v3d.write(folder)},
        videos={("S001", "PG1"): folder / "unused.avi"},
    )
    (unit,) = ALIGN.plan(recordings, work, Config())
    report = ALIGN.run_unit(unit)
    return read_alignment(work.alignment("S001")), report


def test_two_recordings_of_one_motion_agree(tmp_path: Path) -> None:
    alignment, report = _align(tmp_path, _v3d(), _markers(tmp_path))
    (clip,) = alignment.clips
    assert not clip.is_suspect
    assert clip.lag_s == pytest.approx(0.0, abs=1e-4)
    assert clip.rotation_deg == pytest.approx(0.0, abs=1e-3)
    assert clip.offset_m == pytest.approx(0.0, abs=1e-6)
    assert clip.timeline.video_frames.tolist() == list(range(20, 50))
    assert clip.timeline.mocap_samples.tolist() == list(range(0, 120, 4))
    assert clip.timeline.motion == "walking"
    assert report.numbers["suspect_clips"] == 0


@pytest.mark.parametrize(("lag_samples", "suspect"), [(1.5, False), (-1.9, False), (2.5, True), (-11.0, True)])
def test_half_a_video_frame_of_lag_is_the_bound(tmp_path: Path, lag_samples: float, suspect: bool) -> None:
    """Two samples of 120 Hz are half a frame of 30 Hz."""
    alignment, report = _align(tmp_path, _v3d(lag_samples=lag_samples), _markers(tmp_path))
    (clip,) = alignment.clips
    assert clip.lag_s == pytest.approx(lag_samples / 120.0, abs=2e-4)
    assert clip.is_suspect == suspect
    assert any("is suspect: lag" in finding for finding in report.warnings) == suspect


def test_a_lag_beyond_the_search_is_suspect_all_the_same(tmp_path: Path) -> None:
    alignment, _ = _align(tmp_path, _v3d(lag_samples=55.0), _markers(tmp_path))
    assert alignment.clips[0].is_suspect


@pytest.mark.parametrize(("turn_deg", "suspect"), [(2.9, False), (3.1, True)])
def test_three_degrees_are_the_bound(tmp_path: Path, turn_deg: float, suspect: bool) -> None:
    (clip,) = _align(tmp_path, _v3d(turn_deg=turn_deg), _markers(tmp_path))[0].clips
    assert clip.rotation_deg == pytest.approx(turn_deg, abs=1e-6)
    assert clip.is_suspect == suspect


@pytest.mark.parametrize(("shift", "suspect"), [(0.079, False), (0.081, True)])
def test_eight_centimetres_are_the_bound(tmp_path: Path, shift: float, suspect: bool) -> None:
    (clip,) = _align(tmp_path, _v3d(shift_m=(0.0, shift, 0.0)), _markers(tmp_path))[0].clips
    assert clip.offset_m == pytest.approx(shift, abs=1e-6)
    assert clip.is_suspect == suspect


def test_another_motion_is_suspect(tmp_path: Path) -> None:
    file = _v3d()
    assert file.virtual_mm is not None
    file = replace(file, virtual_mm=file.virtual_mm[::-1, ::-1].copy())
    (clip,) = _align(tmp_path, file, _markers(tmp_path))[0].clips
    assert clip.is_suspect


def test_a_clip_whose_flags_contradict_each_other_is_suspect_and_the_others_are_not(tmp_path: Path) -> None:
    """flags30 are what puts labels on frames: where they moved and flags120 did not, every label would be late."""
    flags30 = ((21, 50), (61, 75), (81, 90))
    flags120 = tuple((4 * first - 3, 4 * last - 3) for first, last in flags30)
    moved = replace(
        _v3d(), flags30=((24, 53), *flags30[1:]), flags120=flags120, motions=["walking", "kicking", "waving"]
    )
    (clip,) = _align(tmp_path, moved, _markers(tmp_path))[0].clips
    assert clip.lag_s == pytest.approx(0.0, abs=1e-4)
    assert clip.suspicions == ("flags120 start it -100 ms from where flags30 do (bound 16.7 ms)",)

    others = replace(moved, flags30=(flags30[0], (64, 78), flags30[2]))
    assert not _align(tmp_path, others, _markers(tmp_path))[0].clips[0].is_suspect


def test_recordings_that_begin_at_different_times_are_no_contradiction(tmp_path: Path) -> None:
    flags120 = tuple((4 * first - 3, 4 * last - 3) for first, last in FLAGS)
    file = replace(_v3d(), flags30=tuple((first + 9, last + 9) for first, last in FLAGS), flags120=flags120)
    assert not _align(tmp_path, file, _markers(tmp_path))[0].clips[0].is_suspect


def test_a_clip_that_is_too_short_costs_the_frames_beyond_it(tmp_path: Path) -> None:
    """AMASS has 25 video frames of motion, the flags 30: frames 45 to 49 are refused by number."""
    alignment, report = _align(tmp_path, _v3d(), _markers(tmp_path, n_frames=25))
    (clip,) = alignment.clips
    assert clip.timeline.video_frames.tolist() == list(range(20, 45))
    assert [(item.first_frame, item.last_frame) for item in clip.timeline.refused] == [(45, 49)]
    assert any("frames 45 to 49 refused: the clip ends with mocap sample 96" in item for item in report.findings)
    assert any("motion for 25 video frames, flags30 say 30" in item for item in report.findings)


def test_a_clip_that_is_too_long_is_said(tmp_path: Path) -> None:
    alignment, report = _align(tmp_path, _v3d(), _markers(tmp_path, n_frames=33))
    assert alignment.clips[0].timeline.n_frames == 30
    assert any("motion for 33 video frames, flags30 say 30" in item for item in report.findings)


def test_a_clip_without_flags_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = replace(_v3d(), flags30=((50, 21), (61, 75)))
    alignment, report = _align(tmp_path, file, _markers(tmp_path))
    assert alignment.clips == ()
    assert any("S001/C01 is not aligned" in finding and "impossible flags" in finding for finding in report.warnings)


def test_a_rate_that_is_no_multiple_is_named(tmp_path: Path) -> None:
    _, report = _align(tmp_path, _v3d(), _markers(tmp_path, rate_hz=27.5))
    assert any("a whole multiple of the video's 30 Hz" in finding for finding in report.warnings)


def test_without_virtual_markers_nothing_is_measured_and_that_is_said(tmp_path: Path) -> None:
    file = replace(_v3d(), without=("virtualMarkerName", "virtualMarkerLocation"))
    alignment, report = _align(tmp_path, file, _markers(tmp_path))
    (clip,) = alignment.clips
    assert (clip.lag_s, clip.rotation_deg, clip.offset_m) == (None, None, None)
    assert not clip.is_suspect
    assert any("not measured" in finding for finding in report.findings)


def test_a_subject_without_v3d_is_named(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        _align(tmp_path, None, _markers(tmp_path))


@pytest.mark.reference
def test_world_a_is_aligned_to_the_sample(shared: Path, tmp_path: Path) -> None:
    world = shared / "reference/world_a"
    recordings = find_bmlmovi(
        Folders(amass=world / "amass", body_models=world, v3d=world / "v3d", videos=world / "videos")
    )
    truth = json.loads((world / "truth.json").read_text())
    work = WorkFolder(tmp_path)
    for unit in MARKERS.plan(recordings, work, Config()):
        MARKERS.run_unit(unit)
    for unit in ALIGN.plan(recordings, work, Config()):
        ALIGN.run_unit(unit)
    for subject in (1, 15):
        for clip in read_alignment(work.alignment(movi_subject(subject))).clips:
            first, last = truth["subjects"][str(subject)]["flags30"][(number_of(clip.timeline.clip.clip) or 0) - 1]
            assert clip.timeline.video_frames.tolist() == list(range(first - 1, last))
            assert clip.lag_s == pytest.approx(0.0, abs=2e-4)
            assert clip.rotation_deg == pytest.approx(0.0, abs=1e-3)
            assert clip.offset_m == pytest.approx(0.0, abs=1e-5)
            assert not clip.is_suspect
