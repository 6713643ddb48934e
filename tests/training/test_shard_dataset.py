"""Samples of shards: where a label says a thing is, the picture shows it; workers and flips change nothing else."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from movi_prep import ShardDataset
from movi_prep.errors import InputError, MissingError, UsageError
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels
from movi_prep.geometry.mirror import mirror_order, mirror_partner
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.training.augmentation import Augmentation
from movi_prep.training.shard_dataset import Selection, Window
from tests.builders.shard import DISC_JOINT, UNSEEN, moving_camera, small_camera, write_small_shard
from tests.export.conftest import side_camera
from tests.sentences import raises_recorded

RELEASED = sorted((Path(__file__).parents[1] / "data").glob("shard_v*.h5"))

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


def test_subjects_are_selected_by_their_audit(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5", subject=1)
    write_small_shard(tmp_path / "S002_PG1.h5", subject=2, audit="doubtful")
    shutil.copy(Path(__file__).parents[1] / "data" / "shard_v2.h5", tmp_path / "S009_PG1.h5")
    found = {
        audit: {
            sample["subject"] for sample in ShardDataset(tmp_path, selection=Selection(audit=[audit]), pictures=False)
        }
        for audit in ("sound", "doubtful", "unknown")
    }
    assert found["sound"] == {1}
    assert found["doubtful"] == {2}
    assert len(found["unknown"]) == 1
    with pytest.raises(UsageError):
        ShardDataset(tmp_path, selection=Selection(audit=["refused"]))
    with pytest.raises(UsageError):
        Selection(audit=["fine"])


def test_selection(shards: Path) -> None:
    assert {sample["subject"] for sample in ShardDataset(shards, selection=Selection(split="test"))} == {2}
    assert {sample["cameraType"] for sample in ShardDataset(shards, selection=Selection(cameras=["PG2"]))} == {"PG2"}
    assert {sample["videoID"] for sample in ShardDataset(shards, selection=Selection(clips=[3]))} == {3}
    assert {sample["frame"] % 2 for sample in ShardDataset(shards, selection=Selection(used_only=True))} == {0}
    everything = ShardDataset(shards, selection=Selection(solved_only=False))
    assert len(everything) == 30
    assert len(ShardDataset(shards)) == 27


def test_a_selection_of_nothing_is_an_error_that_says_so(shards: Path, tmp_path: Path) -> None:
    with raises_recorded(UsageError):
        ShardDataset(shards, selection=Selection(subjects=[99]))
    with raises_recorded(UsageError):
        ShardDataset(shards, selection=Selection(split="trian"))  # type: ignore[arg-type]
    with raises_recorded(MissingError):
        ShardDataset(tmp_path)


def test_a_work_folder_is_reported_where_its_shards_are(tmp_path: Path) -> None:
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


FRAMES = (0, 1, 2, 4, 5, 9, 0, 1, 3, 4)
"""Frames of the two clips of a shard with gaps: six rows, and four."""


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gappy") / "S001_PG1.h5"
    write_small_shard(path, changes={"frames/clip_frame": lambda _: np.array(FRAMES)})
    return path


def test_a_window_counts_frames_and_shows_the_last_one_before_a_gap(gappy: Path) -> None:
    selection = Selection(solved_only=False)
    angles = torch.stack([sample["coordinateAngle"] for sample in ShardDataset(gappy, selection=selection)])
    windowed = ShardDataset(gappy, selection=selection, window=Window(5), pictures=False)
    # Around frame 4: frames 2, 3, 4, 5, 6, of which 3 is shown by 2, and 6 by 5.
    torch.testing.assert_close(windowed[3]["coordinateAngle"], angles[[2, 2, 3, 4, 4]])
    # Around frame 9, the last of its clip: 7 and 8 are shown by 5, and the end is repeated.
    torch.testing.assert_close(windowed[5]["coordinateAngle"], angles[[4, 4, 5, 5, 5]])
    # Around frame 1 of the second clip: what is before its beginning is not the first clip's.
    torch.testing.assert_close(windowed[7]["coordinateAngle"], angles[[6, 6, 7, 7, 8]])


@pytest.mark.parametrize(("every", "rows"), [(1, range(10)), (2, [0, 2, 3, 6, 9]), (3, [0, 5, 6, 8]), (5, [0, 4, 6])])
def test_every_counts_frames_of_a_clip_not_rows(gappy: Path, every: int, rows: Sequence[int]) -> None:
    dataset = ShardDataset(gappy, selection=Selection(every=every, solved_only=False), pictures=False)
    assert [dataset[index]["localIdx"] for index in range(len(dataset))] == list(rows)


@pytest.mark.parametrize("augmentation", [None, AUGMENTED], ids=["plain", "augmented"])
def test_a_sample_can_be_placed_in_the_world(shards: Path, augmentation: Augmentation | None) -> None:
    """What its cameras say of the world's points are its labels, flipped or not."""
    dataset = ShardDataset(shards, augmentation=augmentation, size_px=64)
    flips = 0
    for index in range(0, len(dataset), 2):
        sample = {key: value.numpy() if torch.is_tensor(value) else value for key, value in dataset[index].items()}
        flips += sample["hflip"]
        with ShardFile(shards / f"S{sample['subject']:03d}_{sample['cameraType']}.h5") as shard:
            labels, camera = read_frame_labels(shard, slice(sample["localIdx"], sample["localIdx"] + 1)), small_camera()
            intrinsics_px = shard.read("crops/intrinsics_px", sample["localIdx"])
        world = np.concatenate([labels.joint_centres.world_m, labels.joints.world_m], axis=1)[0]
        points = world @ sample["worldToCamera"][:, :3].T + sample["worldToCamera"][:, 3]
        names = dataset.point_names[: len(world)]
        partner = mirror_order(names) if sample["hflip"] else np.arange(len(world))
        np.testing.assert_allclose(points[partner], sample["pose3d"][: len(world)], atol=1e-5)
        seen = points @ sample["cameraIntrinsics"].T
        np.testing.assert_allclose((seen[:, :2] / seen[:, 2:])[partner], sample["pose2d"][: len(world)], atol=1e-3)
        handedness = np.linalg.det(sample["worldToCamera"][:, :3])
        assert handedness == pytest.approx(-1.0 if sample["hflip"] else 1.0, abs=1e-5)
        root = sample["worldToCamera"][:, :3] @ labels.root.position_world_m[0] + sample["worldToCamera"][:, 3]
        np.testing.assert_allclose(root, sample["rootRotMat"][:, 3], atol=1e-5)
        # The crop: the real camera, its lens, and where the picture was cut out.
        real = world @ sample["worldToCrop"][:, :3].T + sample["worldToCrop"][:, 3]
        camera_m = np.concatenate([labels.joint_centres.camera_m, labels.joints.camera_m], axis=1)[0]
        np.testing.assert_allclose(real, camera_m, atol=1e-5)
        np.testing.assert_allclose(sample["cropIntrinsics"], intrinsics_px, rtol=1e-6)
        np.testing.assert_allclose(sample["lens"], camera.lens.coefficients, rtol=1e-6)
    assert (flips > 1) == (augmentation is not None)


