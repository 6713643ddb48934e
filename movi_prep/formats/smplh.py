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
from movi_prep.records.body_model import BodyModel
from movi_prep.records.checks import check_finite
from movi_prep.records.motion import N_BETAS, N_DMPLS, N_JOINTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex

N_VERTICES = 6890
"""Vertices of SMPL+H; marker sets count on this numbering."""

_KNOWN_LAYOUTS = {24: "SMPL (24 joints)", 55: "SMPL-X (55 joints)", 16: "MANO (a hand, 16 joints)"}


def read_body_model(path: Path, *, sex: Sex, soft_tissue: Path | None = None) -> BodyModel:
    """Read an SMPL+H model, and DMPL directions where `soft_tissue` names their file.

    Raises:
        MissingError: there is no such file.
        InputError: it is damaged or of another layout.
    """
    if path.suffix.lower() == ".pkl":
        _refuse(path, "a pickled model (.pkl, perhaps with MANO merged in)")
    with NpzArchive(path) as archive:
        _check_layout(archive)
        parents = archive.read("kintree_table")[0].astype(np.int64)
        parents[0] = -1  # stored as 2^32 - 1 in files of unsigned integers
        return BodyModel(
            sex=sex,
            template_m=_floats(archive, "v_template"),
            faces=archive.read("f").astype(np.int64),
            shape_directions_m=_floats(archive, "shapedirs"),
            pose_directions_m=archive.read("posedirs"),
            joint_regressor=_floats(archive, "J_regressor"),
            skinning_weights=_floats(archive, "weights"),
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
        directions = np.ascontiguousarray(_floats(archive, "eigvec")[:, :, :N_DMPLS])
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
        expected=f"an extended SMPL+H model ({N_JOINTS} joints, {N_VERTICES} vertices, {N_BETAS} betas, .npz)",
        got=found,
        remedy="fetch 'Extended SMPL+H' (for AMASS) from mano.is.tue.mpg.de, smplh/{male,female,neutral}/model.npz",
    )


def _floats(archive: NpzArchive, name: str) -> NDArray[np.float64]:
    values = archive.read(name)
    if not np.issubdtype(values.dtype, np.number):
        raise InputError(
            f"{archive.path}: {name}", expected="numbers", got=f"dtype {values.dtype}", remedy="fetch the model again"
        )
    return np.asarray(values, dtype=np.float64)
