"""Shards and records: every dataset has one place in a record, and comes back from there."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import (
    read_body_scales,
    read_deviation,
    read_frame_labels,
    read_frame_numbers,
    read_label_names,
    read_shard_camera,
    record_datasets,
)
from movi_prep.formats.shard_schema import DATASETS, LABEL_FIELDS, NAME_FIELDS, SHARD_SCHEMA
from movi_prep.records.frame_labels import FrameLabels
from movi_prep.records.pose_deviation import rotation_covariance
from tests.builders.shard import small_camera, write_small_shard

RELEASED = sorted((Path(__file__).parents[1] / "data").glob("shard_v*.h5"))


@pytest.fixture
def shard(tmp_path: Path) -> ShardFile:
    write_small_shard(tmp_path / "S001_PG1.h5", std_rad=0.1, tree=True)
    return ShardFile(tmp_path / "S001_PG1.h5")


def test_the_mapping_names_every_label_once() -> None:
    assert len(set(DATASETS.values())) == len(DATASETS)
    assert set(DATASETS.values()) <= {item.name for item in SHARD_SCHEMA.fields}
    names = {item.name for item in NAME_FIELDS}
    assert {item.name for item in LABEL_FIELDS} | names <= set(DATASETS.values())


def test_every_dataset_goes_through_its_record_and_back(shard: ShardFile) -> None:
    records = {
        "frames": read_frame_numbers(shard),
        "labels": read_frame_labels(shard),
        "names": read_label_names(shard),
        "camera": read_shard_camera(shard),
    }
    written = {
        name: value for prefix, record in records.items() for name, value in record_datasets(prefix, record).items()
    }
    # Where every frame falls on a mocap sample, nothing says how far after one it is.
    assert set(DATASETS.values()) - set(written) == {"frames/after_sample"}
    for name, value in written.items():
        if name.startswith("names/"):
            assert value == shard.names(name)
        else:
            np.testing.assert_array_equal(value, shard.read(name), err_msg=name)


def test_deviations_come_with_the_pose_that_they_are_of(shard: ShardFile) -> None:
    found = read_deviation(shard, slice(2, 5))
    assert found is not None
    deviation, coordinates = found
    tree = shard.tree()
    np.testing.assert_allclose(deviation.std(), 0.1, rtol=2e-3)
    np.testing.assert_array_equal(coordinates, tree.complete_coordinates(coordinates))
    np.testing.assert_array_equal(
        coordinates[:, tree.free_coordinates], shard.read("labels/free_coordinates", slice(2, 5))
    )
    body = tree.body_names[-1]
    parent = tree.body_names[tree.body_parent[-1]]
    whole, joint = (rotation_covariance(tree, coordinates, deviation, body, seen_from=seen) for seen in (None, parent))
    assert whole.shape == joint.shape == (3, 3, 3)
    assert (np.linalg.eigvalsh(whole) > -1e-9).all()


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
def test_shards_made_before_have_no_deviations(released: Path) -> None:
    with ShardFile(released) as shard:
        assert read_deviation(shard) is None


def test_some_rows_are_those_rows_of_all(shard: ShardFile) -> None:
    some, every = read_frame_labels(shard, slice(3, 6)), read_frame_labels(shard)
    for left, right in (
        (some, every.select(np.array([3, 4, 5]))),
        (FrameLabels.join([some, some]).select(np.arange(3)), some),
    ):
        for attribute in (name.removeprefix("labels.") for name in DATASETS if name.startswith("labels.")):
            np.testing.assert_array_equal(attrgetter(attribute)(left), attrgetter(attribute)(right), err_msg=attribute)


def test_what_one_part_lacks_the_whole_lacks(tmp_path: Path, shard: ShardFile) -> None:
    write_small_shard(tmp_path / "S001_PG2.h5", camera=small_camera("PG2"))
    with ShardFile(tmp_path / "S001_PG2.h5") as other:
        joined = FrameLabels.join([read_frame_labels(shard), read_frame_labels(other)])
    assert joined.coordinates.std_rad is None
    assert joined.n_frames == 20


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
def test_every_released_version_has_every_mask(released: Path) -> None:
    with ShardFile(released) as shard:
        labels = read_frame_labels(shard)
        solved = labels.root.valid
    there = labels.joint_centres.world_m.any(axis=(0, 2))
    assert labels.joint_centres.valid[solved][:, there].all()
    assert there.any()
    assert not labels.joint_centres.valid[~solved].any()
    assert labels.scales.valid.all()


def test_what_an_old_shard_lacks_is_masked(tmp_path: Path) -> None:
    """Version 2 reported an absent joint by zeros, and an absent body by NaN."""
    path = tmp_path / "S001_PG1.h5"
    path.write_bytes((RELEASED[0].parent / "shard_v2.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["labels/opensim_joints_world_m"][:, 5] = 0.0
        file["subject/body_scales"][7] = np.nan
    with ShardFile(path) as shard:
        labels = read_frame_labels(shard)
        assert not labels.joint_centres.valid[:, 5].any()
        assert labels.joint_centres.valid[labels.root.valid][:, 6:].all()
        assert np.flatnonzero(~read_body_scales(shard).valid).tolist() == [7]
        assert (read_body_scales(shard).factors[7] == 0.0).all()
