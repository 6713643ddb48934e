"""Geometric augmentation: where the virtual camera aims, how it rolls and zooms, and whether the picture is flipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from movi_prep.errors import UsageError


@dataclass(frozen=True)
class Augmentation:
    """Ranges that each sample's view is drawn from. The defaults do nothing.

    Attributes:
        shift: largest shift of the aim, in sides of the box; drawn from a disc.
        zoom: smallest and largest magnification.
        roll_rad: largest roll to either side, radians.
        flip_probability: how often the picture is flipped. Angles and scales of a flipped sample give its joint centres
            on a model whose left and right are mirror images, as ours; D3KE's is none.
        seed: seed of the draws.
    """

    shift: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    roll_rad: float = 0.0
    flip_probability: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be."""
        if not 0.0 < self.zoom[0] <= self.zoom[1]:
            raise UsageError(f"zoom: expected two positive numbers that grow, but got {self.zoom}")
        if not 0.0 <= self.flip_probability <= 1.0:
            raise UsageError(f"flip_probability: expected a number from 0 to 1, but got {self.flip_probability}")
        if self.shift < 0.0 or self.roll_rad < 0.0:
            raise UsageError(f"shift and roll_rad: expected 0 or more, but got {self.shift} and {self.roll_rad}")


@dataclass(frozen=True)
class View:
    """One draw: shift in sides of the box, magnification, roll in radians, and whether the picture is flipped."""

    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    roll_rad: float = 0.0
    flip: bool = False


def draw_view(augmentation: Augmentation, rng: np.random.Generator) -> View:
    """Return one view drawn from the ranges."""
    angle = rng.uniform(-np.pi, np.pi)
    # the root makes the shifts uniform over the disc
    radius = augmentation.shift * np.sqrt(rng.uniform())
    return View(
        shift=(float(radius * np.cos(angle)), float(radius * np.sin(angle))),
        zoom=float(rng.uniform(*augmentation.zoom)),
        roll_rad=float(rng.uniform(-augmentation.roll_rad, augmentation.roll_rad)),
        flip=bool(rng.uniform() < augmentation.flip_probability),
    )
