"""Chooses the expected angles among the many coordinate values that give the same pose.

Three rotations about orthogonal axes reach every orientation twice: (a, b, c) and (a + pi, pi - b, c + pi); and each
angle repeats every 2 pi. The root's angles start with |b| <= 90 degrees and a, c in (-180, 180], and then stay next to
the frame before, so that no angle jumps; other unbounded angles are moved by whole turns next to their default, where
that changes no pose.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.medians import median
from movi_prep.kinematics.folded_model import ALONG, slope_of_axis
from movi_prep.records.kinematic_tree import rotation_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel

_TURN = 2.0 * np.pi
# A joint does not turn by so much from one frame to the next (rad): outliers do, and angles next to gimbal lock.
_LEAP = 0.5 * np.pi
# Turns for each turn of an unknown that differ by less from a whole number are whole.
_WHOLE = 1e-9


def model_angles(folded: FoldedModel, unknowns: NDArray[np.float64], bases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, x) unknowns with the free root's angles counted as the model counts them.

    Args:
        folded: the folded model.
        unknowns: (n, x) float64, rad and m, as tracks leave them.
        bases: (n, 9) float64, from which the free root's angles count there.
    """
    motion = folded.arrays.motion
    if motion.free_node < 0:
        return unknowns
    first = motion.first_axis[motion.free_node]
    directions = motion.axis_direction[first : first + 3]
    rotation = bases.reshape(-1, 3, 3)
    for direction, slope, unknown in zip(directions, motion.free_slope, motion.free_unknown, strict=True):
        rotation = rotation @ rotation_about(direction, slope * unknowns[:, unknown])
    rotation = motion.rotation[motion.free_node].reshape(3, 3).T @ rotation
    converted = unknowns.copy()
    converted[:, motion.free_unknown] = angles_about(directions, rotation) * motion.free_slope
    return converted


def angles_about(directions: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) angles about three orthogonal unit vectors (rows), one after another, of (..., 3, 3) rotations.

    The middle angle is within 90 degrees. At gimbal lock, only the sum of first and last angle matters, so that the
    product is exact there too.
    """
    # Left-handed axes become right-handed by turning the last one round; its angle then changes sign.
    handed = float(np.linalg.det(directions))
    axes = directions * np.array([1.0, 1.0, handed])[:, None]
    inner = axes @ rotation @ axes.T  # now the turns are about x, y and z
    middle = np.arctan2(inner[..., 0, 2], np.hypot(inner[..., 0, 0], inner[..., 0, 1]))
    first = np.arctan2(-inner[..., 1, 2], inner[..., 2, 2])
    cosine, sine = np.cos(first), np.sin(first)
    last = np.arctan2(
        cosine * inner[..., 1, 0] + sine * inner[..., 2, 0], cosine * inner[..., 1, 1] + sine * inner[..., 2, 1]
    )
    return np.stack([first, middle, handed * last], axis=-1)


def choose_branches(
    folded: FoldedModel, unknowns: NDArray[np.float64], before: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the same poses with the expected angles.

    Args:
        folded: the folded model.
        unknowns: (n, x) float64, rad and m, angles as the model counts them, every frame solved, in order of time.
        before: (x,) float64, the frame before the first, whose branches are kept; None at the beginning of a clip.
    """
    motion = folded.arrays.motion
    chosen = unknowns.copy()
    if motion.free_node >= 0:
        free = motion.free_unknown
        start = None if before is None else before[free] * motion.free_slope
        chosen[:, free] = continue_triple(unknowns[:, free] * motion.free_slope, start) * motion.free_slope
    for angle in _unbounded_angles(folded) if len(chosen) else []:
        last = None if before is None else float(before[angle])
        chosen[:, angle] = _near_default(chosen[:, angle], float(folded.start[angle]), last)
    return chosen


def continue_triple(angles_rad: NDArray[np.float64], before: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return (n, 3) angles about three orthogonal axes, continuous in time.

    They begin on the canonical branch, or on that of the (3,) angles before them.
    """
    if before is not None:
        return _continued(np.vstack([before, angles_rad]))[1:]
    start = angles_rad[:1]
    wrapped_middle = _wrap(start[:, 1])
    angles = alias(angles_rad) if abs(float(wrapped_middle[0])) > np.pi / 2 else angles_rad
    continued = _continued(angles)
    # The whole clip is moved by the same whole turns, so that it stays continuous.
    return np.asarray(continued + (_wrap(continued[:1]) - continued[:1]))


def _continued(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) the branch of the first row, followed through time."""
    other = alias(angles)
    stay = np.abs(_wrap(np.diff(angles, axis=0))).sum(axis=1)
    change = np.abs(_wrap(other[1:] - angles[:-1])).sum(axis=1)
    # Taking the alias on both sides of a step changes nothing, so the decisions add up.
    aliased = np.concatenate([[False], np.cumsum(change < stay) % 2 == 1])
    return np.asarray(np.unwrap(np.where(aliased[:, None], other, angles), axis=0))


def alias(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the other (..., 3) angles that give the same rotation."""
    return np.asarray(angles_rad * np.array([1.0, -1.0, 1.0]) + np.pi)


def _wrap(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Into (-pi, pi]."""
    return np.asarray(np.pi - np.mod(np.pi - angles_rad, _TURN))


def _near_default(angles_rad: NDArray[np.float64], default_rad: float, before: float | None) -> NDArray[np.float64]:
    """(n,) an angle without whole turns, each frame next to the one before, the middle one next to the default.

    Where it leaps, nobody knows which way round it went: what follows is put next to the default by itself, so that an
    outlier leaves no turns behind. What goes on from the frame before the first stays with it.
    """
    # A step of the solver may end whole turns away in one frame: the same pose, and a jump to whoever reads it.
    unwrapped = np.unwrap(angles_rad if before is None else np.append(before, angles_rad))
    leaps = np.flatnonzero(np.abs(np.diff(unwrapped)) > _LEAP) + 1
    for stretch in np.split(np.arange(len(unwrapped)), leaps):
        if before is None or stretch[0] > 0:
            unwrapped[stretch] -= _TURN * np.round((median(unwrapped[stretch]) - default_rad) / _TURN)
    return np.asarray(unwrapped[len(unwrapped) - len(angles_rad) :])


@lru_cache(maxsize=8)
def _unbounded_angles(folded: FoldedModel) -> list[int]:
    """Unknowns without bounds whose whole turns change no pose; those of a free root are seen to already.

    That is where all that an unknown moves, by couplers too, makes whole turns with it: so does the plane of a
    shoulder's elevation, which a coupler turns back behind it.
    """
    arrays, motion = folded.arrays, folded.arrays.motion
    turns = np.isinf(arrays.lower) & np.isinf(arrays.upper)
    if motion.free_node >= 0:
        turns[motion.free_unknown] = False
    for axis, unknown in enumerate(arrays.pattern.q_unknown[motion.axis_q].tolist()):
        slope = slope_of_axis(folded, axis)
        turns[unknown] &= motion.axis_kind[axis] != ALONG and slope != 0.0 and abs(slope - round(slope)) < _WHOLE
    return np.flatnonzero(turns).tolist()
