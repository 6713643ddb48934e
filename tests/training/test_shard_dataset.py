"""Samples of shards: where a label says a thing is, the picture shows it; workers and flips change nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from movi_prep import ShardDataset
from movi_prep.errors import MissingError, UsageError
from movi_prep.training.augmentation import Augmentation
from movi_prep.training.shard_dataset import Selection, Window
from tests.builders.shard import DISC_JOINT, UNSEEN, small_camera, write_small_shard

N_OPENSIM = 50
DISC = N_OPENSIM + DISC_JOINT
AUGMENTED = Augmentation(shift=0.1, zoom=(0.8, 1.3), roll_rad=0.5, flip_probability=0.5, seed=4)

# On a machine with one core, torch advises against the second process.
unadvised = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_small_shard(folder / "S001_PG1.h5")
    write_small_shard(folder / "S001_PG2.h5", camera=small_camera("PG2"), scale=0.75)
    write_small_shard(folder / "S002_PG1.h5", subject=2, split="test")
    return folder


def _disc_centre(image: torch.Tensor) -> np.ndarray:
    """Return the middle of the red disc, column and row, by its weighted mean."""
    redness = (image[0] - image[1]).clamp(min=0).numpy()
    rows, columns = np.mgrid[: redness.shape[0], : redness.shape[1]]
    return np.array([(columns * redness).sum(), (rows * redness).sum()]) / redness.sum()


@pytest.mark.parametrize("augmentation", [None, AUGMENTED], ids=["plain", "augmented"])
def test_the_picture_shows_a_point_where_its_label_says(shards: Path, augmentation: Augmentation | None) -> None:
    dataset = ShardDataset(shards, augmentation=augmentation)
    flips = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        flips += sample["hflip"]
        # the pelvis has no partner on the other side: the flip leaves it its place among the points
        np.testing.assert_allclose(_disc_centre(sample["image"]), sample["pose2d"][DISC], atol=0.5)
    assert (flips > 3) == (augmentation is not None)


def test_points_and_pixels_agree_through_one_focal_length(shards: Path) -> None:
    sample = ShardDataset(shards, size_px=128)[0]
    points, pixels = sample["pose3d"].numpy(), sample["pose2d"].numpy()
    plane = points[:, :2] / points[:, 2:]
    focal = (pixels - 63.5)[plane != 0] / plane[plane != 0]
    np.testing.assert_allclose(focal, np.median(focal), rtol=1e-3)


def test_camera_frames_keep_distances_and_the_root_stays_at_its_joint(shards: Path) -> None:
    fields_of_row = ShardDataset(shards, selection=Selection(subjects=[1], cameras=["PG1"]))[2]
    rotation, position = fields_of_row["rootRotMat"][:, :3], fields_of_row["rootRotMat"][:, 3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(position, fields_of_row["pose3d"][N_OPENSIM], atol=1e-5)


def test_a_flip_of_everything_mirrors_everything(shards: Path) -> None:
    plain = ShardDataset(shards)[1]
    flipped = ShardDataset(shards, augmentation=Augmentation(flip_probability=1.0))[1]
    torch.testing.assert_close(flipped["image"], plain["image"].flip(-1))
    assert torch.linalg.det(flipped["rootRotMat"][:, :3]) == pytest.approx(1.0, abs=1e-5)
    # the same set of points, mirrored: partners changed places, none is lost
    mirrored = plain["pose3d"] * torch.tensor([-1.0, 1.0, 1.0])
    order = torch.cdist(flipped["pose3d"], mirrored).argmin(dim=1)
    assert sorted(order.tolist()) == list(range(len(order)))
    torch.testing.assert_close(flipped["pose3d"], mirrored[order])


def test_selection(shards: Path) -> None:
    assert {sample["subject"] for sample in ShardDataset(shards, selection=Selection(split="test"))} == {2}
    assert {sample["cameraType"] for sample in ShardDataset(shards, selection=Selection(cameras=["PG2"]))} == {"PG2"}
    assert {sample["videoID"] for sample in ShardDataset(shards, selection=Selection(clips=[3]))} == {3}
    assert {sample["frame"] % 2 for sample in ShardDataset(shards, selection=Selection(used_only=True))} == {0}
    everything = ShardDataset(shards, selection=Selection(solved_only=False))
    assert len(everything) == 30
    assert len(ShardDataset(shards)) == 27


def test_a_selection_of_nothing_is_an_error_that_says_so(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="selects none"):
        ShardDataset(shards, selection=Selection(subjects=[99]))
    with pytest.raises(UsageError, match=r"splits test, train; subjects 1, 2; cameras PG1, PG2; clips 1, 3$"):
        ShardDataset(shards, selection=Selection(split="trian"))  # type: ignore[arg-type]
    with pytest.raises(MissingError, match="movi-prep shard"):
        ShardDataset(tmp_path)


def test_a_work_folder_is_told_where_its_shards_are(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    write_small_shard(tmp_path / "shards" / "S001_PG1.h5")
    with pytest.raises(MissingError, match=f"got none; name {tmp_path / 'shards'}$"):
        ShardDataset(tmp_path)


def test_windows_repeat_the_ends_of_a_clip_and_never_cross_it(shards: Path) -> None:
    selection = Selection(subjects=[1], cameras=["PG1"], solved_only=False)
    single = ShardDataset(shards, selection=selection)
    windowed = ShardDataset(shards, selection=selection, window=Window(5))
    causal = ShardDataset(shards, selection=selection, window=Window(5, causal=True))
    angles = torch.stack([sample["coordinateAngle"] for sample in single])
    # clip 1 has rows 0 to 5, clip 3 rows 6 to 9
    torch.testing.assert_close(windowed[0]["coordinateAngle"], angles[[0, 0, 0, 1, 2]])
    torch.testing.assert_close(windowed[5]["coordinateAngle"], angles[[3, 4, 5, 5, 5]])
    torch.testing.assert_close(causal[6]["coordinateAngle"], angles[[6, 6, 6, 6, 6]])
    assert windowed[3]["image"].shape == (5, 3, 256, 256)


def test_labels_come_without_pictures_where_none_are_wanted(shards: Path) -> None:
    seen, unseen = (
        ShardDataset(shards, window=Window(3), augmentation=AUGMENTED, pictures=there) for there in (True, False)
    )
    whole, bare = seen[4], unseen[4]
    assert set(whole) - set(bare) == {"image"}
    for key in ("pose3d", "pose2d", "coordinateAngle", "rootRotMat"):
        torch.testing.assert_close(bare[key], whole[key])


def test_views_depend_on_the_epoch_and_not_on_the_reader(shards: Path) -> None:
    one, other = (ShardDataset(shards, augmentation=AUGMENTED) for _ in range(2))
    torch.testing.assert_close(one[3]["pose2d"], other[3]["pose2d"])
    other.set_epoch(1)
    assert not torch.allclose(one[3]["pose2d"], other[3]["pose2d"])


@unadvised
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_persistent_workers_see_the_epoch(shards: Path, start: str) -> None:
    dataset, alone = (ShardDataset(shards, size_px=16, augmentation=AUGMENTED) for _ in range(2))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=8, num_workers=1, multiprocessing_context=start, persistent_workers=True
    )
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        alone.set_epoch(epoch)
        expected = torch.stack([alone[index]["pose2d"] for index in range(len(alone))])
        torch.testing.assert_close(torch.cat([batch["pose2d"] for batch in loader]), expected)


@unadvised
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_what_one_process_reads(shards: Path, start: str) -> None:
    dataset = ShardDataset(shards, size_px=64, augmentation=AUGMENTED)
    alone = [dataset[index] for index in range(len(dataset))]
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=4, num_workers=2, multiprocessing_context=start, persistent_workers=False
    )
    batches = list(loader)
    for key in ("image", "pose3d", "coordinateAngle"):
        torch.testing.assert_close(
            torch.cat([batch[key] for batch in batches]), torch.stack([sample[key] for sample in alone])
        )


def test_indices_count_from_both_ends_and_stop(shards: Path) -> None:
    dataset = ShardDataset(shards, augmentation=AUGMENTED)
    assert dataset[-1]["name"] == dataset[len(dataset) - 1]["name"]
    torch.testing.assert_close(dataset[-1]["pose2d"], dataset[len(dataset) - 1]["pose2d"])
    with pytest.raises(IndexError, match="below 27, but got 27"):
        dataset[27]


def test_deviations_come_with_the_angles_where_all_shards_have_them(shards: Path, tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S003_PG1.h5", subject=3, std_rad=0.1)
    std = ShardDataset(tmp_path)[2]["coordinateStd"]
    assert std.isinf().nonzero().flatten().tolist() == [UNSEEN]
    torch.testing.assert_close(std[:UNSEEN], torch.full((UNSEEN,), 0.1))
    # left and right change places, so that a flipped angle keeps its own
    flipped = ShardDataset(tmp_path, augmentation=Augmentation(flip_probability=1.0))[2]
    assert flipped["coordinateStd"].isinf().sum() == 1
    assert "coordinateStd" not in ShardDataset([tmp_path / "S003_PG1.h5", shards / "S001_PG1.h5"])[2]


def test_labels_have_names(shards: Path) -> None:
    dataset = ShardDataset(shards)
    sample = dataset[0]
    assert len(dataset.point_names) == len(sample["pose3d"])
    assert dataset.point_names[DISC] == "ROOT"
    assert not any("Ground" in name for name in dataset.point_names)
    assert (len(dataset.coordinate_names), len(dataset.body_names)) == (69, 48)


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda shards: ShardDataset(shards, size_px=0), "size_px: expected 1 or more"),
        (lambda shards: ShardDataset(shards, window=Window(0)), "n_frames: expected 1 or more"),
        (lambda shards: ShardDataset(shards, selection=Selection(every=0)), "every: expected 1 or more"),
        (lambda shards: ShardDataset(shards, selection=Selection(min_valid=95)), "min_valid: expected a number"),
        (lambda _: ShardDataset([]), "an empty list"),
    ],
)
def test_what_cannot_be_is_refused_at_once(shards: Path, ask: Callable[[Path], ShardDataset], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        ask(shards)


def test_it_travels_to_another_process_without_its_files(shards: Path) -> None:
    dataset = ShardDataset(shards)
    before = dataset[0]["pose3d"]
    torch.testing.assert_close(pickle.loads(pickle.dumps(dataset))[0]["pose3d"], before)


# the pipeline's shard shows a plain picture: all that can be learned from it is the mean pose
@pytest.mark.parametrize(("kind", "left"), [("made up", 0.8), ("of the pipeline", 0.85)])
def test_a_network_learns_from_samples(shards: Path, kind: str, left: float) -> None:
    torch.manual_seed(0)
    written_by_the_pipeline = Path(__file__).parents[1] / "data" / "shard_v1.h5"
    dataset = ShardDataset(shards if kind == "made up" else written_by_the_pipeline, size_px=32)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 14 * 14, 69)
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=16)))
    losses = []
    for _ in range(80):
        misses = (network(batch["image"]) - batch["coordinateAngle"]) ** 2 * batch["coordinateMask"]
        loss = misses.sum() / batch["coordinateMask"].sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < left * losses[0]
