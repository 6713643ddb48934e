"""The files of D3KE's training code: names, shapes, dtypes and the attribute tree of its base model."""

from __future__ import annotations

import pickle
import shutil
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError, InternalError
from movi_prep.formats import d3ke
from movi_prep.records.base_model import (
    BaseAxis,
    BaseBody,
    BaseCoordinate,
    BaseCoupler,
    BaseJoint,
    BaseMarker,
    BaseModel,
)
from tests.sentences import raises_recorded

SMALL_MODEL = BaseModel(
    bodies=(BaseBody("b", ("m.obj",), 1.5, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0, 0.0, 0.0, 0.0), (1.0, 2.0, 3.0)),),
    joints=(
        BaseJoint(
            name="j",
            welded=False,
            parent_body="ground",
            parent_location_m=(0.0, 1.0, 0.0),
            parent_orientation_rad=(0.1, 0.2, 0.3),
            child_body="b",
            child_location_m=(0.0, 0.0, 0.5),
            child_orientation_rad=(0.0, 0.0, 0.0),
            coordinates=(BaseCoordinate("c", True, 0.0, -1.0, 1.0, False),),
            axes=(BaseAxis("rotation1", (0.0, 0.0, -1.0), "c", -1), BaseAxis("rotation2", (1.0, 0.0, 0.0), "", 0)),
        ),
    ),
    markers=(BaseMarker("m", "b", (0.0, 0.1, 0.2), True),),
    couplers=(BaseCoupler("k", True, "c", "d", (0.0, 0.5), (1.0, 2.5)),),
)


def small_rows(v: int = 3) -> dict[str, np.ndarray]:
    shapes = {"pos3d": (22, 3), "sim_pos3d": (22, 3), "marker_pos3d": (55, 3), "sim_marker_pos3d": (55, 3)}
    shapes |= {"pos3d_mask": (22,), "marker_pos3d_mask": (55,), "bbox": (4,)}
    rows = {name: np.ones((v, *shapes.get(name, ())), dtype="f8") for name in d3ke.LABEL_DTYPES}
    rows["ImgList"] = np.array([d3ke.image_name(1, "PG1", 2, frame).encode() for frame in range(v)])
    rows["cameraType"] = np.array([b"PG1"] * v)
    return rows


@pytest.mark.reference
def test_label_files_have_the_layout_of_the_released_code(shared: Path, tmp_path: Path) -> None:
    d3ke.write_labels(tmp_path / "subject_1.hdf5", small_rows())
    theirs = shared / "reference" / "world_a_d3ke" / "subject_1.hdf5"
    with h5py.File(tmp_path / "subject_1.hdf5") as ours, h5py.File(theirs) as reference:
        assert set(ours) == set(reference)
        for name in reference:
            assert ours[name].dtype == reference[name].dtype, name
            assert ours[name].shape[1:] == reference[name].shape[1:], name
        assert ours["ImgList"][1] == reference["ImgList"][1].replace(b"L.1.", b"L.2.")


def test_rows_of_unequal_length_are_refused(tmp_path: Path) -> None:
    rows = small_rows()
    rows["frame"] = rows["frame"][:2]
    with raises_recorded(InternalError):
        d3ke.write_labels(tmp_path / "subject_1.hdf5", rows)
    assert not list(tmp_path.iterdir())


