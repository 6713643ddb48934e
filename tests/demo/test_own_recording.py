"""The recording that is not BML-MoVi's, from manifest to shard: labels are those of each frame's own time and pose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.config.load import load_config
from movi_prep.demo.frame_code import read_frame_code
from movi_prep.demo.own_recording import FIRST_FRAME, OFFSET_S, RATE_HZ, UNKNOWN, write_own_recording
from movi_prep.formats.motion_files import read_subject_shape
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels, read_frame_numbers, read_shard_camera
from movi_prep.geometry.projection import project_points
from movi_prep.recordings.find import find_recordings
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.training.shard_dataset import Selection, ShardDataset
from movi_prep.video.footage import open_footage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("demo")
    write_own_recording(folder / "own", workers=1)
    assert main(["run", "--config", str(folder / "own" / "config.yaml")]) == 0
    return folder / "own"


@pytest.fixture
def shard(folder: Path) -> Iterator[ShardFile]:
    with ShardFile(folder / "work" / "shards" / "Visitor_handheld.h5") as file:
        yield file


def test_the_video_shows_each_frame_under_its_number(folder: Path) -> None:
    reader = open_footage(folder / "videos" / "walk.mp4")
    seen = {number: read_frame_code(image).frame for number, image in reader.frames(range(24))}
    assert seen == {number: number for number in range(24)}


def test_labels_are_those_of_the_frame_s_own_time(folder: Path, shard: ShardFile) -> None:
    with np.load(folder / "truth.npz") as truth:
        joints, poses = truth["joints_m"], truth["world_to_camera"]
    labels, numbers, camera = read_frame_labels(shard), read_frame_numbers(shard), read_shard_camera(shard)
    frames = numbers.video_frame
    assert numbers.after_sample is not None
    shown_s = (numbers.mocap_sample + numbers.after_sample) / 120.0
    np.testing.assert_allclose(shown_s, OFFSET_S + (frames - FIRST_FRAME) / RATE_HZ, atol=1e-9)
    # A twelfth of a millimetre; the nearest sample would be off by six.
    assert np.abs(labels.joints.world_m - joints[frames, :22]).max() < 1e-4
    np.testing.assert_array_equal(camera.world_to_camera_rotation, poses[frames, :, :3])
    np.testing.assert_array_equal(camera.world_to_camera_translation_m, poses[frames, :, 3])
    np.testing.assert_allclose(labels.joints.seen_px, project_points(camera, joints[frames, :22]), atol=0.05)
    assert labels.root.valid.all()
    assert labels.joints.valid.mean() > 0.95


def test_the_person_is_one_of_smplx(folder: Path) -> None:
    there = find_recordings(load_config(folder / "config.yaml", {}))
    assert there.body_models.keys() == {("SMPL-X", "neutral")}
    assert {read_subject_shape(path).body for path in there.motions.values()} == {"SMPL-X"}


def test_frames_without_a_pose_are_refused_and_the_shard_is_sound(folder: Path, shard: ShardFile) -> None:
    assert not set(UNKNOWN) & set(read_frame_numbers(shard).video_frame.tolist())
    assert [entry[:2] for entry in shard.attribute("refused")] == [[UNKNOWN[0], UNKNOWN[-1]]]
    assert verify_shard(shard.path).faults == ()


def test_samples_carry_the_pose_of_their_own_frame(folder: Path, shard: ShardFile) -> None:
    dataset, camera = ShardDataset(shard.path, selection=Selection(solved_only=False)), read_shard_camera(shard)
    for index in (0, len(dataset) - 1):
        pose = dataset[index]["worldToCrop"].numpy()
        np.testing.assert_allclose(pose[:, :3], camera.at(index).world_to_camera_rotation, atol=1e-6)
    assert not np.allclose(dataset[0]["worldToCrop"], dataset[len(dataset) - 1]["worldToCrop"], atol=0.01)
