"""Files of the body models SMPL, SMPL+H and SMPL-X, and of DMPL. The arrays of a file say which one it is.

| array | SMPL | SMPL+H | SMPL-X | unit |
|---|---|---|---|---|
| `v_template` | (6890, 3) | (6890, 3) | (10475, 3) | m, T-pose, y up, facing +z |
| `f` | (13776, 3) | (13776, 3) | (20908, 3) | |
| `shapedirs` | (6890, 3, 10 or 300) | (6890, 3, 16 or 10) | (10475, 3, 20 or 400) | m |
| `posedirs` | (6890, 3, 207) | (6890, 3, 459) | (10475, 3, 486) | m |
| `J_regressor` | (24, 6890) | (52, 6890) | (55, 10475) | 1 |
| `weights` | (6890, 24) | (6890, 52) | (10475, 55) | 1 |
| `kintree_table` | (2, 24) | (2, 52) | (2, 55) | row 0: parents, the root's 2^32 - 1 or -1 |

Of SMPL-X's 20 shape directions the last 10 are expression, of 400 the last 100; expression is not read (smplx,
`body_models.py`). Files: .npz, or a pickle of Python 2 (`model_pickle`). `dmpls/{male,female,neutral}/model.npz` holds
`eigvec` (6890, 3, 8 or more), of which AMASS uses the first 8. Other arrays (`J`, `hands_meanl`, ...) are not read.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.model_pickle import read_model_pickle
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import check_real, reading
from movi_prep.records.body_layout import LAYOUT_OF_JOINTS, BodyLayout, BodyName
from movi_prep.records.body_model import BodyModel
from movi_prep.records.checks import check_finite
from movi_prep.records.motion import N_DMPLS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex

N_VERTICES = 6890
"""Vertices of SMPL and SMPL+H; marker sets count on this numbering."""

MODEL_ARRAYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
"""Arrays that are read from a body model."""

_EXPECTED = "a body model of SMPL (24 joints), SMPL+H (52) or SMPL-X (55)"

_SHAPES_OF_SMPLX = {20: 10, 400: 300}
"""How many directions an SMPL-X file has -> how many of them, from the first, are shape; the others are expression."""

_FETCH = {
    "SMPL": "fetch SMPL_{NEUTRAL,MALE,FEMALE}.pkl from smpl.is.tue.mpg.de",
    "SMPL+H": "fetch 'Extended SMPL+H' (for AMASS) from mano.is.tue.mpg.de, smplh/{male,female,neutral}/model.npz",
    "SMPL-X": "fetch SMPLX_{NEUTRAL,MALE,FEMALE}.npz from smpl-x.is.tue.mpg.de",
}
_FETCH_ONE = "fetch a model of SMPL, SMPL+H or SMPL-X"


class Arrays(Protocol):
    """Named arrays of a file: an .npz archive, or the content of a pickle."""

    path: Path
    names: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        """Return whether there is an array of this name."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""

    def numbers(self, name: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        """Return an array of real numbers of a shape."""


def read_body_model(path: Path, *, sex: Sex, soft_tissue: Path | None = None, in_t_pose: bool = False) -> BodyModel:
    """Read a body model, and DMPL directions where `soft_tissue` names their file.

    With `in_t_pose`, pose directions (nine tenths of the file) are checked for their shape, but taken as zero, which
    they count for in the T-pose.

    Raises:
        MissingError: there is no such file.
        InputError: it is damaged or of another layout.
    """
    with _open_model(path) as arrays, reading(path, expected=_EXPECTED):
        # Before any array is read: the wrong model is named by what it is, not by its first
        # unfitting shape.
        layout = _check_layout(arrays)
        v, j = layout.n_vertices, layout.n_joints
        parents = _integers(arrays, "kintree_table")[0]
        parents[0] = -1  # stored as 2^32 - 1 in files of unsigned integers
        shapes = arrays.shape("shapedirs")[-1]
        return BodyModel(
            sex=sex,
            template_m=_floats(arrays, "v_template", (v, 3)),
            faces=_integers(arrays, "f"),
            # Cut before they are made wider: 400 directions of SMPL-X are 100 MB.
            shape_directions_m=arrays.numbers("shapedirs", (v, 3, shapes))[
                ..., : n_shape_directions(layout, shapes)
            ].astype(np.float64, order="C"),
            pose_directions_m=_pose_directions(arrays, (v, 3, layout.n_pose_features), in_t_pose=in_t_pose),
            joint_regressor=_floats(arrays, "J_regressor", (j, v)),
            skinning_weights=_floats(arrays, "weights", (v, j)),
            parents=parents,
            soft_tissue_directions_m=None if soft_tissue is None else read_soft_tissue_directions(soft_tissue),
            source=str(path),
        )


def _pose_directions(arrays: Arrays, shape: tuple[int, ...], *, in_t_pose: bool) -> NDArray[Any]:
    if in_t_pose and arrays.shape("posedirs") == shape:
        # One zero stands for all: they take no memory.
        return np.broadcast_to(np.float32(0.0), shape)
    return arrays.numbers("posedirs", shape)


def body_of_model(path: Path) -> BodyName | None:
    """Return which body a file is a model of, or None where it is no such model; `read_body_model` then says why."""
    try:
        with _open_model(path) as arrays:
            layout = LAYOUT_OF_JOINTS.get((*arrays.shape("J_regressor"), 0)[0])
    except InputError:
        return None
    return None if layout is None else layout.name


def n_shape_directions(layout: BodyLayout, n_directions: int) -> int:
    """Return how many of a file's directions, from the first, are shape; the others are expression."""
    return _SHAPES_OF_SMPLX.get(n_directions, n_directions) if layout.name == "SMPL-X" else n_directions


def read_soft_tissue_directions(path: Path) -> NDArray[np.float64]:
    """Read the first 8 DMPL directions, (6890, 3, 8) float64, metres per unit of coefficient."""
    with NpzArchive(path) as archive:
        shape = archive.shape("eigvec")
        if shape[:2] != (N_VERTICES, 3) or len(shape) != 3 or shape[2] < N_DMPLS:
            raise InputError(
                f"{path}: eigvec",
                expected=f"shape ({N_VERTICES}, 3, {N_DMPLS} or more)",
                got=f"shape {shape}",
                remedy="fetch DMPL's model.npz of this sex again",
            )
        # A copy: the slice by itself would keep all directions of the file in memory.
        directions = np.ascontiguousarray(_floats(archive, "eigvec", shape)[:, :, :N_DMPLS])
    check_finite(directions, what="eigvec", where=str(path))
    return directions


class _PickledArrays:
    """Those arrays of a pickled model that are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays = read_model_pickle(path, MODEL_ARRAYS)
        self.names = tuple(self._arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def shape(self, name: str) -> tuple[int, ...]:
        return self._named(name).shape

    def numbers(self, name: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        values = self._named(name)
        check_real(values.dtype, where=self.path, name=name)
        if shape is not None and values.shape != shape:
            raise InputError(
                self.path,
                expected=f"{name} of shape {shape}",
                got=f"shape {values.shape}",
                remedy="check that this is the file it should be",
            )
        return values

    def _named(self, name: str) -> NDArray[Any]:
        if name in self._arrays:
            return self._arrays[name]
        raise InputError(
            self.path, expected=f"an array {name!r}", got=f"only {list_names(self.names)}", remedy=_FETCH_ONE
        )


@contextmanager
def _open_model(path: Path) -> Iterator[Arrays]:
    if path.suffix.lower() != ".pkl":
        with NpzArchive(path) as archive:
            yield archive
        return
    if not path.is_file():
        raise MissingError(path, expected="a body model", got="no file", remedy="check the path")
    yield _PickledArrays(path)


def _check_layout(arrays: Arrays) -> BodyLayout:
    """Return which body a file holds; where it is another model, say which one."""
    # Joints first: their number tells which model it is, and the rest follows from that.
    # Zeros stand for missing axes: a damaged file is refused below, not by an IndexError.
    joints, regressor_vertices = (*arrays.shape("J_regressor"), 0, 0)[:2]
    layout = LAYOUT_OF_JOINTS.get(joints)
    if layout is None:
        _refuse(arrays.path, "MANO (a hand, 16 joints)" if joints == 16 else f"a model of {joints} joints")
    vertices = arrays.shape("v_template")[0]
    if (vertices, regressor_vertices) != (layout.n_vertices, layout.n_vertices):
        _refuse(arrays.path, f"a mesh of {vertices} vertices", layout)
    kintree = arrays.shape("kintree_table")
    if kintree != (2, layout.n_joints):
        _refuse(arrays.path, f"a kintree_table of shape {kintree}", layout)
    return layout


def _refuse(path: Path, found: str, layout: BodyLayout | None = None) -> NoReturn:
    if layout is None:
        raise InputError(path, expected=_EXPECTED, got=found, remedy=_FETCH_ONE)
    expected = f"{layout.name}, as {layout.n_joints} joints say: {layout.n_vertices} vertices"
    raise InputError(path, expected=expected, got=found, remedy=_FETCH[layout.name])


def _floats(arrays: Arrays, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(arrays.numbers(name, shape), dtype=np.float64)


def _integers(arrays: Arrays, name: str) -> NDArray[np.int64]:
    values = arrays.numbers(name)
    # Compared as floats: what is cast without a look turns 2.7 into a vertex, and NaN into another.
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise InputError(
            f"{arrays.path}: {name}", expected="whole numbers", got="others", remedy="fetch the model again"
        )
    return values.astype(np.int64)
