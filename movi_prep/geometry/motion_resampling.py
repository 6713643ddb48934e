"""A motion at another rate: rotations interpolated on the sphere, places along straight lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from movi_prep.records.motion import Motion

_WHOLE = 1e-9
"""Tolerance of a time in samples: a row that falls on the last sample counts despite rounding."""


def n_resampled(n_samples: int, rate_hz: float, new_rate_hz: float) -> int:
    """Return how many rows of a new rate lie within a motion, the first at its first sample."""
    return int(np.floor((n_samples - 1) * new_rate_hz / rate_hz + _WHOLE)) + 1


def resampled(blocks: Iterable[Motion], new_rate_hz: float) -> Iterator[Motion]:
    """Yield a motion that comes in blocks at another rate, row k at `k / new_rate_hz` seconds.

    Rows between the last sample of a block and the first of the next follow once the next is known. The values of a row
    do not depend on how the motion is cut into blocks.
    """
    held: Motion | None = None
    first, n_done = 0, 0
    for block in blocks:
        known = block if held is None else _joined(held, block)
        last = first + known.n_samples - 1
        rows = np.arange(n_done, n_resampled(last + 1, block.rate_hz, new_rate_hz))
        if len(rows):
            places = np.asarray(rows * (block.rate_hz / new_rate_hz) - first, dtype=np.float64)
            yield _between(known, places, new_rate_hz)
        n_done += len(rows)
        # The last sample stays: rows up to the next block lie between the two.
        held, first = known.rows(slice(-1, None)), last


def turn_between(
    first_rad: NDArray[np.float64], second_rad: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (..., 3) axis-angle vectors at (...) shares of the way from one rotation to another (Shoemake 1985)."""
    one, other = _quaternions(first_rad), _quaternions(second_rad)
    cosine = np.sum(one * other, axis=-1, keepdims=True)
    # A rotation is two quaternions: the shorter way leads to the nearer one.
    other = np.where(cosine < 0, -other, other)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    # sin(angle) would divide 0 by 0; the straight line differs from the arc by less than rounding.
    near = angle < 1e-6
    sine = np.where(near, 1.0, np.sin(angle))
    share = share[..., None]
    weights = (
        np.where(near, 1.0 - share, np.sin((1.0 - share) * angle) / sine),
        np.where(near, share, np.sin(share * angle) / sine),
    )
    turned = weights[0] * one + weights[1] * other
    # The real part not negative: angles up to pi, as axis-angle vectors of SMPL have them.
    turned = np.where(turned[..., :1] < 0, -turned, turned)
    length = np.linalg.norm(turned[..., 1:], axis=-1, keepdims=True)
    half = np.arctan2(length, turned[..., :1])
    # For tiny angles the axis is noise, but angle/sine tends to 2.
    tiny = length < 1e-12
    return np.asarray(turned[..., 1:] * np.where(tiny, 2.0, 2.0 * half / np.where(tiny, 1.0, length)))


def _quaternions(axis_angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 4) unit quaternions (w, x, y, z) of (..., 3) axis-angle vectors."""
    angle = np.linalg.norm(axis_angles_rad, axis=-1, keepdims=True)
    # numpy's sinc is sin(pi x) / (pi x).
    return np.concatenate([np.cos(0.5 * angle), 0.5 * axis_angles_rad * np.sinc(angle / (2 * np.pi))], axis=-1)


def _between(motion: Motion, places: NDArray[np.float64], new_rate_hz: float) -> Motion:
    """Return the rows of a motion at (k,) places, counted in its samples."""
    lower = np.clip(np.floor(places + _WHOLE).astype(np.int64), 0, motion.n_samples - 1)
    upper = np.minimum(lower + 1, motion.n_samples - 1)
    share = np.clip(places - lower, 0.0, 1.0)

    def straight(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(values[lower] + share[:, None] * (values[upper] - values[lower]))

    poses = motion.poses_rad
    return replace(
        motion,
        poses_rad=turn_between(poses[lower], poses[upper], np.broadcast_to(share[:, None], poses[lower].shape[:2])),
        translation_m=straight(motion.translation_m),
        dmpls=None if motion.dmpls is None else straight(motion.dmpls),
        rate_hz=new_rate_hz,
    )


def _joined(first: Motion, second: Motion) -> Motion:
    dmpls = None if first.dmpls is None or second.dmpls is None else np.concatenate([first.dmpls, second.dmpls])
    return replace(
        second,
        poses_rad=np.concatenate([first.poses_rad, second.poses_rad]),
        translation_m=np.concatenate([first.translation_m, second.translation_m]),
        dmpls=dmpls,
    )
