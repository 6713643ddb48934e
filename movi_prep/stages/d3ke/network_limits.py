"""What D3KE's network can learn: body scales within its output range, joint centres that its layer reproduces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import ModelError, list_names
from movi_prep.records.base_model import BaseModel, Triple
from movi_prep.records.label_tables import LabelTables
from movi_prep.stages.d3ke.network_layer import layer_joint_centres

if TYPE_CHECKING:
    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.stages.shards.subject_clips import ShardSubject

LAYER_TOLERANCE_M = 1e-4
"""Largest difference of joint centres, metres; above it, a finding says that the layer cannot express the labels."""


def with_body_scales(base: BaseModel, means: Mapping[str, Triple]) -> BaseModel:
    """Return the model with a mesh scale for every label body that has no mesh.

    D3KE's network predicts each body scale within fixed bounds around its mean over D3KE's subjects, and that mean
    includes the mesh scales of D3KE's model. With a scale of 1 for bodies without a mesh, a third of the labels would
    be outside the network's range.

    Args:
        base: the unscaled model.
        means: body -> scale along x, y, z.
    """
    return replace(
        base,
        bodies=tuple(
            body if body.meshes or body.name not in means else replace(body, mesh_scale=means[body.name])
            for body in base.bodies
        ),
    )


def unscaled_sites(tree: KinematicTree, scale: ScaleResult) -> dict[str, NDArray[np.float64]]:
    """Return marker -> (3,) place in its body, metres, as it would be on the unscaled model.

    Scaling moves each marker to where it was measured on the subject; the network's layer has one place for all, times
    the body's scale.
    """
    factors = dict(zip(scale.body_names, scale.body_factors, strict=True))
    bodies = [tree.body_names[body] if body >= 0 else "ground" for body in tree.marker_body]
    return {
        # OpenSim scales a marker with its body: dividing by the factor takes it back to the unscaled model.
        name: place / factors.get(body, np.ones(3))
        for name, body, place in zip(tree.marker_names, bodies, tree.marker_position_m, strict=True)
    }


def with_marker_sites(base: BaseModel, sites: Sequence[Mapping[str, NDArray[np.float64]]]) -> BaseModel:
    """Return the model with each marker at the mean of where it was placed on the subjects, those that have it."""
    placed: dict[str, Triple] = {}
    for marker in base.markers:
        found = [site[marker.name] for site in sites if marker.name in site]
        if found:
            x, y, z = np.mean(found, axis=0).tolist()
            placed[marker.name] = (x, y, z)
    return replace(
        base,
        markers=tuple(replace(each, location_m=placed.get(each.name, each.location_m)) for each in base.markers),
    )


def body_scales(base: BaseModel, scale: ScaleResult, bodies: Sequence[str]) -> NDArray[np.float64]:
    """Return (b, 3): scale factor times the mesh scale in the unscaled model, as D3KE stores it."""
    meshes = {body.name: np.array(body.mesh_scale) for body in base.bodies}
    factors = dict(zip(scale.body_names, scale.body_factors, strict=True))
    lacking = sorted(set(bodies) - set(meshes))
    if lacking:
        raise ModelError(
            f"expected every label body in the model, but it lacks {', '.join(lacking)}; "
            "D3KE's layout needs a model with D3KE's bodies; write native shards instead"
        )
    return np.stack([meshes[name] * factors[name] for name in bodies])


def scales_beyond_reach(
    scales: NDArray[np.float64], bodies: Sequence[str], means: Mapping[str, Triple], reach: Mapping[str, Triple]
) -> tuple[str, ...]:
    """Return the body scales (`skull_z`) that D3KE's network, as configured, cannot predict.

    Args:
        scales: (b, 3) as `body_scales` returns them.
        bodies: (b,) names of their bodies.
        means: body -> middle of the network's range.
        reach: body -> half width of the range.
    """
    # The network's output is bounded: it cannot leave this half width around the mean, however long it trains.
    beyond = np.abs(scales - [means[name] for name in bodies]) > [reach[name] for name in bodies]
    return tuple(f"{bodies[body]}_{'xyz'[axis]}" for body, axis in np.argwhere(beyond).tolist())


def layer_error_m(
    base: BaseModel, tables: LabelTables, rows: dict[str, NDArray[Any]], scales: NDArray[np.float64]
) -> float:
    """Return the largest distance between written joint centres and those of the network's layer, metres.

    Args:
        base: the unscaled model.
        tables: names of the labels; the last two OpenSim joints are leaves.
        rows: the written datasets.
        scales: (b, 3) as `body_scales` returns them.
    """
    meshes = {body.name: np.array(body.mesh_scale) for body in base.bodies}
    centres = layer_joint_centres(
        base,
        coordinate_names=tables.coordinates,
        angles_rad=rows["coordinateAngle"],
        root_poses=rows["rootRot"],
        scale_ratios={name: scales[index] / meshes[name] for index, name in enumerate(tables.bodies)},
        leaf_joints=tables.opensim_joints[-2:],
    )
    computed = np.stack([centres[name] for name in tables.opensim_joints], axis=1)
    misses = np.linalg.norm(computed - rows["openSimJointPos"], axis=-1)
    # Rows without a pose are zeros in this layout; the layer would miss them by the height of a person.
    solved = np.any(rows["openSimJointPos"] != 0.0, axis=(1, 2))
    return float(misses[solved].max(initial=0.0))


def held_off_zero(subject: ShardSubject) -> tuple[str, ...]:
    """Return the coordinates that the scaled model locks at a value other than zero and that are not labels.

    The network's layer takes them as zero. D3KE's own model without hands has two, `elbow_y` on both sides.
    """
    tree = subject.model.tree
    if tree is None:
        return ()
    held = tree.coordinate_locked & (np.abs(tree.coordinate_default) > 1e-6)
    return tuple(
        name
        for name, is_held in zip(tree.coordinate_names, held, strict=True)
        if is_held and name not in subject.tables.coordinates
    )


def network_findings(error_m: float, beyond: Sequence[str], held: Sequence[str], *, n_scales: int) -> list[str]:
    """Return findings on labels that D3KE's network cannot learn."""
    findings = []
    if beyond:
        findings.append(
            f"{len(beyond)} of {n_scales} body scales are outside the range that D3KE's network can output: "
            f"{list_names(beyond)}; widen its BODY_AMPITUDE_VALUE to train on them"
        )
    if error_m > LAYER_TOLERANCE_M:
        reason = (
            f"it takes {list_names(held)} as zero, which the scaled model locks at another value"
            if held
            else "a coordinate that is not a label is not zero, or the model has parts that the layer lacks"
        )
        findings.append(
            f"D3KE's layer gives joint centres up to {error_m * 1e3:.2f} mm from the written ones: {reason}"
        )
    return findings
