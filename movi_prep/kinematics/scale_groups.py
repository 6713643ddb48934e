"""Which bodies share a factor: the measurements of a set-up, with left and right together or apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.kinematics.scaled_tree import ScaleGroups
from movi_prep.records.scale_result import right_of
from movi_prep.records.setups import MANUAL, MEASUREMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.records.setups import Measurement, ScaleSetup

Sides = Literal["as set up", "shared", "own"]


def scale_groups(body_names: Sequence[str], setup: ScaleSetup, sides: Sides) -> tuple[ScaleGroups, list[str]]:
    """Return the groups of a set-up, and along which axes each scales ("XYZ" or a part of it).

    Steps apply in the order of the set-up: on a body, a later one wins. A group that keeps no body is dropped.

    Args:
        body_names: (b,) bodies of the model.
        setup: the measurements; which markers they have does not matter here.
        sides: whether left and right bodies share their factors.
    """
    place = {name: index for index, name in enumerate(body_names)}
    owners, fixed = np.full((len(place), 3), -1), np.ones((len(place), 3))
    names: list[str] = []
    for step in setup.order if setup.scale_bodies else ():
        if step == MEASUREMENTS:
            for measurement in setup.measurements:
                for body, axes in measurement.body_axes:
                    if body in place:
                        name = _group_name(measurement, body, setup, body_names, sides)
                        names += [] if name in names else [name]
                        owners[place[body], ["XYZ".index(axis) for axis in axes]] = names.index(name)
        elif step == MANUAL:
            for body, values in setup.manual_factors.items():
                if body in place:
                    owners[place[body]], fixed[place[body]] = -1, values
    kept = [index for index in range(len(names)) if (owners == index).any()]
    of_body = np.full_like(owners, -1)
    for new, old in enumerate(kept):
        of_body[owners == old] = new
    axes_of = ["".join(np.array(list("XYZ"))[(owners == index).any(axis=0)]) for index in kept]
    return ScaleGroups(tuple(names[index] for index in kept), of_body, fixed), axes_of


def _group_name(measurement: Measurement, body: str, setup: ScaleSetup, body_names: Sequence[str], sides: Sides) -> str:
    """Return the group that scales a body by a measurement."""
    right = right_of(body, body_names)
    if sides == "own":
        is_left, is_right = right is not None, any(right_of(other, body_names) == body for other in body_names)
        return f"{measurement.name} left" if is_left else f"{measurement.name} right" if is_right else measurement.name
    if sides == "shared" and right is not None:
        # The measurement that scales the twin along the same axes stands for both.
        axes = next(axes for name, axes in measurement.body_axes if name == body)
        twins = [other.name for other in setup.measurements if (right, axes) in other.body_axes]
        return twins[-1] if twins else measurement.name
    return measurement.name
