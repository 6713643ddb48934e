"""Scaled trees: what factors move, by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.kinematics.scale_groups import scale_groups
from movi_prep.kinematics.scaled_tree import scale_tree
from movi_prep.records.setups import Measurement, ScaleSetup
from tests.builders.known_person import KnownPerson, known_person

STEP = 1e-6


@pytest.fixture(scope="module")
def person() -> KnownPerson:
    return known_person(3)


def test_markers_move_with_unknowns_and_factors_as_differences_say(person: KnownPerson) -> None:
    markers, rng = person.markers, np.random.default_rng(0)
    unknowns = markers.folded.start + rng.normal(0.0, 0.1, (2, len(markers.folded.start)))
    arguments = (unknowns, person.log_factors)
    posed = markers.pose(*arguments, person.offsets_m)

    def moved(which: int, index: int) -> np.ndarray:
        ends = []
        for sign in (1.0, -1.0):
            changed = [value.copy() for value in arguments]
            changed[which][..., index] += sign * STEP
            ends.append(markers.pose(changed[0], changed[1], person.offsets_m, derivatives=False).positions_m)
        return np.asarray((ends[0] - ends[1]) / (2.0 * STEP))

    for unknown in range(0, unknowns.shape[1], 5):
        np.testing.assert_allclose(posed.by_unknown[..., unknown], moved(0, unknown), atol=1e-8)
    for group in range(0, markers.n_groups, 3):
        np.testing.assert_allclose(posed.by_group[..., group], moved(1, group), atol=1e-8)


def test_a_walk_and_the_scaled_tree_place_markers_alike(person: KnownPerson) -> None:
    markers, factors = person.markers, person.markers.groups.factors(person.log_factors)
    sites_m = factors[markers.tree.marker_body] * markers.tree.marker_position_m
    sites_m[markers.markers] += person.offsets_m
    unknowns = np.tile(markers.folded.start, (3, 1))
    shown = markers.pose(unknowns, person.log_factors, person.offsets_m, derivatives=False).positions_m
    scaled = scale_tree(markers.tree, factors, sites_m)
    np.testing.assert_allclose(
        shown, scaled.marker_positions(markers.coordinates(unknowns))[:, markers.markers], atol=1e-12
    )


def _setup(*measurements: Measurement, **more: object) -> ScaleSetup:
    return ScaleSetup(name="s", source="s.yaml", measurements=measurements, **more)  # type: ignore[arg-type]


ARM_R = Measurement("arm_r", (), (("humerus_r", "Y"),))
ARM_L = Measurement("arm_l", (), (("humerus_l", "Y"),))
BOTH = Measurement("arm", (), (("humerus_r", "Y"), ("humerus_l", "Y")))
BODIES = ("torso", "humerus_r", "humerus_l")


@pytest.mark.parametrize(
    ("setup", "sides", "names"),
    [
        (_setup(ARM_R, ARM_L), "as set up", ("arm_r", "arm_l")),
        (_setup(ARM_R, ARM_L), "shared", ("arm_r",)),
        (_setup(BOTH), "as set up", ("arm",)),
        (_setup(BOTH), "own", ("arm right", "arm left")),
    ],
)
def test_sides_share_their_factors_as_asked(setup: ScaleSetup, sides: str, names: tuple[str, ...]) -> None:
    groups, axes = scale_groups(BODIES, setup, sides)  # type: ignore[arg-type]
    assert groups.names == names
    assert axes == ["Y"] * len(names)


def test_a_manual_factor_is_no_unknown() -> None:
    setup = _setup(BOTH, manual_factors={"torso": (1.1, 1.2, 1.3)}, order=("measurements", "manualScale"))
    groups, _ = scale_groups(BODIES, setup, "as set up")
    np.testing.assert_allclose(groups.factors(np.log([2.0])), [[1.1, 1.2, 1.3], [1.0, 2.0, 1.0], [1.0, 2.0, 1.0]])
