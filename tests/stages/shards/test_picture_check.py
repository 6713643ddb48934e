"""What is said of measured pictures, and which clips of a video it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.config.shard import PictureCheckSettings
from movi_prep.errors import InputError
from movi_prep.formats.alignment_file import read_alignment, write_alignment
from movi_prep.formats.shard import ShardFile
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.picture_check import PictureAgreement
from movi_prep.records.unit import Unit
from movi_prep.stages.shards.picture_check import judge_pictures
from movi_prep.stages.shards.shard import SHARD, ShardOutputs
from movi_prep.stages.shards.subject_clips import ShardInputs, plan_clips, read_shard_subject
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.video.avi_writer import write_avi
from tests.builders.filmed_world import FilmedWorld, write_filmed_world
from tests.sentences import raises_recorded

SETTINGS = PictureCheckSettings()
FINE = PictureAgreement(
    movi_clip(1, 1),
    n_pairs=40,
    agreement=0.6,
    gain=0.3,
    lag_frames=0.1,
    lag_agreement=0.6,
    offset_px=(2.0, -1.0),
    on_body=0.8,
    by_chance=0.08,
    others={"PG2": 0.3},
)
STILL = PictureAgreement(movi_clip(1, 9), n_pairs=40, not_judged="the body moves in 0 of 40 pairs of frames")
EXCHANGED = replace(FINE, agreement=0.3, lag_agreement=0.3, others={"PG2": 0.62})


def _named(item: PictureAgreement, clip: int) -> PictureAgreement:
    return replace(item, clip=movi_clip(1, clip))


def test_nothing_is_said_of_good_pictures_and_the_still_ones_are_named() -> None:
    video = judge_pictures([FINE, STILL], "PG1", SETTINGS)
    assert video.left_out(SETTINGS) == ()
    assert video.kept(SETTINGS) == ()
    assert video.not_judged() == ("pictures of S001/C09 are not judged: the body moves in 0 of 40 pairs of frames",)
    assert video.numbers()["least_picture_agreement"] == 0.6


def test_files_are_exchanged_whole_so_still_clips_go_with_the_others() -> None:
    video = judge_pictures([_named(EXCHANGED, 1), _named(EXCHANGED, 2), STILL], "PG1", SETTINGS)
    left_out = video.left_out(SETTINGS)
    assert [item.clip.clip for item in left_out] == ["C01", "C02", "C09"]
    assert (
        "all judged clips of the video together: the picture of PG1 agrees better with the calibration of PG2"
        in str(left_out[2])
    )
    assert "are the files exchanged?" in str(video.refusal("F_PG1_Subject_1_L.avi", "PG1"))


def test_one_bad_clip_does_not_spoil_the_others() -> None:
    video = judge_pictures([_named(EXCHANGED, 1), _named(FINE, 2), _named(FINE, 3), STILL], "PG1", SETTINGS)
    assert [item.clip.clip for item in video.left_out(SETTINGS)] == ["C01"]


@pytest.mark.parametrize(
    ("keep", "lag", "left_out"),
    [
        ("doubted", 1.4, 0),
        ("trusted", 1.4, 1),
        ("doubted", 2.6, 1),
        ("suspect", 2.6, 0),
        ("trusted", 0.8, 0),
    ],
)
def test_the_setting_decides_on_weak_and_strong_doubts(keep: str, lag: float, left_out: int) -> None:
    settings = PictureCheckSettings(keep=keep)  # type: ignore[arg-type]
    video = judge_pictures([replace(FINE, lag_frames=lag), _named(FINE, 2), _named(FINE, 3)], "PG1", settings)
    assert len(video.left_out(settings)) == left_out
    is_reported = any("video frames late" in finding for finding in video.kept(settings))
    assert is_reported == (lag > 1.0 and not left_out)


FLAGS = ((6, 65), (71, 130))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> FilmedWorld:
    """Two clips of two seconds, and a video that shows the body of the second alone."""
    world = write_filmed_world(tmp_path_factory.mktemp("long"), flags30=FLAGS, n_video_frames=134)
    write_avi(world.video, _pictures(world), size_px=(800, 600), rate_hz=30.0, quality=90)
    return world


def _unit(world: FilmedWorld, folder: Path) -> Unit:
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    return replace(unit, outputs=ShardOutputs(folder / "S001_PG1.h5"))


def _pictures(world: FilmedWorld) -> Iterator[np.ndarray]:
    unit = _unit(world, Path())
    assert isinstance(unit.inputs, ShardInputs)
    subject = read_shard_subject(unit.inputs, unit.settings)  # type: ignore[arg-type]
    second = plan_clips(subject, unit.inputs, unit.settings).clips[1]  # type: ignore[arg-type]
    body_of = dict(zip(second.timeline.video_frames.tolist(), second.body_px, strict=True))
    greys = np.random.default_rng(1).uniform(20, 230, second.body_px.shape[1])
    for number in range(world.n_video_frames):
        image = np.full((600, 800, 3), 110, np.uint8)
        for (x, y), grey in zip(body_of.get(number, np.zeros((0, 2))), greys, strict=False):
            cv2.circle(image, (round(float(x)), round(float(y))), 9, (grey, grey, grey), -1)
        yield image


def test_a_clip_with_strange_pictures_is_left_out_and_named(world: FilmedWorld, tmp_path: Path) -> None:
    report = SHARD.run_unit(_unit(world, tmp_path))
    with ShardFile(tmp_path / "S001_PG1.h5") as shard:
        assert shard.read("clips/number").tolist() == [2]
        assert shard.read("clips/picture_agreement")[0] > 0.35
        ((clip, reason),) = shard.attribute("left_out")
        assert clip == "C01"
        assert "does not show this motion" in reason
    assert report.numbers["clips_left_out"] == report.numbers["pictures_suspect"] == 1
    assert report.warnings[0].startswith("S001/C01 left out: suspect pictures (the picture of PG1")
    assert verify_shard(tmp_path / "S001_PG1.h5").faults == ()


@pytest.mark.slow
def test_the_shard_is_that_of_a_download_without_the_clip(world: FilmedWorld, tmp_path: Path) -> None:
    """Nothing of what is left out stays in the file."""
    SHARD.run_unit(_unit(world, tmp_path))
    size = (tmp_path / "S001_PG1.h5").stat().st_size
    alignment = read_alignment(world.work.alignment("S001"))
    write_alignment(tmp_path / "S001.json", replace(alignment, clips=alignment.clips[1:]), provenance={})
    alone = _unit(world, tmp_path)
    inputs = replace(alone.inputs, alignment=tmp_path / "S001.json")  # type: ignore[type-var]
    SHARD.run_unit(replace(alone, inputs=inputs, outputs=ShardOutputs(tmp_path / "alone.h5")))
    with ShardFile(tmp_path / "S001_PG1.h5") as left, ShardFile(tmp_path / "alone.h5") as right:
        np.testing.assert_array_equal(left.read("crops/bytes"), right.read("crops/bytes"))
    # A page of HDF5 more or less; the smallest picture has several.
    assert abs(size - (tmp_path / "alone.h5").stat().st_size) <= 4096


def test_a_video_of_which_no_clip_is_left_fails_and_leaves_no_file(world: FilmedWorld, tmp_path: Path) -> None:
    unit = _unit(world, tmp_path)
    black = tmp_path / "black.avi"
    write_avi(
        black, (np.zeros((600, 800, 3), np.uint8) for _ in range(134)), size_px=(800, 600), rate_hz=30.0, quality=90
    )
    with raises_recorded(InputError):
        SHARD.run_unit(replace(unit, inputs=replace(unit.inputs, videos=(black,) * len(unit.inputs.clips))))  # type: ignore[type-var]
    assert list(tmp_path.glob("*.h5")) == []
