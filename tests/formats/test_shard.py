"""Native shards: round trip, self-description, other processes, old versions, and a document that is up to date."""

from __future__ import annotations

import errno
import json
import multiprocessing
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError, InternalError, MissingError
from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.shard import ShardFile, open_shard_writer
from movi_prep.formats.shard_schema import SHARD_SCHEMA, shard_document
from movi_prep.records.bmlmovi_names import movi_subject
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.video.pictures import decode_picture
from tests.builders.kinematic_tree import random_tree
from tests.builders.shard import BOX_SIDE_PX, write_small_shard
from tests.sentences import raises_recorded

RELEASED = sorted((Path(__file__).parents[1] / "data").glob("shard_v*.h5"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"{movi_subject(1)}_PG1.h5"


def test_what_is_written_comes_back(path: Path) -> None:
    fields = write_small_shard(path)
    with ShardFile(path) as shard:
        assert shard.n_rows == 10
        for name, value in fields.items():
            item = next(item for item in SHARD_SCHEMA.fields if item.name == name)
            if item.dtype == STRING:
                assert shard.names(name) == tuple(value)
            else:
                np.testing.assert_array_equal(shard.read(name), np.asarray(value, dtype=item.dtype))
        assert decode_picture(shard.picture(9)).shape == (BOX_SIDE_PX, BOX_SIDE_PX, 3)
        assert shard.attribute("split") == "train"
        assert shard.attribute("height_m") is None
        assert shard.provenance["made"] == "for a test"
        assert shard.faulty_checksums() == ()


def test_rows_can_be_picked(path: Path) -> None:
    fields = write_small_shard(path)
    with ShardFile(str(path)) as shard:
        np.testing.assert_array_equal(
            shard.read("labels/joints_world_m", 4), fields["labels/joints_world_m"][4].astype(np.float32)
        )
        assert shard.read("frames/clip", slice(2, 5)).shape == (3,)


def test_raw_hdf5_explains_itself(path: Path) -> None:
    write_small_shard(path)
    with h5py.File(path) as file:
        assert file.attrs["format"] == "movi-prep shard"
        assert file.attrs["format_version"] == SHARD_SCHEMA.version
        joints = file["labels/joints_camera_m"]
        assert json.loads(joints.attrs["dims"]) == ["row", "joint", 3]
        assert (joints.attrs["unit"], joints.attrs["frame"]) == ("m", "camera")
        assert joints.dtype == np.float32
        assert len(joints.attrs["sha256"]) == 64


def test_every_field_of_the_schema_says_what_it_is() -> None:
    names = [item.name for item in SHARD_SCHEMA.fields]
    assert len(names) == len(set(names))
    for item in SHARD_SCHEMA.fields:
        assert item.description
        assert item.dtype == STRING or item.unit


def test_pictures_larger_than_a_chunk_and_in_any_order(path: Path, tmp_path: Path) -> None:
    fields = write_small_shard(tmp_path / "other.h5")
    with ShardFile(tmp_path / "other.h5") as other:
        attributes = {name: other.attribute(name) for name in SHARD_SCHEMA.attributes} | {"refused": "[]"}
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, 900_000 + 7 * k, dtype=np.uint8) for k in range(10)]
    order = rng.permutation(10)
    with open_shard_writer(path) as writer:
        for picture in pictures:
            writer.append_picture(picture)
        writer.finish(picture_of_row=order, fields=fields, attributes=attributes, provenance={})
    with ShardFile(path) as shard:
        for row in range(10):
            np.testing.assert_array_equal(shard.picture(row), pictures[order[row]])
        assert shard.faulty_checksums() == ()


def test_a_tree_comes_back(path: Path, tmp_path: Path) -> None:
    tree = random_tree(3)
    fields = write_small_shard(tmp_path / "other.h5")
    with ShardFile(tmp_path / "other.h5") as other:
        assert other.tree() is None
        attributes = {name: other.attribute(name) for name in SHARD_SCHEMA.attributes} | {"refused": "[]"}
        pictures = [other.picture(row) for row in range(10)]
    with open_shard_writer(path) as writer:
        for picture in pictures:
            writer.append_picture(picture)
        arrays = {f"tree/{name}": values for name, values in tree.to_arrays().items()}
        writer.finish(picture_of_row=np.arange(10), fields={**fields, **arrays}, attributes=attributes, provenance={})
    with ShardFile(path) as shard:
        back = shard.tree()
        assert back is not None
        pose = np.full(tree.n_coordinates, 0.3)
        np.testing.assert_array_equal(back.marker_positions(pose), tree.marker_positions(pose))


