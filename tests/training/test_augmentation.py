"""Colours and occluders: what they must leave alone, and that nobody but the seed decides."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep import ShardDataset
from movi_prep.errors import InputError, MissingError, UsageError
from movi_prep.formats.occluders import read_occluders, write_occluders
from movi_prep.training.augmentation import PLAIN_COLOURS, Augmentation, Colours, recolour
from movi_prep.training.occlusion import erase, occlude
from tests.builders.shard import write_small_shard


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.3, 0.6, (3, 8, 8)).astype(np.float32)


def _disc(side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:side, :side]
    mask = (np.hypot(rows - side / 2, columns - side / 2) < side / 2 - 1).astype(np.float32)
    return np.full((side, side, 3), (0, 255, 0), dtype=np.uint8), mask


def test_plain_colours_change_nothing(picture: np.ndarray) -> None:
    assert recolour(picture, PLAIN_COLOURS) is picture


def test_brightness_adds_and_contrast_stretches_about_the_mean(picture: np.ndarray) -> None:
    np.testing.assert_allclose(recolour(picture, Colours(brightness=0.1)), picture + 0.1, atol=1e-6)
    grey = np.tile(picture[:1], (3, 1, 1))
    flat = recolour(grey, Colours(contrast=0.5))
    np.testing.assert_allclose(flat - grey.mean(), (grey - grey.mean()) / 2, atol=1e-6)
    assert recolour(picture, Colours(brightness=0.9)).max() == 1.0


def test_grey_has_neither_hue_nor_saturation(picture: np.ndarray) -> None:
    grey = np.tile(picture[:1], (3, 1, 1))
    np.testing.assert_allclose(recolour(grey, Colours(saturation=1.7, hue_rad=0.8)), grey, atol=1e-6)
    # Without saturation everything is grey; a third of a turn exchanges the channels of what is far from grey.
    np.testing.assert_allclose(np.ptp(recolour(picture, Colours(saturation=1e-9)), axis=0), 0.0, atol=1e-6)


def test_occluders_survive_their_file_and_are_reported_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "occluders.h5"
    assert write_occluders(path, [_disc(), _disc(30)]) == 2
    back = read_occluders(path)
    np.testing.assert_array_equal(back[1][0], _disc(30)[0])
    # D3KE's code reads these names, and number 0 of the count.
    with h5py.File(path) as file:
        assert int(file["numData"][0]) == 2
        assert file["0_image"].dtype == np.uint8
        assert file["0_mask"].dtype == np.float32
    black = np.zeros((64, 64, 3), dtype=np.uint8)
    first = occlude(black, back, seed=3)
    np.testing.assert_array_equal(occlude(black, back, seed=3), first)
    assert (occlude(black, back, seed=4) != first).any()
    assert not black.any()
    green = first[..., 1] > 0
    assert 0.005 < green.mean() < 0.9
    # Beside the mask nothing is pasted: only green came.
    assert not first[..., [0, 2]].any()


def test_a_file_whose_count_is_a_scalar_still_reads(tmp_path: Path) -> None:
    path = tmp_path / "occluders.h5"
    write_occluders(path, [_disc(), _disc(30)])
    with h5py.File(path, "r+") as file:
        del file["numData"]
        file["numData"] = 2
    assert len(read_occluders(path)) == 2


def test_what_is_erased_is_one_rectangle_of_at_most_its_part() -> None:
    grey = np.full((96, 96, 3), 128, dtype=np.uint8)
    parts = []
    for seed in range(60):
        covered = erase(grey, seed)
        np.testing.assert_array_equal(erase(grey, seed), covered)
        changed = (covered != grey).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        # Noise is the grey value in one of 16 million pixels: the rectangle has no holes.
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all() if len(rows) else not changed.any()
        parts.append(changed.mean())
    assert max(parts) < 0.8 / 3.0 + 0.03
    assert np.mean(parts) > 0.04
    assert (grey == 128).all()


def test_faulty_files_of_occluders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_occluders(tmp_path / "none.h5")
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["numData"] = 1
        file["0_image"] = np.zeros((4, 4), np.uint8)
        file["0_mask"] = np.zeros((4, 4), np.float32)
    with pytest.raises(InputError) as caught:
        read_occluders(path)
    assert caught.value.where == str(path)
    write_occluders(tmp_path / "empty.h5", [])
    with pytest.raises(InputError) as caught:
        read_occluders(tmp_path / "empty.h5")
    assert caught.value.got == "none"


def test_colours_and_occluders_leave_labels_and_views_as_they_were(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    path = tmp_path / "occluders" / "pascal.h5"
    write_occluders(path, [_disc()])
    views = {"shift": 0.1, "zoom": (0.8, 1.2), "flip_probability": 0.5, "seed": 7}
    plain = ShardDataset(tmp_path, augmentation=Augmentation(**views))
    changed = ShardDataset(
        tmp_path,
        augmentation=Augmentation(
            **views,
            brightness=0.3,
            contrast=(0.5, 1.5),
            saturation=(0.5, 1.5),
            hue_rad=1.0,
            occlusion_probability=1.0,
            occluders=path,
            erasing_probability=1.0,
        ),
    )
    differing = 0
    for one, other in zip(plain[:], changed[:], strict=True):
        assert one["hflip"] == other["hflip"]
        for key in ("pose3d", "pose2d", "coordinateAngle", "worldToCamera", "boneScale"):
            np.testing.assert_array_equal(one[key], other[key])
        differing += int((one["image"] != other["image"]).any())
        assert 0.0 <= float(other["image"].min()) <= float(other["image"].max()) <= 1.0
    assert differing == len(plain)


@pytest.mark.parametrize(
    "wrong",
    [
        {"brightness": 1.5},
        {"contrast": (0.0, 1.0)},
        {"saturation": (1.2, 1.0)},
        {"hue_rad": -0.1},
        {"occlusion_probability": 2.0},
        {"erasing_probability": -0.1},
        {"occlusion_probability": 0.5},
    ],
    ids=str,
)
def test_ranges_that_cannot_be_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        Augmentation(**wrong)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{next(iter(wrong))}: ")
