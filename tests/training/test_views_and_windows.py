"""Two cameras of one moment, windows with gaps, D3KE's scales, the index: what a sample says of itself holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from movi_prep import ShardDataset
from movi_prep.config.base import NoSettings
from movi_prep.errors import InputError, MissingError, UsageError
from movi_prep.formats.label_tables import read_body_scale_means, read_label_tables
from movi_prep.formats.shard_index import read_index
from movi_prep.geometry.label_statistics import joined_statistics, masked_statistics
from movi_prep.geometry.mirror import mirror_order
from movi_prep.stages.shards.shard_index import IndexInputs, IndexOutputs, run_shard_index
from movi_prep.training.augmentation import Augmentation
from movi_prep.training.shard_dataset import Selection, Window
from tests.builders.shard import showing_frames, write_small_shard
from tests.export.conftest import side_camera


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PG1 and PG2 of subject 1, PG1 of subject 2."""
    folder = tmp_path_factory.mktemp("shards")
    write_small_shard(folder / "S001_PG1.h5")
    write_small_shard(folder / "S001_PG2.h5", camera=side_camera())
    write_small_shard(folder / "S002_PG1.h5", subject=2, split="test")
    return folder


def test_both_cameras_of_one_moment_are_one_sample(shards: Path) -> None:
    both = ShardDataset(shards, views=("PG2", "PG1"))
    alone = {name: ShardDataset(shards, selection=Selection(cameras=[name], subjects=[1])) for name in ("PG1", "PG2")}
    assert len(both) == len(alone["PG1"]) == len(alone["PG2"])
    for index in range(len(both)):
        sample = both[index]
        assert sample["cameraType"] == "PG2+PG1"
        assert sample["image"].shape == (2, 3, 256, 256)
        for place, name in enumerate(("PG2", "PG1")):
            single = alone[name][index]
            for key in ("image", "pose3d", "pose2d", "coordinateAngle", "worldToCamera"):
                torch.testing.assert_close(sample[key][place], single[key])


def test_the_views_of_a_sample_place_every_point_at_one_spot_of_the_world(shards: Path) -> None:
    augmentation = Augmentation(shift=0.1, zoom=(0.8, 1.3), roll_rad=0.4, flip_probability=0.5, seed=2)
    flips = 0
    for sample in ShardDataset(shards, views=("PG1", "PG2"), augmentation=augmentation)[:]:
        flips += sample["hflip"]
        there = []
        for pose, points in zip(sample["worldToCamera"], sample["pose3d"], strict=True):
            there.append((points - pose[:, 3]) @ torch.linalg.inv(pose[:, :3]).T)
        torch.testing.assert_close(there[0], there[1], atol=1e-4, rtol=0)
    assert 0 < flips < 10


