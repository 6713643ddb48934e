"""Body models: extended SMPL+H `model.npz` and DMPL `model.npz`, as AMASS names and distributes them.

`smplh/{male,female,neutral}/model.npz`:

| array | shape | dtype | unit | content |
|---|---|---|---|---|
| `v_template` | (6890, 3) | f8 | m | T-pose, y up, facing +z |
| `f` | (13776, 3) | u4 | | triangles |
| `shapedirs` | (6890, 3, 16) | f8 | m | shape directions |
| `posedirs` | (6890, 3, 459) | f4 or f8 | m | pose correctives, 9 per joint but the root |
| `J_regressor` | (52, 6890) | f8 | 1 | joint centres from vertices |
| `weights` | (6890, 52) | f8 | 1 | skinning weights |
| `kintree_table` | (2, 52) | u4 or i8 | | row 0: parents, the root's 2^32 - 1 or -1 |

`dmpls/{male,female,neutral}/model.npz`: `eigvec` (6890, 3, 8 or more), of which AMASS uses the first 8.
Other arrays (`J`, `bs_type`, ...) are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import reading
from movi_prep.records.body_model import N_POSE_FEATURES, BodyModel
from movi_prep.records.checks import check_finite
from movi_prep.records.motion import N_BETAS, N_DMPLS, N_JOINTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex

N_VERTICES = 6890
"""Vertices of SMPL+H; marker sets count on this numbering."""

_EXPECTED = f"an extended SMPL+H model ({N_JOINTS} joints, {N_VERTICES} vertices, {N_BETAS} betas, .npz)"

_KNOWN_LAYOUTS = {24: "SMPL (24 joints)", 55: "SMPL-X (55 joints)", 16: "MANO (a hand, 16 joints)"}


def read_body_model(path: Path, *, sex: Sex, soft_tissue: Path | None = None) -> BodyModel:
    """Read an SMPL+H model, and DMPL directions where `soft_tissue` names their file.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is damaged or of another layout.
    """
    if path.suffix.lower() == ".pkl":
        _refuse(path, "a pickled model (.pkl, perhaps with MANO merged in)")
    with NpzArchive(path) as archive, reading(path, expected=_EXPECTED):
        _check_layout(archive)
        parents = _integers(archive, "kintree_table")[0]
        parents[0] = -1  # stored as 2^32 - 1 in files of unsigned integers
        return BodyModel(
            sex=sex,
            template_m=_floats(archive, "v_template", (N_VERTICES, 3)),
            faces=_integers(archive, "f"),
            shape_directions_m=_floats(archive, "shapedirs", (N_VERTICES, 3, N_BETAS)),
            pose_directions_m=archive.numbers("posedirs", (N_VERTICES, 3, N_POSE_FEATURES)),
            joint_regressor=_floats(archive, "J_regressor", (N_JOINTS, N_VERTICES)),
            skinning_weights=_floats(archive, "weights", (N_VERTICES, N_JOINTS)),
            parents=parents,
            soft_tissue_directions_m=None if soft_tissue is None else read_soft_tissue_directions(soft_tissue),
            source=str(path),
        )


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
        directions = np.ascontiguousarray(_floats(archive, "eigvec", shape)[:, :, :N_DMPLS])
    check_finite(directions, what="eigvec", where=str(path))
    return directions


def _check_layout(archive: NpzArchive) -> None:
    """Tell which other body model a file holds before shapes are compared one by one."""
    if "hands_componentsl" in archive or "hands_meanl" in archive:
        _refuse(archive.path, "a model with MANO's hand components merged in")
    # Joints first: their number tells which model it is, and the rest follows from that.
    joints, regressor_vertices = (*archive.shape("J_regressor"), 0, 0)[:2]
    vertices, betas = archive.shape("v_template")[0], archive.shape("shapedirs")[-1]
    if joints != N_JOINTS:
        _refuse(archive.path, _KNOWN_LAYOUTS.get(joints, f"a model of {joints} joints"))
    if vertices != N_VERTICES or regressor_vertices != N_VERTICES:
        _refuse(archive.path, f"a mesh of {vertices} vertices")
    if betas != N_BETAS:
        _refuse(archive.path, f"a model of {betas} shape directions")
    kintree = archive.shape("kintree_table")
    if kintree != (2, N_JOINTS):
        _refuse(archive.path, f"a kintree_table of shape {kintree}")


def _refuse(path: Path, found: str) -> NoReturn:
    raise InputError(
        path,
        expected=_EXPECTED,
        got=found,
        remedy="fetch 'Extended SMPL+H' (for AMASS) from mano.is.tue.mpg.de, smplh/{male,female,neutral}/model.npz",
    )


def _floats(archive: NpzArchive, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(archive.numbers(name, shape), dtype=np.float64)


def _integers(archive: NpzArchive, name: str) -> NDArray[np.int64]:
    values = archive.numbers(name)
    # Compared as floats: what is cast without a look turns 2.7 into a vertex, and NaN into another.
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise InputError(
            f"{archive.path}: {name}", expected="whole numbers", got="others", remedy="fetch the model again"
        )
    return values.astype(np.int64)
