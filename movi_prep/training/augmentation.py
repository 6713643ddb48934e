"""Augmentation: aim, roll and zoom of the virtual camera, flips, colours and occluders.

Occluders are pasted as Sárándi, Linder, Arras and Leibe 2018 do ("How Robust is 3D Human Pose Estimation to
Occlusion?", arXiv:1808.09316) and D3KE after them: 1 to 7 cut-out objects, 0.16 to 0.8 times their size, their centres
anywhere in the picture. A rectangle is erased as Zhong, Zheng, Kang, Li and Yang 2020 do ("Random Erasing Data
Augmentation", arXiv:1708.04896): noise on up to 27 % of the picture. D3KE does either with a probability of 0.35.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import UsageError


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each sample's view is drawn. The defaults change nothing.

    Attributes:
        shift: largest shift of the aim, in sides of the box; drawn from a disc.
        zoom: smallest and largest magnification.
        roll_rad: largest roll to either side, radians.
        flip_probability: probability of a flipped picture. Angles and scales of a flipped sample give its joint centres
            on a model whose left and right are mirror images, like the packaged one; D3KE's is not.
        brightness: largest change of all values, 0 to 1.
        contrast: smallest and largest factor on the distance from the picture's mean.
        saturation: smallest and largest factor on the distance from grey.
        hue_rad: largest turn of the colours, radians.
        occlusion_probability: probability of occluders.
        occluders: file of occluders (`formats.occluders`), needed where the probability is above 0.
        erasing_probability: probability of a rectangle of noise.
        seed: seed of the draws.
    """

    shift: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    roll_rad: float = 0.0
    flip_probability: float = 0.0
    brightness: float = 0.0
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)
    hue_rad: float = 0.0
    occlusion_probability: float = 0.0
    occluders: Path | str | None = None
    erasing_probability: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible ranges."""
        for name in ("zoom", "contrast", "saturation"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high:
                raise UsageError(f"{name}: expected two positive numbers that grow, but got {(low, high)}")
        for name in ("flip_probability", "occlusion_probability", "erasing_probability", "brightness"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name}: expected a number from 0 to 1, but got {getattr(self, name)}")
        for name in ("shift", "roll_rad", "hue_rad"):
            if getattr(self, name) < 0.0:
                raise UsageError(f"{name}: expected 0 or more, but got {getattr(self, name)}")
        if self.occlusion_probability > 0.0 and self.occluders is None:
            raise UsageError(
                "occlusion_probability: expected a file in 'occluders', but got none; make one with "
                "'movi-prep shard --layout d3ke --pascal VOC2012'"
            )


@dataclass(frozen=True)
class Colours:
    """One draw: change of brightness, factors of contrast and saturation, turn of the hue in radians."""

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue_rad: float = 0.0


PLAIN_COLOURS = Colours()


@dataclass(frozen=True)
class View:
    """One draw: shift in sides of the box, magnification, roll in radians, flip, colours, seeds of what covers it."""

    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    roll_rad: float = 0.0
    flip: bool = False
    colours: Colours = PLAIN_COLOURS
    occlusion_seed: int | None = None
    erasing_seed: int | None = None


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
        # Behind all others, so that the draws of views are the same with and without.
        colours=Colours(
            brightness=float(rng.uniform(-augmentation.brightness, augmentation.brightness)),
            contrast=float(rng.uniform(*augmentation.contrast)),
            saturation=float(rng.uniform(*augmentation.saturation)),
            hue_rad=float(rng.uniform(-augmentation.hue_rad, augmentation.hue_rad)),
        ),
        occlusion_seed=_draw_seed(rng, augmentation.occlusion_probability),
        erasing_seed=_draw_seed(rng, augmentation.erasing_probability),
    )


def _draw_seed(rng: np.random.Generator, probability: float) -> int | None:
    return int(rng.integers(2**32)) if rng.uniform() < probability else None


_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Luma of red, green and blue (ITU-R BT.601)."""


def recolour(image: NDArray[np.float32], colours: Colours) -> NDArray[np.float32]:
    """Return a picture (3, h, w) float32 RGB, 0 to 1, in other colours, clipped to 0 and 1."""
    # The common case of validation: the picture itself, without a copy.
    if colours == PLAIN_COLOURS:
        return image
    # Saturation and hue are one linear map around the grey axis; a picture has few channels and many pixels.
    changed = np.tensordot(_colour_map(colours), image, axes=1)
    # The mean of the grey picture: contrast must not shift colours.
    mean = np.float32((_GREY[:, None, None] * changed).sum(axis=0).mean())
    changed = (changed - mean) * np.float32(colours.contrast) + mean + np.float32(colours.brightness)
    return np.asarray(np.clip(changed, 0.0, 1.0), dtype=np.float32)


def _colour_map(colours: Colours) -> NDArray[np.float32]:
    """Return (3, 3): grey is kept; the difference from grey is turned about the grey axis and stretched."""
    cosine, sine = np.cos(colours.hue_rad), np.sin(colours.hue_rad)
    third, root = 1.0 / 3.0, 1.0 / np.sqrt(3.0)
    axis = np.full((3, 3), third)
    cross = root * np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    turn = cosine * np.eye(3) + (1.0 - cosine) * axis + sine * cross
    grey = np.tile(_GREY.astype(np.float64), (3, 1))
    return np.asarray(grey + colours.saturation * (turn @ (np.eye(3) - grey)), dtype=np.float32)