def test_moments_that_a_camera_lacks_are_no_samples(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    later = showing_frames([1, 2, 3, 4, 5, 6, 1, 2, 3, 4])
    write_small_shard(tmp_path / "S001_PG2.h5", camera=side_camera(), changes=later)
    samples = ShardDataset(tmp_path, views=("PG1", "PG2"), selection=Selection(solved_only=False))[:]
    # Frames 0 to 5 and 1 to 6 of the first clip, 0 to 3 and 1 to 4 of the other.
    assert [(sample["videoID"], sample["frame"]) for sample in samples] == [
        *((1, frame) for frame in range(1, 6)),
        *((3, frame) for frame in range(1, 4)),
    ]


def test_cameras_that_count_their_frames_from_elsewhere_still_see_one_moment(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    # PG2 began a frame later and counts from there: its frame 0 is PG1's frame 1.
    later = showing_frames([1, 2, 3, 4, 5, 6, 1, 2, 3, 4], counted_from=1)
    write_small_shard(tmp_path / "S001_PG2.h5", camera=side_camera(), changes=later)
    data = ShardDataset(tmp_path, views=("PG1", "PG2"), selection=Selection(solved_only=False, every=2))
    # The first camera's frames are chosen, 2 and 4; with PG2 first they are its own 0, 2 and 4.
    assert [(sample["videoID"], sample["frame"]) for sample in data[:]] == [(1, 2), (1, 4), (3, 2)]
    for sample in data[:]:
        own = ShardDataset(tmp_path / "S001_PG2.h5", selection=Selection(solved_only=False))
        (same,) = [
            each for each in own[:] if (each["videoID"], each["frame"] + 1) == (sample["videoID"], sample["frame"])
        ]
        torch.testing.assert_close(sample["pose3d"][1], same["pose3d"])
    turned = ShardDataset(tmp_path, views=("PG2", "PG1"), selection=Selection(solved_only=False, every=2))
    assert [(sample["videoID"], sample["frame"]) for sample in turned[:]] == [(1, 0), (1, 2), (1, 4), (3, 0), (3, 2)]


def test_views_meet_by_the_name_of_their_clip(tmp_path: Path) -> None:
    """Shards whose clips have no numbers count them for themselves; one that lacks a clip counts differently."""
    write_small_shard(tmp_path / "S001_PG1.h5", changes={"clips/name": lambda _: np.array(["jump", "run"])})
    names = {"clips/name": lambda _: np.array(["run", "walk"])}
    write_small_shard(tmp_path / "S001_PG2.h5", camera=side_camera(), changes=names)
    data = ShardDataset(tmp_path, views=("PG1", "PG2"), selection=Selection(solved_only=False))
    assert {sample["name"].split("/")[1] for sample in data[:]} == {"run"}
    assert len(data) == 4


def test_cameras_without_a_common_moment_have_no_samples(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    between = {"frames/after_sample": lambda _: np.full(10, 0.5)}
    write_small_shard(tmp_path / "S001_PG2.h5", camera=side_camera(), changes=between)
    with pytest.raises(UsageError):
        ShardDataset(tmp_path, views=("PG1", "PG2"))
    assert len(ShardDataset(tmp_path)) == 18


@pytest.mark.parametrize("views", ["PG1", ("PG1", "PG1"), ()])
def test_views_are_names_each_once(shards: Path, views: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        ShardDataset(shards, views=views)
    with pytest.raises(UsageError):
        ShardDataset(shards, views=("PG1",), selection=Selection(cameras=["PG1"]))


def test_a_window_says_which_frames_are_repeated(tmp_path: Path) -> None:
    # The first clip has frames 0, 1, 2, 4, 5, 6.
    gap = {"frames/clip_frame": lambda frame: np.where((np.arange(10) >= 3) & (np.arange(10) < 6), frame + 1, frame)}
    write_small_shard(tmp_path / "S001_PG1.h5", changes=gap)
    data = ShardDataset(tmp_path, window=Window(5), pictures=False)
    masks = {sample["frame"]: sample["windowMask"].tolist() for sample in data[:] if sample["videoID"] == 1}
    assert masks == {
        0: [0, 0, 1, 1, 1],
        1: [0, 1, 1, 1, 0],
        2: [1, 1, 1, 0, 1],
        4: [1, 0, 1, 1, 1],
        5: [0, 1, 1, 1, 0],
        6: [1, 1, 1, 0, 0],
    }
    both = ShardDataset(tmp_path, window=Window(5), views=("PG1",), pictures=False)[0]
    assert both["windowMask"].shape == (1, 5)
    assert both["pose3d"].shape[:2] == (1, 5)


def test_scales_of_d3ke_are_factors_times_its_base_models(shards: Path) -> None:
    bodies = read_label_tables().bodies
    means = np.array([read_body_scale_means()[name] for name in bodies], dtype=np.float32)
    plain, theirs = (ShardDataset(shards, scales=scales)[0]["boneScale"].numpy() for scales in ("factors", "d3ke"))
    np.testing.assert_allclose(theirs, plain * means)
    # Flipped, the factors change sides; what the base model states does not.
    flip = Augmentation(flip_probability=1.0)
    flipped = ShardDataset(shards, scales="d3ke", augmentation=flip)[0]["boneScale"].numpy()
    np.testing.assert_allclose(flipped, plain[mirror_order(bodies)] * means)
    with pytest.raises(UsageError):
        ShardDataset(shards, scales="meshes")  # type: ignore[arg-type]
    with pytest.raises(MissingError):
        ShardDataset(shards, scales=shards / "pyBaseModel.pkl")


def test_samples_by_slice_and_by_number(shards: Path) -> None:
    data = ShardDataset(shards, pictures=False)
    assert [sample["fileIdx"] for sample in data[2:8:3]] == [2, 5]
    assert data[-1]["fileIdx"] == data[np.int64(len(data) - 1)]["fileIdx"] == len(data) - 1
    assert data[len(data) :] == []
    for wrong in (1.0, "1", True, None):
        with pytest.raises(TypeError, match="slice"):
            data[wrong]  # type: ignore[call-overload]


def test_a_tilde_is_the_users_folder(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shards.parent))
    assert len(ShardDataset(f"~/{shards.name}")) == len(
        ShardDataset([f"~/{shards.name}/{path.name}" for path in sorted(shards.glob("*.h5"))])
    )


def test_statistics_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(1)
    values, valid = rng.normal(3.0, 2.0, (50, 4)), rng.random((50, 4)) < 0.7
    valid[:20, 2], valid[:, 3] = False, False
    cuts = (slice(0, 20), slice(20, 31), slice(31, 50))
    parts = [masked_statistics(values[cut], valid[cut]) for cut in cuts]
    joined = joined_statistics(parts, [valid[cut].sum(axis=0) for cut in cuts])
    np.testing.assert_allclose(joined, masked_statistics(values, valid), atol=1e-12)


def test_the_index_holds_parts_rows_and_what_to_normalise_by(shards: Path) -> None:
    index, card = shards / "index.json", shards / "README.md"
    files = sorted(shards.glob("*.h5"))
    run_shard_index(IndexInputs((*files, None)), IndexOutputs(index, card), NoSettings())
    content = read_index(shards)
    assert {name: part["rows"] for name, part in content["splits"].items()} == {"train": 20, "test": 10}
    assert [entry["file"] for entry in content["shards"]] == [path.name for path in files]
    assert [entry["rows_with_pose"] for entry in content["shards"]] == [9, 9, 9]
    assert all(text in card.read_text() for text in ("S002_PG1.h5", "AMASS", "CC0", "| train | S001 | 20 |"))
    found = ShardDataset(shards).normalisation("train")
    expected = content["statistics"]["train"]
    assert found["coordinateAngle"][0].tolist() == pytest.approx(expected["coordinates_rad"]["mean"])
    assert found["image"][1].shape == (3,)
    with pytest.raises(UsageError):
        ShardDataset(shards).normalisation("validation")


def test_pixels_of_the_index_are_red_first_and_up_to_one(tmp_path: Path) -> None:
    colours = np.tile([51.0, 102.0, 255.0], (4, 1))
    write_small_shard(tmp_path / "S001_PG1.h5", changes={"statistics/image_bgr": lambda _: colours})
    files = IndexOutputs(tmp_path / "index.json", tmp_path / "README.md")
    run_shard_index(IndexInputs((tmp_path / "S001_PG1.h5",)), files, NoSettings())
    mean, _ = ShardDataset(tmp_path).normalisation()["image"]
    assert mean.tolist() == pytest.approx([1.0, 0.4, 0.2])


def test_the_data_card_says_what_the_audit_doubts(tmp_path: Path) -> None:
    said = {"subject/audit_findings": lambda _: ["RKNE misses by 25 mm"]}
    write_small_shard(tmp_path / "S001_PG1.h5", audit="doubtful", changes=said)
    files = IndexOutputs(tmp_path / "index.json", tmp_path / "README.md")
    run_shard_index(IndexInputs((tmp_path / "S001_PG1.h5",)), files, NoSettings())
    (entry,) = read_index(tmp_path)["shards"]
    assert (entry["audit"], entry["audit_findings"]) == ("doubtful", ["RKNE misses by 25 mm"])
    assert "- S001: RKNE misses by 25 mm" in files.card.read_text()
    assert "| doubtful |" in files.card.read_text()


def test_a_missing_or_other_index_is_named(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    with pytest.raises(MissingError):
        ShardDataset(tmp_path).normalisation()
    for content in ("{", "[]", json.dumps({"format": "movi-prep shard index", "version": 9})):
        (tmp_path / "index.json").write_text(content)
        with pytest.raises(InputError):
            read_index(tmp_path)


_BARE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ImportError(name, name=name.split(".")[0])

sys.meta_path.insert(0, Absent())
from movi_prep.cli import main
from movi_prep import ShardDataset
assert len(ShardDataset(sys.argv[1])) > 0
sys.exit(main(["verify", sys.argv[1]]))
"""


def test_a_machine_that_only_trains_can_verify(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    absent = {"pydantic", "rich", "scipy", "opensim", "dask", "distributed", "numba", "smplx", "trimesh", "ezc3d"}
    code = _BARE.replace("{absent}", repr(absent))
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "S001_PG1.h5" in done.stdout


def test_a_window_reads_what_single_rows_read(shards: Path) -> None:
    single = ShardDataset(shards, selection=Selection(solved_only=False))
    window = ShardDataset(shards, selection=Selection(solved_only=False), window=Window(3))
    for index in (1, 2, 8):
        for place, other in enumerate((index - 1, index, index + 1)):
            for key in ("pose3d", "coordinateAngle", "rootRotMat", "image"):
                torch.testing.assert_close(window[index][key][place], single[other][key])
