"""A skinned body model: SMPL, SMPL+H or SMPL-X."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.body_layout import LAYOUT_OF_JOINTS, BodyLayout, layout_of, pose_features
from movi_prep.records.checks import check_finite, check_shape
from movi_prep.records.motion import N_DMPLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex


@dataclass(frozen=True)
class BodyModel:
    """A skinned body: T-pose, y up, facing +z, metres. v vertices, f faces, j joints (24, 52 or 55), b betas.

    Attributes:
        sex: which of the three models it is.
        template_m: (v, 3) float64, metres, mean shape.
        faces: (f, 3) int64, vertices of each triangle, counter-clockwise from outside.
        shape_directions_m: (v, 3, b) float64, metres per unit of beta; without expression.
        pose_directions_m: (v, 3, 9 (j - 1)) float32 or float64, metres per unit of pose feature.
        joint_regressor: (j, v) float64, weights of vertices in each joint centre.
        skinning_weights: (v, j) float64, rows sum to 1.
        parents: (j,) int64, parent of each joint, -1 for the root, parents before children.
        soft_tissue_directions_m: (v, 3, 8) float64, metres per unit of DMPL coefficient; None without DMPL.
        source: file it was read from, for messages.
    """

    sex: Sex
    template_m: NDArray[np.float64]
    faces: NDArray[np.int64]
    shape_directions_m: NDArray[np.float64]
    pose_directions_m: NDArray[np.floating]
    joint_regressor: NDArray[np.float64]
    skinning_weights: NDArray[np.float64]
    parents: NDArray[np.int64]
    soft_tissue_directions_m: NDArray[np.float64] | None
    source: str

    def __post_init__(self) -> None:
        """Check shapes, finite values, faces and the order of joints; the one funnel for every reader."""
        v, j = self.n_vertices, len(self.joint_regressor)
        # First: with another number of joints every shape below would be called wrong.
        layout_of(j, where=self.source)
        arrays: dict[str, tuple[NDArray[np.floating], tuple[int, ...]]] = {
            "v_template": (self.template_m, (v, 3)),
            "shapedirs": (self.shape_directions_m, (v, 3, self.shape_directions_m.shape[-1])),
            "posedirs": (self.pose_directions_m, (v, 3, pose_features(j))),
            "J_regressor": (self.joint_regressor, (j, v)),
            "weights": (self.skinning_weights, (v, j)),
        }
        if self.soft_tissue_directions_m is not None:
            arrays["eigvec"] = (self.soft_tissue_directions_m, (v, 3, N_DMPLS))
        for name, (values, shape) in arrays.items():
            check_shape(values, shape, what=name, where=self.source)
            check_finite(values, what=name, where=self.source)
        check_shape(self.faces, (None, 3), what="f", where=self.source)
        check_shape(self.parents, (j,), what="kintree_table", where=self.source)
        self._check_indices()

    def _check_indices(self) -> None:
        wrong_faces = int(np.count_nonzero((self.faces < 0) | (self.faces >= self.n_vertices)))
        if wrong_faces:
            raise InputError(
                self.source,
                expected=f"faces of vertices 0 to {self.n_vertices - 1}",
                got=f"{wrong_faces} indices outside",
                remedy="fetch the body model again",
            )
        # Skinning walks the joints once, in this order, and takes the parent's pose as known.
        ordered = self.parents[0] == -1 and np.all(
            (self.parents[1:] >= 0) & (self.parents[1:] < np.arange(1, len(self.parents)))
        )
        if not ordered:
            raise InputError(
                self.source,
                expected="one root, and every other joint after its parent",
                got=f"parents {self.parents.tolist()}",
                remedy="use the model's own kintree_table",
            )

    @property
    def layout(self) -> BodyLayout:
        """The body; its mesh may have another number of vertices."""
        return LAYOUT_OF_JOINTS[len(self.parents)]

    @property
    def n_vertices(self) -> int:
        """Number of vertices of the mesh."""
        return int(self.template_m.shape[0])
