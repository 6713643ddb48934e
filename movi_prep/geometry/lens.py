"""The picture of points through a lens and back, on the plane z = 1 of the camera; batch axes first.

OpenCV's model (`calib3d`, "Camera Calibration and 3D Reconstruction"), with s = x^2 + y^2:

    g  = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3)
    x' = x g + 2 p1 x y + p2 (s + 2 x^2) + s1 s + s2 s^2
    y' = y g + p1 (s + 2 y^2) + 2 p2 x y + s3 s + s4 s^2         then the tilt of the sensor by tx and ty

Its fisheye model, with theta = atan(r):  x' = x (theta + k1 theta^3 + k2 theta^5 + k3 theta^7 + k4 theta^9) / r.

A fitted polynomial turns back on itself somewhere outside the pictures that it was fitted on. Points beyond that
radius would be shown inside the picture; here they have no picture (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Polynomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.lens import Lens, LensModel

# Newton doubles its digits with each step; the limit is for points that no step solves.
_NEWTON_STEPS = 30
_NEWTON_TOLERANCE = 1e-14
_SOLVED = 1e-9
"""Largest remainder of the equation, on the plane z = 1: a millionth of a pixel."""


def distort(plane: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Return where the lens shows (..., 2) points of the plane z = 1; NaN beyond the model's last radius."""
    square = np.sum(plane * plane, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        inside = square <= last_radius(lens) ** 2
    if lens.is_plain_radial:
        # Most lenses; a third of the products.
        k1, k2 = lens.coefficients[:2]
        return np.where(inside, plane * (1.0 + k1 * square + k2 * square * square), np.nan)
    seen = _fisheye(plane, lens.coefficients) if lens.model == "fisheye" else _opencv(plane, lens.coefficients)
    return np.where(inside, seen, np.nan)


def undistort(seen: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Return the (..., 2) points of the plane z = 1 that the lens shows at `seen`; NaN where there are none."""
    target = seen if lens.model == "fisheye" else _untilt(seen, lens.coefficients[12:])
    plane = _along_radius(target, lens)
    if not lens.is_radial:
        plane = _in_the_plane(plane, target, lens)
    with np.errstate(invalid="ignore"):
        # Checked, not assumed: Newton may end beside the answer, or where the model has none.
        solved = np.linalg.norm(distort(plane, lens) - seen, axis=-1) <= _SOLVED * (1.0 + np.linalg.norm(seen, axis=-1))
    return np.where(solved[..., None], plane, np.nan)


def last_radius(lens: Lens) -> float:
    """Return the radius on the plane z = 1 up to which the lens' radial part grows; infinity where it always does."""
    top = _radial_part(lens).top
    if lens.model == "fisheye":
        return float(np.tan(top)) if top < np.pi / 2 else float("inf")
    return top


@dataclass(frozen=True)
class _RadialPart:
    """The radial part v N(v^2) / D(v^2) of a lens, v the radius or, of a fisheye, the angle; ascending coefficients.

    Attributes:
        over: N.
        under: D.
        slope: N D + 2 s (N' D - N D'), which is the derivative by v, times D^2.
        top: v up to which it grows: the first root of the derivative or of D; infinity where there is none.
    """

    over: tuple[float, ...]
    under: tuple[float, ...]
    slope: tuple[float, ...]
    top: float


def _radial_part(lens: Lens) -> _RadialPart:
    # Bytes can be the key of a cache; an array cannot.
    return _cached_radial_part(lens.model, lens.coefficients.tobytes())


@lru_cache(maxsize=64)
def _cached_radial_part(model: LensModel, coefficients: bytes) -> _RadialPart:
    c = np.frombuffer(coefficients)
    fisheye = model == "fisheye"
    over = Polynomial([1.0, *c] if fisheye else [1.0, c[0], c[1], c[4]]).trim()
    under = Polynomial([1.0] if fisheye else [1.0, c[5], c[6], c[7]]).trim()
    s = Polynomial([0.0, 1.0])
    slope = (over * under + 2.0 * s * (over.deriv() * under - over * under.deriv())).trim()
    ends = np.concatenate([_positive_roots(slope), _positive_roots(under)])
    # The polynomials are in the square of the radius.
    top = float(np.sqrt(ends.min())) if ends.size else float("inf")
    # A ray at a right angle never meets the plane z = 1.
    top = min(top, np.pi / 2) if fisheye else top
    return _RadialPart(tuple(over.coef.tolist()), tuple(under.coef.tolist()), tuple(slope.coef.tolist()), top)


def _positive_roots(polynomial: Polynomial) -> NDArray[np.float64]:
    roots = polynomial.trim().roots()
    # Rounding gives double real roots a small imaginary part.
    real = roots.real[np.abs(roots.imag) <= 1e-9 * np.maximum(1.0, np.abs(roots.real))]
    return np.asarray(real[real > 0])


def _opencv(plane: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = plane[..., 0], plane[..., 1]
    s = x * x + y * y
    with np.errstate(divide="ignore", invalid="ignore"):
        g = (1.0 + s * (c[0] + s * (c[1] + s * c[4]))) / (1.0 + s * (c[5] + s * (c[6] + s * c[7])))
    bent_x = x * g + 2.0 * c[2] * x * y + c[3] * (s + 2.0 * x * x) + s * (c[8] + s * c[9])
    bent_y = y * g + c[2] * (s + 2.0 * y * y) + 2.0 * c[3] * x * y + s * (c[10] + s * c[11])
    bent = np.stack([bent_x, bent_y], axis=-1)
    return _through(_tilt(c[12:]), bent) if c[12:].any() else bent


def _fisheye(plane: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    r = np.linalg.norm(plane, axis=-1, keepdims=True)
    theta = np.arctan(r)
    s = theta * theta
    seen_r = theta * (1.0 + s * (c[0] + s * (c[1] + s * (c[2] + s * c[3]))))
    # At the centre nothing is bent.
    return np.asarray(plane * np.divide(seen_r, r, out=np.ones_like(r), where=r > 0))


def _tilt(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) homography of a sensor tilted by tx, then ty (Scheimpflug; `calib3d`, CALIB_TILTED_MODEL)."""
    (sin_x, sin_y), (cos_x, cos_y) = np.sin(angles_rad), np.cos(angles_rad)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos_x, sin_x], [0.0, -sin_x, cos_x]])
    about_y = np.array([[cos_y, 0.0, -sin_y], [0.0, 1.0, 0.0], [sin_y, 0.0, cos_y]])
    turn = about_y @ about_x
    onto = np.array([[turn[2, 2], 0.0, -turn[0, 2]], [0.0, turn[2, 2], -turn[1, 2]], [0.0, 0.0, 1.0]])
    return np.asarray(onto @ turn)


def _untilt(seen: NDArray[np.float64], angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    return _through(np.asarray(np.linalg.inv(_tilt(angles_rad))), seen) if angles_rad.any() else seen


def _through(homography: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(moved[..., :2] / moved[..., 2:])


def _along_radius(seen: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Invert the radial part by Newton's method on the radius (fisheye: on the angle)."""
    part = _radial_part(lens)
    r_seen = np.linalg.norm(seen, axis=-1)
    value = np.minimum(r_seen, part.top)
    with np.errstate(invalid="ignore"):
        for _ in range(_NEWTON_STEPS):
            square = value * value
            divisor = _polynomial(part.under, square)
            miss = value * _polynomial(part.over, square) / divisor - r_seen
            slope = _polynomial(part.slope, square) / (divisor * divisor)
            # Near the last radius the slope vanishes, and Newton would run away.
            after = np.minimum(np.maximum(value - miss / np.maximum(slope, 1e-6), 0.0), part.top)
            moves = np.abs(after - value) > _NEWTON_TOLERANCE
            if not moves.any():
                break
            # What is solved stays, so that a point's answer does not depend on the points beside it.
            value = np.where(moves, after, value)
    r = np.tan(value) if lens.model == "fisheye" else value
    shrink = np.divide(r, r_seen, out=np.ones_like(r_seen), where=r_seen > 0)
    return np.asarray(seen * shrink[..., None])


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64] | float:
    """Return a polynomial's values by Horner's rule; numpy's own has too much overhead for a few points."""
    value: NDArray[np.float64] | float = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def _in_the_plane(start: NDArray[np.float64], target: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Newton's method in x and y, starting from the solution of the radial part; the caller has removed the tilt."""
    c = np.concatenate([lens.coefficients[:12], [0.0, 0.0]])
    plane = start.copy()
    for _ in range(_NEWTON_STEPS):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            miss = _opencv(plane, c) - target
            (a, b), (d, e) = _slopes(plane, c)
            determinant = a * e - b * d
            step = np.stack([e * miss[..., 0] - b * miss[..., 1], a * miss[..., 1] - d * miss[..., 0]], axis=-1)
            step = step / determinant[..., None]
        moves = np.abs(step) > _NEWTON_TOLERANCE
        if not moves.any():
            break
        # A point where the slopes vanish stays, and fails the caller's check; so does what is solved (see above).
        plane = plane - np.where(moves & np.isfinite(step), step, 0.0)
    return plane


def _slopes(
    plane: NDArray[np.float64], c: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the derivatives of x' and y' of the module's equations by x and y."""
    x, y = plane[..., 0], plane[..., 1]
    s = x * x + y * y
    over, under = 1.0 + s * (c[0] + s * (c[1] + s * c[4])), 1.0 + s * (c[5] + s * (c[6] + s * c[7]))
    over_s, under_s = c[0] + s * (2.0 * c[1] + 3.0 * s * c[4]), c[5] + s * (2.0 * c[6] + 3.0 * s * c[7])
    g = over / under
    g_s = 2.0 * (over_s - g * under_s) / under  # dg/dx = x g_s
    prism_x, prism_y = 2.0 * (c[8] + 2.0 * c[9] * s), 2.0 * (c[10] + 2.0 * c[11] * s)
    x_by_x = g + x * x * g_s + 2.0 * c[2] * y + 6.0 * c[3] * x + prism_x * x
    x_by_y = x * y * g_s + 2.0 * c[2] * x + 2.0 * c[3] * y + prism_x * y
    y_by_x = x * y * g_s + 2.0 * c[2] * x + 2.0 * c[3] * y + prism_y * x
    y_by_y = g + y * y * g_s + 6.0 * c[2] * y + 2.0 * c[3] * x + prism_y * y
    return (x_by_x, x_by_y), (y_by_x, y_by_y)
