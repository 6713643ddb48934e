"""Body models of SMPL, SMPL+H and SMPL-X, and what is none of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.body_models import n_shape_directions, read_body_model, read_soft_tissue_directions
from movi_prep.records.body_layout import LAYOUTS
from movi_prep.records.body_model import BodyModel
from tests.builders.body import build_body_model, model_arrays, smpl_arrays, write_npz
from tests.builders.python2_pickle import Instance, ch, csc, select, write_python2_pickle
from tests.sentences import raises_recorded


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return build_body_model()


@pytest.fixture(scope="module")
def arrays(model: BodyModel) -> dict[str, Any]:
    return model_arrays(model)


def refused(path: Path, arrays: dict[str, Any]) -> str:
    write_npz(path, arrays)
    with pytest.raises(InputError) as caught:
        read_body_model(path, sex="male")
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


def test_the_exact_layout(tmp_path: Path, arrays: dict[str, Any], model: BodyModel) -> None:
    eigvec = np.concatenate([model.soft_tissue_directions_m, np.ones((6890, 3, 2))], axis=2)
    dmpl = write_npz(tmp_path / "dmpl.npz", {"eigvec": eigvec})
    read = read_body_model(write_npz(tmp_path / "model.npz", arrays), sex="male", soft_tissue=dmpl)
    assert (read.sex, read.n_vertices, read.faces.shape) == ("male", 6890, (13776, 3))
    assert read.parents.tolist() == model.parents.tolist()
    for name in ("template_m", "shape_directions_m", "pose_directions_m", "joint_regressor", "skinning_weights"):
        np.testing.assert_array_equal(getattr(read, name), getattr(model, name))
    assert read.soft_tissue_directions_m is not None
    np.testing.assert_array_equal(read.soft_tissue_directions_m, model.soft_tissue_directions_m)


def test_pickled_extras_are_not_touched(tmp_path: Path, arrays: dict[str, Any]) -> None:
    path = write_npz(tmp_path / "model.npz", {**arrays, "bs_style": np.array({"a": 1}, dtype=object)})
    assert read_body_model(path, sex="male").soft_tissue_directions_m is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"J_regressor": np.zeros((24, 6890))}, "a kintree_table of shape (2, 52)"),
        ({"J_regressor": np.zeros((55, 10475))}, "a mesh of 6890 vertices"),
        ({"J_regressor": np.zeros((16, 778)), "v_template": np.zeros((778, 3))}, "MANO"),
        ({"J_regressor": np.zeros((52, 100)), "v_template": np.zeros((100, 3))}, "a mesh of 100 vertices"),
        ({"shapedirs": np.zeros((6890, 10))}, "shapedirs of shape (6890, 3, 10)"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "kintree_table of shape (2, 24)"),
        ({"v_template": None}, "'v_template'"),
        ({"J_regressor": np.zeros((52, 6890), dtype=object)}, "never unpickled"),
        ({"v_template": np.full((6890, 3), "x")}, "numbers"),
    ],
)
def test_other_layouts_are_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    # Pose directions are 38 MB; these models are refused for other reasons before theirs would be looked at.
    assert said in refused(tmp_path / "model.npz", {**arrays, "posedirs": np.zeros((1, 1)), **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": np.zeros((6890, 51))}, "weights of shape (6890, 52)"),
        ({"weights": np.full((6890, 52), np.nan)}, "NaN"),
        ({"posedirs": np.zeros((6890, 3, 207), np.float32)}, "posedirs of shape (6890, 3, 459)"),
        ({"f": np.full((13776, 3), 6890, np.uint32)}, "indices outside"),
        ({"kintree_table": np.ones((2, 52), np.uint32)}, "every other joint after its parent"),
    ],
)
def test_wrong_shapes_and_values(tmp_path: Path, arrays: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path / "model.npz", {**arrays, **changes})


def smpl_pickle(path: Path, model: BodyModel, **changes: Any) -> Path:
    """Write SMPL as the distributed pickles hold it: chumpy's and scipy's instances, a formula that nobody needs."""
    arrays = smpl_arrays(model)
    content = {
        **arrays,
        "v_template": ch(arrays["v_template"]),
        "shapedirs": select(np.concatenate([arrays["shapedirs"]] * 2, axis=-1), 10),
        "J_regressor": csc(arrays["J_regressor"]),
        "J_transformed": Instance("chumpy.ch_ops", "add", {"a": ch(np.zeros(3)), "b": ch(np.ones(3))}),
        "bs_type": "lrotmin",
        **changes,
    }
    return write_python2_pickle(path, content)


def test_a_pickle_of_python_2_says_the_same_as_its_arrays(tmp_path: Path, model: BodyModel) -> None:
    path = smpl_pickle(tmp_path / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", model)
    read, arrays = read_body_model(path, sex="female"), smpl_arrays(model)
    assert read.layout.name == "SMPL"
    np.testing.assert_array_equal(read.template_m, arrays["v_template"])
    np.testing.assert_array_equal(read.shape_directions_m, arrays["shapedirs"])
    np.testing.assert_array_equal(read.joint_regressor, arrays["J_regressor"])
    assert read.parents.tolist()[0] == -1


@pytest.mark.parametrize(
    "value",
    [
        Instance("chumpy.ch_ops", "add", {"a": 1}),
        Instance("chumpy.ch", "Ch", {}),
        Instance("scipy.sparse.lil", "lil_matrix", {"_shape": (24, 6890)}),
        "text",
    ],
)
def test_what_a_pickle_says_in_another_way_is_reported_with_how_to_convert_it(
    tmp_path: Path, model: BodyModel, value: Any
) -> None:
    path = smpl_pickle(tmp_path / "SMPL_FEMALE.pkl", model, J_regressor=value)
    with pytest.raises(InputError) as caught:
        read_body_model(path, sex="female")
    assert "J_regressor" in caught.value.where
    assert "np.savez('SMPL_FEMALE.npz'" in caught.value.remedy


def test_a_pickle_runs_nothing(tmp_path: Path, model: BodyModel) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "SMPL_MALE.pkl").write_bytes(pickle.dumps({"v_template": Harm()}, protocol=2))
    with pytest.raises(InputError) as caught:
        read_body_model(tmp_path / "SMPL_MALE.pkl", sex="male")
    assert "mkdir" in caught.value.got
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(("n_all", "n_shape"), [(20, 10), (400, 300), (16, 16)])
def test_expression_is_no_shape(n_all: int, n_shape: int) -> None:
    assert n_shape_directions(LAYOUTS["SMPL-X"], n_all) == n_shape
    assert n_shape_directions(LAYOUTS["SMPL"], n_all) == n_all


@pytest.mark.parametrize("n_betas", [10, 16, 300])
def test_models_of_any_number_of_shapes(tmp_path: Path, arrays: dict[str, Any], n_betas: int) -> None:
    shapes = {"shapedirs": np.zeros((6890, 3, n_betas), np.float32), "hands_meanl": np.zeros(45)}
    read = read_body_model(write_npz(tmp_path / "SMPLH_MALE.npz", {**arrays, **shapes}), sex="male")
    assert read.shape_directions_m.shape[-1] == n_betas


def test_a_missing_and_a_cut_file(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        read_body_model(tmp_path / "model.npz", sex="male")
    (tmp_path / "model.npz").write_bytes(b"PK\x03\x04 no more")
    with raises_recorded(InputError):
        read_body_model(tmp_path / "model.npz", sex="male")


@pytest.mark.parametrize("shape", [(6890, 3, 7), (100, 3, 8), (6890, 24)])
def test_dmpl_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_npz(tmp_path / "dmpl.npz", {"eigvec": np.zeros(shape)})
    with raises_recorded(InputError):
        read_soft_tissue_directions(path)


def test_dmpl_of_no_numbers(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "dmpl.npz", {"eigvec": np.full((6890, 3, 8), np.inf)})
    with raises_recorded(InputError):
        read_soft_tissue_directions(path)