def test_each_sample_of_a_camera_that_moves_has_its_own_pose(tmp_path: Path) -> None:
    camera = moving_camera(np.arange(10))
    write_small_shard(tmp_path / "S001_PG1.h5", camera=camera)
    dataset = ShardDataset(tmp_path, selection=Selection(solved_only=False))
    for index in (0, 4, 9):
        sample, there = dataset[index], camera.at(index)
        real, turn = sample["worldToCrop"].numpy(), sample["worldToCamera"].numpy()[:, :3]
        np.testing.assert_allclose(real[:, :3], there.world_to_camera_rotation, atol=1e-6)
        np.testing.assert_allclose(real[:, 3], there.world_to_camera_translation_m, atol=1e-6)
        # Both cameras stand in one place.
        np.testing.assert_allclose(
            turn.T @ sample["worldToCamera"].numpy()[:, 3], real[:, :3].T @ real[:, 3], atol=1e-5
        )
        # The disc is drawn where the joint is.
        np.testing.assert_allclose(_disc_centre(sample["image"]), sample["pose2d"][DISC].numpy(), atol=0.5)


def test_bodies_and_joints_that_the_model_lacks_are_masked(tmp_path: Path) -> None:
    def without(index: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda valid: valid & (np.arange(valid.shape[-1]) != index)

    changes = {"labels/opensim_joints_valid": without(4), "subject/body_scales_valid": without(2)}
    write_small_shard(tmp_path / "S001_PG1.h5", changes=changes)
    plain = ShardDataset(tmp_path, pictures=False)
    sample = plain[0]
    assert torch.flatten((sample["boneScaleMask"] == 0).nonzero()).tolist() == [2]
    assert (sample["boneScale"][2] == 0).all()
    assert sample["joint3d_validity_mask"][4] == 0
    flipped = ShardDataset(tmp_path, pictures=False, augmentation=Augmentation(flip_probability=1.0))[0]
    names = plain.body_names
    assert torch.flatten((flipped["boneScaleMask"] == 0).nonzero()).tolist() == [
        names.index(mirror_partner(names[2], names))
    ]


@pytest.mark.parametrize("name", ["labels", "crops", "labels/joints_world_m", "frames/clip"])
def test_training_follows_no_link_to_another_file(tmp_path: Path, name: str) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    other = tmp_path / "elsewhere" / "S001_PG1.h5"
    other.parent.mkdir()
    write_small_shard(other)
    with h5py.File(tmp_path / "S001_PG1.h5", "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(other), name)
    with pytest.raises((InputError, KeyError)):
        ShardDataset(tmp_path)[0]


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
def test_shards_of_every_released_version_give_samples(released: Path) -> None:
    dataset = ShardDataset(released, size_px=32, augmentation=AUGMENTED)
    for key, value in dataset[0].items():
        if torch.is_tensor(value):
            assert not value.isnan().any(), key


@pytest.mark.parametrize(
    ("number", "name"),
    [(Selection(subjects=[2]), Selection(subjects=["S002"])), (Selection(clips=[3]), Selection(clips=["C03"]))],
)
def test_subjects_and_clips_are_chosen_by_name_or_number(shards: Path, number: Selection, name: Selection) -> None:
    by_number, by_name = (ShardDataset(shards, selection=chosen, pictures=False) for chosen in (number, name))
    assert [sample["name"] for sample in by_number] == [sample["name"] for sample in by_name] != []


def test_subjects_and_clips_need_no_numbers(tmp_path: Path) -> None:
    changes = {
        "clips/name": lambda _: ["jump", "kick_left"],
        "clips/number": lambda _: np.array([1, 2]),
        "frames/clip": lambda clip: np.where(clip == 3, 2, 1),
    }
    write_small_shard(tmp_path / "anna_PG1.h5", subject_name="anna", changes=changes)
    assert verify_shard(tmp_path / "anna_PG1.h5").faults == ()
    dataset = ShardDataset(tmp_path, selection=Selection(subjects=["anna"], clips=["kick_left"]), pictures=False)
    assert dataset[0]["name"] == "anna/kick_left/PG1/000000"
    assert (dataset[0]["subject"], dataset[0]["videoID"]) == (0, 2)


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


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("window", [None, Window(3)])
@pytest.mark.parametrize("views", [None, ("PG1", "PG2")])
def test_a_batch_holds_the_bytes_of_its_samples(
    tmp_path: Path, moving: bool, window: Window | None, views: tuple[str, ...] | None
) -> None:
    first = moving_camera(np.arange(10)) if moving else small_camera()
    for name, camera in (("PG1", first), ("PG2", side_camera())):
        write_small_shard(tmp_path / f"S001_{name}.h5", camera=camera)
    augmentation = Augmentation(shift=0.1, zoom=(0.8, 1.3), roll_rad=0.4, flip_probability=0.5, brightness=0.2, seed=2)
    for drawn in (None, augmentation):
        data = ShardDataset(tmp_path, window=window, views=views, augmentation=drawn, size_px=64)
        # Far apart, neighbours, one twice.
        indices = [len(data) - 1, 0, 1, 0]
        batch = data.__getitems__(indices)
        assert len({sample["hflip"] for sample in batch}) == (1 if drawn is None else 2)
        for index, sample in zip(indices, batch, strict=True):
            for key, values in data[index].items():
                if isinstance(values, torch.Tensor):
                    np.testing.assert_array_equal(sample[key].numpy(), values.numpy(), err_msg=key)
                else:
                    assert sample[key] == values, key


def test_a_batch_of_windows_decodes_each_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    data, read = ShardDataset(tmp_path, window=Window(5), size_px=32), []
    picture = ShardFile.picture
    monkeypatch.setattr(ShardFile, "picture", lambda shard, row: read.append(row) or picture(shard, row))
    data.__getitems__(range(len(data)))
    assert len(read) == len(set(read)) > 5
    monkeypatch.undo()
    loaded = next(iter(torch.utils.data.DataLoader(data, batch_size=len(data))))
    np.testing.assert_array_equal(loaded["image"][1], data[1]["image"])


def test_a_sample_of_a_batch_holds_no_other_sample(shards: Path) -> None:
    data = ShardDataset(shards, size_px=32)
    one, other = data.__getitems__([0, 1])
    before = {key: values.clone() for key, values in other.items() if isinstance(values, torch.Tensor)}
    for values in one.values():
        if isinstance(values, torch.Tensor):
            values.zero_()
    for key, values in before.items():
        torch.testing.assert_close(other[key], values, msg=key)
    assert one["image"].untyped_storage().nbytes() == one["image"].nbytes
