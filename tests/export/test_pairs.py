"""Pairs of cameras: one moment, whole in every camera; a lost picture costs only what reads pictures."""

from __future__ import annotations

import csv
import json
import pickle
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.export.targets import export
from movi_prep.export.tracks import NO_PICTURE, Corpus, Wanted, find_shards, read_corpus, subject_keys
from movi_prep.geometry.projection import project_points
from tests.builders.shard import moving_camera, showing_frames, write_small_shard
from tests.export.conftest import side_camera, write_shards

LATER = [1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
GAP = [0, 1, 2, 4, 5, 6, 0, 1, 2, 3]
"""The first clip lacks its frame 3."""


def _frames(corpus: Corpus) -> list[tuple[str, list[int]]]:
    return [(track.clip.clip, track.frames.tolist()) for track in corpus.tracks]


def _pair(folder: Path, **second: Any) -> Path:
    write_small_shard(folder / "S001_PG1.h5")
    write_small_shard(folder / "S001_PG2.h5", **{"camera": side_camera(), **second})
    return folder


@pytest.mark.parametrize("counted_from", [0, 1, -40])
def test_pairs_meet_at_moments_whatever_their_cameras_count_from(tmp_path: Path, counted_from: int) -> None:
    _pair(tmp_path, changes=showing_frames(LATER, counted_from=counted_from))
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert _frames(corpus) == [("C01", [1, 2, 3, 4, 5]), ("C03", [1, 2, 3])]
    first, second = corpus.tracks[0].views
    # The second camera's row k shows the moment of the first one's row k + 1.
    assert (first.rows.tolist(), second.rows.tolist()) == ([1, 2, 3, 4, 5], [0, 1, 2, 3, 4])


def test_a_part_of_a_sample_between_clocks_leaves_2d_the_projection_of_3d(tmp_path: Path) -> None:
    # Clocks in milliseconds differ by as much, now to one side and now to the other.
    _pair(tmp_path, changes={"frames/after_sample": lambda _: np.tile([0.0, 0.12], 5)})
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert _frames(corpus) == [("C01", [0, 1, 2, 3, 4, 5]), ("C03", [0, 1, 2, 3])]
    for track in corpus.tracks:
        for view in track.views:
            np.testing.assert_allclose(view.seen_px, project_points(view.camera, track.world_m), atol=1e-3)


def test_clocks_without_a_common_moment_are_named_and_each_camera_can_be_exported(tmp_path: Path) -> None:
    _pair(tmp_path / "shards", changes={"frames/after_sample": lambda _: np.full(10, 0.5)})
    shards = find_shards(tmp_path / "shards")
    corpus = read_corpus(shards, Wanted())
    assert not corpus.tracks
    assert len(corpus.left_out) == 2
    assert all("moment" in text for text in corpus.left_out)
    assert len(read_corpus(shards, Wanted(cameras=("PG2",))).tracks) == 2
    assert main(["export", "--to", "videopose3d", str(tmp_path), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_camera_of_half_the_rate_leaves_single_frames_which_no_sequence_has(tmp_path: Path) -> None:
    slow = {"frames/mocap_sample": lambda sample: 2 * sample}
    _pair(tmp_path, changes=slow)
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert [frames for _, frames in _frames(corpus)] == [[0], [2], [4], [0], [2]]
    none = read_corpus(find_shards(tmp_path), Wanted(shortest_run=2))
    assert not none.tracks
    assert len(none.left_out) == 2


def test_a_lost_picture_costs_the_codes_that_read_pictures_and_no_others(tmp_path: Path) -> None:
    _pair(tmp_path, changes=showing_frames(GAP))
    with_pictures, without = (read_corpus(find_shards(tmp_path), Wanted(pictures=value)) for value in (True, False))
    assert _frames(with_pictures) == [("C01", [0, 1, 2]), ("C01", [4, 5]), ("C03", [0, 1, 2, 3])]
    # PG1 has frames 0 to 5, PG2 0 to 2 and 4 to 6: each gets what the other saw.
    assert _frames(without) == [("C01", [0, 1, 2, 3, 4, 5, 6]), ("C03", [0, 1, 2, 3])]
    first, second = without.tracks[0].views
    assert first.rows.tolist() == [0, 1, 2, 3, 4, 5, NO_PICTURE]
    assert second.rows.tolist() == [0, 1, 2, NO_PICTURE, 3, 4, 5]
    for view in (first, second):
        added = view.rows == NO_PICTURE
        world_m = without.tracks[0].world_m[added]
        np.testing.assert_allclose(view.seen_px[added], project_points(view.camera, world_m), atol=1e-9)
    assert [text.split(":")[0] for text in without.findings] == ["S001/C01", "S001/C01"]


def test_a_lost_picture_is_known_from_a_camera_that_is_not_exported(tmp_path: Path) -> None:
    _pair(tmp_path, changes=showing_frames(GAP))
    wanted = Wanted(cameras=("PG2",), pictures=False)
    (first, _) = read_corpus(find_shards(tmp_path), wanted).tracks
    assert [view.camera.name for view in first.views] == ["PG2"]
    assert first.frames.tolist() == [0, 1, 2, 3, 4, 5, 6]
    # A shard that nobody asked for may be damaged.
    (tmp_path / "S001_PG1.h5").write_bytes(b"not HDF5")
    corpus = read_corpus(find_shards(tmp_path), wanted)
    assert _frames(corpus) == [("C01", [0, 1, 2]), ("C01", [4, 5, 6]), ("C03", [0, 1, 2, 3])]


def test_a_lost_picture_keeps_its_place_where_cameras_count_differently(tmp_path: Path) -> None:
    _pair(tmp_path, changes=showing_frames(GAP, counted_from=-7))
    (track, _) = read_corpus(find_shards(tmp_path), Wanted(pictures=False)).tracks
    assert track.frames.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert track.views[1].rows.tolist() == [0, 1, 2, NO_PICTURE, 3, 4, 5]


def test_a_body_outside_the_image_is_no_lost_picture(tmp_path: Path) -> None:
    away = replace(side_camera(), world_to_camera_translation_m=np.array([30.0, 0.0, 4.0]))
    _pair(tmp_path, camera=away, changes=showing_frames(GAP))
    corpus = read_corpus(find_shards(tmp_path), Wanted(pictures=False))
    assert all((view.rows != NO_PICTURE).all() for track in corpus.tracks for view in track.views[1:])
    assert 3 not in np.concatenate([track.frames for track in corpus.tracks if track.clip.clip == "C01"])


def test_a_camera_that_moves_is_asked_only_where_its_pose_is_known(tmp_path: Path) -> None:
    carried = moving_camera(np.arange(10))
    _pair(tmp_path, camera=replace(carried, name="PG2"), changes=showing_frames(GAP))
    corpus = read_corpus(find_shards(tmp_path), Wanted(pictures=False))
    assert [view.rows.tolist() for view in corpus.tracks[0].views] == [[0, 1, 2], [0, 1, 2]]


def test_each_target_gets_what_it_reads(tmp_path: Path) -> None:
    """Subject 15's second camera lost one picture: lifting codes keep the clip whole, pose-hg-3d loses that picture."""
    shards = write_shards(tmp_path / "shards")
    write_small_shard(
        shards / "S015_PG2.h5",
        subject=15,
        camera=side_camera(),
        split="test",
        scale=0.8,
        changes=showing_frames([0, 1, 2, 3, 5, 6, 0, 1, 2, 3]),
    )
    for target in ("videopose3d", "motionbert", "pose-hg-3d"):
        export(shards, tmp_path / target, target=target, wanted=Wanted())
    with np.load(tmp_path / "videopose3d" / "data_3d_h36m.npz", allow_pickle=True) as archive:
        lengths = {key: len(poses) for key, poses in archive["positions_3d"].item()["S15"].items()}
    assert lengths == {"motion_1 C01": 7, "motion_3 C03": 4}
    with (tmp_path / "motionbert" / "h36m_movi.pkl").open("rb") as file:
        assert len(pickle.load(file)["test"]["source"]) == 2 * (7 + 4)
    pictures = tmp_path / "pose-hg-3d" / "h36m" / "ECCV18_Challenge" / "Val" / "IMG"
    # PG1 has frames 0 to 5 of the first clip, PG2 0 to 3, 5 and 6; a picture needs no other.
    assert len(list(pictures.iterdir())) == 2 * (6 + 4)


def test_a_clip_of_one_camera_is_left_out_only_where_a_code_reads_pairs(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards")
    (shards / "S015_PG1.h5").unlink()
    for target in ("motionbert", "pose-hg-3d"):
        done = export(shards, tmp_path / target, target=target, wanted=Wanted())
        assert done.left_out == ()
        assert [text.split(":")[0] for text in done.findings] == ["S015/C01", "S015/C03"]
    with (tmp_path / "motionbert" / "h36m_movi.pkl").open("rb") as file:
        content = pickle.load(file)
    # A camera keeps its name of Human3.6M, whether or not the other one is there.
    assert set(content["train"]["camera_name"]) == {"55011271", "58860488"}
    assert set(content["test"]["camera_name"]) == {"58860488"}
    done = export(shards, tmp_path / "videopose3d", target="videopose3d", wanted=Wanted())
    assert len(done.left_out) == 2
    assert all("--cameras" in text for text in done.left_out)
    definition = json.loads((tmp_path / "motionbert" / "definition.json").read_text())
    assert {subject: len(own) for subject, own in definition["cameras"].items()} == {"S001": 2, "S015": 1}
    assert definition["n_frames"] == {"train": 20, "test": 10}


def test_tables_hold_each_moment_of_a_clip_once_and_its_time(tmp_path: Path) -> None:
    _pair(tmp_path / "shards", changes=showing_frames(LATER, counted_from=1))
    export(tmp_path / "shards", tmp_path / "out", target="csv", wanted=Wanted())
    with (tmp_path / "out" / "S001_C01.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time_s"]) for row in rows] == pytest.approx(np.arange(7) / 30.0, abs=1e-6)
    # The camera that has a moment first gives its number: frame 6 of the motion is the second camera's frame 5.
    assert [int(row["frame"]) for row in rows] == [0, 1, 2, 3, 4, 5, 5]


def test_tables_of_a_camera_that_begins_late_say_when(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5", changes={"frames/mocap_sample": lambda sample: sample + 60})
    export(tmp_path, tmp_path / "out", target="csv", wanted=Wanted())
    with (tmp_path / "out" / "S001_C01.csv").open() as file:
        times = [float(row["time_s"]) for row in csv.DictReader(file)]
    # 60 samples at 120 Hz before its frame 0.
    assert times == pytest.approx(0.5 + np.arange(6) / 30.0, abs=1e-6)


def test_people_whose_names_hold_one_number_keep_their_names(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    write_small_shard(tmp_path / "S1_PG1.h5", subject=2, subject_name="S1")
    assert subject_keys(read_corpus(find_shards(tmp_path), Wanted())) == {"S001": "S001", "S1": "S1"}
    (tmp_path / "S1_PG1.h5").unlink()
    assert subject_keys(read_corpus(find_shards(tmp_path), Wanted())) == {"S001": "S1"}


def test_the_reader_for_tensorflow_answers_what_its_code_asks(tmp_path: Path) -> None:
    """It asks for cameras of Human3.6M's subjects, and takes a sequence's name up to the first point."""
    names = {"clips/name": lambda _: np.array(["take.1", "take.2"])}
    for subject, split in ((1, "train"), (15, "test")):
        write_small_shard(tmp_path / "shards" / f"{subject}.h5", subject=subject, split=split, changes=names)
    export(tmp_path / "shards", tmp_path / "out", target="3d-pose-baseline", wanted=Wanted())
    reader = runpy.run_path(str(tmp_path / "out" / "movi_data.py"))
    cameras = reader["load_cameras"]("anywhere", [1, 5, 6, 7, 8, 9, 11])
    assert {subject for subject, _ in cameras} == {1, 15}
    data = reader["load_data"]("anywhere", [1, 15], reader["define_actions"]("all"))
    assert len(data) == 4
    for subject, _, sequence in data:
        seen = f"{sequence[:-3]}.{cameras[subject, 1][-1]}.h5"
        # Its rule that leads from a 2D sequence back to the 3D one.
        assert f"{seen.split('.', maxsplit=1)[0]}.h5" == sequence


def test_actions_of_3d_pose_baseline_are_those_of_its_test(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "shards" / "S001_PG1.h5")
    motions = {"clips/motion": lambda _: np.array(["walking, fast", "up/down"])}
    write_small_shard(tmp_path / "shards" / "S015_PG1.h5", subject=15, split="test", changes=motions)
    export(tmp_path / "shards", tmp_path / "out", target="3d-pose-baseline", wanted=Wanted())
    text = (tmp_path / "out" / "README.md").read_text()
    assert "`['walking__fast', 'up_down']`" in text
    assert json.loads((tmp_path / "out" / "definition.json").read_text())["subjects"] == {
        "train": ["S001"],
        "test": ["S015"],
    }