def _first_angle(shard: ShardFile) -> float:
    return float(shard.read("labels/coordinates_rad", 0)[0])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_an_open_shard_survives_being_handed_to_a_process(path: Path, method: str) -> None:
    write_small_shard(path)
    with ShardFile(path) as shard:
        here = _first_angle(shard)
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(_first_angle, [shard, shard]) == [here, here]
        assert _first_angle(pickle.loads(pickle.dumps(shard))) == here


def test_an_unfinished_shard_never_gets_its_name(path: Path) -> None:
    with raises_recorded(InternalError), open_shard_writer(path):
        pass
    with pytest.raises(RuntimeError, match="disk full"), open_shard_writer(path):
        raise RuntimeError("disk full")
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_noticed_before_it_is_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 crashes the process where a write fails, so the space is looked at first."""
    usage = shutil.disk_usage(path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(OSError, match=r"1\.0 MB are free") as caught:
        write_small_shard(path)
    assert caught.value.errno == errno.ENOSPC
    assert list(path.parent.iterdir()) == []


def test_what_does_not_fit_the_schema_is_not_written(path: Path, tmp_path: Path) -> None:
    fields = write_small_shard(tmp_path / "other.h5")
    with ShardFile(tmp_path / "other.h5") as other:
        attributes = {name: other.attribute(name) for name in SHARD_SCHEMA.attributes} | {"refused": "[]"}
    bad = [
        ({**fields, "labels/extra": np.zeros(10)}, attributes, "unknown fields labels/extra"),
        (
            {name: value for name, value in fields.items() if name != "frames/used"},
            attributes,
            "missing fields frames/used",
        ),
        ({**fields, "frames/used": np.zeros(9, bool)}, attributes, "does not fit dims"),
        (fields, {**attributes, "colour": 1}, "expected attributes"),
    ]
    for wrong_fields, wrong_attributes, message in bad:
        with pytest.raises(InternalError, match=message):
            _write(path, wrong_fields, wrong_attributes)
    assert not path.exists()


def _write(path: Path, fields: dict[str, np.ndarray], attributes: dict[str, object]) -> None:
    with open_shard_writer(path) as writer:
        for _ in range(10):
            writer.append_picture(np.zeros(3, np.uint8))
        writer.finish(picture_of_row=np.arange(10), fields=fields, attributes=attributes, provenance={})


def test_wrong_names_are_answered_with_the_right_ones(path: Path) -> None:
    write_small_shard(path)
    with ShardFile(path) as shard:
        with pytest.raises(KeyError, match=r"did you mean 'labels/joints_px'"):
            shard.read("labels/joint_px")
        with pytest.raises(KeyError, match=r"did you mean 'camera'"):
            shard.attribute("camra")


def test_other_files_are_refused(path: Path) -> None:
    with raises_recorded(MissingError):
        ShardFile(path).fields()
    path.write_bytes(b"no hdf5")
    with raises_recorded(InputError):
        ShardFile(path).fields()
    path.unlink()
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "something else"
    with raises_recorded(InputError):
        ShardFile(path).fields()
    path.unlink()
    write_small_shard(path)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = SHARD_SCHEMA.version + 1
    with raises_recorded(InputError):
        ShardFile(path).fields()


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
def test_shards_of_every_released_version_are_read(released: Path) -> None:
    with ShardFile(released) as shard:
        assert shard.version == int(released.stem.removeprefix("shard_v"))
        assert shard.n_rows == 10
        assert shard.read("labels/joints_world_m").shape == (10, 22, 3)
        assert decode_picture(shard.picture(0)).ndim == 3
    assert verify_shard(released).faults == ()


def test_there_is_a_released_shard_of_the_current_version() -> None:
    assert f"shard_v{SHARD_SCHEMA.version}.h5" in [released.name for released in RELEASED]


def test_the_document_is_the_schema() -> None:
    document = Path(__file__).parents[2] / "docs" / "shard_format.md"
    assert document.read_text(encoding="utf-8") == shard_document(), (
        "docs/shard_format.md is not up to date: python -m movi_prep.formats.shard_schema > docs/shard_format.md"
    )