def test_frames_that_do_not_come_are_black_and_take_no_room(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    d3ke.write_images(tmp_path / "1_PG1_img.hdf5", [(7, image)], name="video", shape=(1000, 60, 80))
    with h5py.File(tmp_path / "1_PG1_img.hdf5") as file:
        np.testing.assert_array_equal(file["images"][7], image)
        assert not file["images"][8].any()
        assert int(file["numFrames"][0]) == 1000
    assert (tmp_path / "1_PG1_img.hdf5").stat().st_size < 10 * image.size


def test_dictionaries_read_as_the_training_code_reads_them(tmp_path: Path) -> None:
    d3ke.write_dictionary(tmp_path / "videoIdx.npy", {1: np.array([[37, 125], [113, 169]], dtype=np.int32)})
    table = np.load(tmp_path / "videoIdx.npy", allow_pickle=True).item()
    assert table[1][0][1] - 1 == 124
    assert table[1].dtype == np.int32


def test_dictionaries_name_nothing_that_the_training_codes_numpy_lacks(tmp_path: Path) -> None:
    d3ke.write_dictionary(tmp_path / "all_bbox.npy", {1: {"PG1": np.arange(4000.0).reshape(-1, 4)}})
    content = (tmp_path / "all_bbox.npy").read_bytes()
    assert b"numpy._core" not in content, "numpy 1.20, of D3KE's environment, has no such module"
    np.testing.assert_array_equal(d3ke.read_dictionary(tmp_path / "all_bbox.npy")[1]["PG1"][-1], np.arange(3996, 4000))


class _Reader(pickle.Unpickler):
    """Stands in for the released code: one class per name, made on the fly."""

    def __init__(self, path: Path) -> None:
        super().__init__(BytesIO(path.read_bytes()))
        self.classes: dict[tuple[str, str], type] = {}

    def find_class(self, module: str, name: str) -> type:
        assert module.startswith("ms_model_estimation.pyOpenSim."), module
        return self.classes.setdefault((module, name), type(name, (), {}))


@pytest.mark.reference
def test_the_base_model_has_the_attribute_tree_of_the_released_file(shared: Path, tmp_path: Path) -> None:
    osim = pytest.importorskip("movi_prep.osim.base_model")
    model = osim.read_base_model(shared / "reference" / "d3ke_models" / "full_body_wo_hands.osim")
    d3ke.write_base_model(tmp_path / "pyBaseModel.pkl", model)
    ours = _load(tmp_path / "pyBaseModel.pkl")
    theirs = _load(shared / "reference" / "world_a_d3ke" / "pyBaseModel.pkl")
    for part, lists in {"bodySet": ["bodies"], "jointSet": ["joints"], "markerSet": ["markers"]}.items():
        for name in lists:
            for mine, reference in zip(
                getattr(getattr(ours, part), name), getattr(getattr(theirs, part), name), strict=True
            ):
                _assert_same(mine, reference, mine.name)
    assert list(ours.jointSet.coordinatesDict) == list(theirs.jointSet.coordinatesDict)
    joint, index = ours.jointSet.coordinatesDict["knee_angle_y_l"]
    assert joint is ours.jointSet.jointsDict["knee_l"]
    assert index == 1
    for mine, reference in zip(ours.constraintSet.constraints, theirs.constraintSet.constraints, strict=True):
        assert mine.dependent_coordinate_name == reference.dependent_coordinate_name
        assert _line(mine) == pytest.approx(_line(reference), abs=1e-6)


def _load(path: Path) -> object:
    return _Reader(path).load()


def _line(constraint: object) -> tuple[float, float]:
    """Return the line that the released code draws through the first two points: value at 0, slope."""
    x, y = ([float(part) for part in text.split()][:2] for text in constraint.funcParameters)
    slope = (y[1] - y[0]) / (x[1] - x[0])
    return y[0] - slope * x[0], slope


def _assert_same(mine: object, reference: object, where: str) -> None:
    assert set(mine.__dict__) == set(reference.__dict__), where
    for name, value in reference.__dict__.items():
        _assert_value(getattr(mine, name), value, f"{where}.{name}")


def _assert_value(mine: object, reference: object, where: str) -> None:
    if hasattr(reference, "__dict__"):
        _assert_same(mine, reference, where)
    elif isinstance(reference, list) and reference and not isinstance(reference[0], str):
        assert len(mine) == len(reference), where
        for index, (one, other) in enumerate(zip(mine, reference, strict=True)):
            _assert_value(one, other, f"{where}[{index}]")
    elif isinstance(reference, float):
        # the released model states one axis that is not quite a unit vector
        assert mine == pytest.approx(reference, abs=5e-2 if ".axis[" in where else 1e-9), where
    else:
        assert mine == reference, where


def test_a_base_model_comes_back_as_it_went(tmp_path: Path) -> None:
    d3ke.write_base_model(tmp_path / "pyBaseModel.pkl", SMALL_MODEL)
    assert d3ke.read_base_model(tmp_path / "pyBaseModel.pkl") == SMALL_MODEL


def test_a_base_model_that_names_code_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "pyBaseModel.pkl").write_bytes(pickle.dumps(Path("/")))
    with raises_recorded(InputError):
        d3ke.read_base_model(tmp_path / "pyBaseModel.pkl")


def test_a_full_disk_is_noticed_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 crashes the process where a write fails, so the space is looked at first."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    images = [(0, np.zeros((60, 80, 3), np.uint8))]
    with pytest.raises(OSError, match="the disk is full"):
        d3ke.write_images(tmp_path / "1_PG1_img.hdf5", images, name="video", shape=(3, 60, 80))
    with pytest.raises(OSError, match="the disk is full"):
        d3ke.write_labels(tmp_path / "subject_1.hdf5", small_rows())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["noise", "smooth", "smooth from the second on"])
def test_pictures_come_back_and_take_hardly_more_than_the_best_packing(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(120), np.arange(160))[..., None] // 4 + np.zeros(3, int)
    pictures = []
    for number in range(8):
        is_noisy = kind == "noise" or (kind != "smooth" and number == 0)
        picture = np.zeros((240, 320, 3), np.uint8)
        picture[60:180, 80:240] = ramp + (rng.normal(0, 2, ramp.shape) if is_noisy else rng.integers(0, 2, 1))
        pictures.append(picture)
    path, best = tmp_path / "1_PG1_img.hdf5", tmp_path / "best.hdf5"
    d3ke.write_images(
        path, [(number + 1, picture) for number, picture in enumerate(pictures)], name="v", shape=(10, 240, 320)
    )
    with h5py.File(best, "w") as file:
        images = file.create_dataset(
            "images", (10, 240, 320, 3), "u1", chunks=(1, 240, 320, 3), compression="gzip", compression_opts=9
        )
        for number, picture in enumerate(pictures):
            images[number + 1] = picture
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(d3ke.read_image(path, number + 1), picture)
    # Frames that never came are black.
    assert not d3ke.read_image(path, 0).any()
    assert not d3ke.read_image(path, 9).any()
    with h5py.File(path) as ours, h5py.File(best) as theirs:
        sizes = [file["images"].id.get_storage_size() for file in (ours, theirs)]
        assert ours["images"].compression == "gzip"
    assert sizes[0] <= 1.1 * sizes[1]
