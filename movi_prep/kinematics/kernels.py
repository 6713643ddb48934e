"""The compiled solver: one weighted least-squares pose after another, by arithmetic on the tree.

Objective of a frame (weights w sum to 1 over the markers seen):

    f(x) = 1/2 sum_i w_i |p_i(x) - y_i|^2 + s/2 sum_a r_a (x_a - c_a)^2 + 1/2 sum_k t_k (q_k(x) - z_k)^2 ,  l <= x <= u

with marker positions p, prior (and temporal) weights r around c, the share s of them that the noise of the markers
asks for (see `_find_share`), and coordinate tasks t. Twists are in ground axes
about the weighted centroid of the markers, which keeps numbers small. With subtree sums (leaf to root)

    m = sum w,  h = sum w p,  A = sum w p p',  F = sum w e,  Q = sum w p e',  e = p - y,  N = sum p x w e

and s_j = (omega_j, v_j) the twist of mobility j, k = j or k between j and ground:

    gradient      g_j  = omega_j . N + v_j . F
    Gauss-Newton  H_jk = omega_k . n_j + v_k . l_j
                  l_j = m v_j + omega_j x h ,  n_j = h x v_j + tr(A) omega_j - A omega_j
    Newton        + omega_k . z_j ,  z_j = Q omega_j - tr(Q) omega_j + v_j x F ,  and s''_j . (N, F) on the diagonal

H is the mass matrix of the tree loaded with the markers' weights as point masses (Featherstone 2008, Rigid Body
Dynamics Algorithms, chapter 6: composite rigid bodies), g its inverse dynamics. Where one coordinate drives several
axes of a joint, s'' holds the Lie bracket of its twists too, so that the second-order term is exact there.

Numba caches by source file: all kernels that call one another live in this one. `nnan` and `ninf` must stay
out of the fast-math flags: NaN marks a marker that was not seen. The bounds-check option is left to the environment.
"""

# Kernels pass scalars and arrays by the dozen, because a compiled call of that kind is free and an object is not;
# their types are inferred by numba at the first call.
# ruff: noqa: PLR0913, PLR0917
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np

from movi_prep.kinematics.cache_place import use_temporary_cache
from movi_prep.kinematics.workspace import Rules, Tasks, allocate_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Rules",
    "Tasks",
    "allocate_workspace",
    "certify",
    "evaluate",
    "find_sines",
    "load_frame",
    "solve_free",
    "track",
]

_Kernel = TypeVar("_Kernel", bound="Callable[..., Any]")

# Codes of movi_prep.kinematics.folded_model, repeated as literals: a compiled kernel freezes globals into its cache.
_ABOUT_X, _ABOUT_Y, _ABOUT_Z, _ALONG, _LINE = 0, 1, 2, 4, 0
# How a frame ended; tracks.py names the same codes: change both.
UNSOLVED, CONVERGED, ITERATION_LIMIT, STALLED = 0, 1, 2, 3
# Pivots below these shares of the Gauss-Newton diagonal count as not positive; one of Newton's matrix must also keep
# this share of the prior's own curvature, which bounds the pivots of a positive matrix from below.
_SMALLEST_NEWTON_PIVOT, _SMALLEST_PRIOR_SHARE = 1e-9, 0.1
_SMALLEST_PIVOT = 1e-14
_LARGEST_DAMPING = 1e8
# A pivot of the observability matrix below this multiple of its weak prior is a direction no marker sees.
_NULL_PIVOT = 1e3
# Passes of the active set: after the second number no bound is released any more, so the search ends.
_BOX_PASSES, _RELEASE_PASSES = 25, 15
# Newton's matrix is only asked for once steps are this small (rad or m); further out it is rarely positive.
_NEWTON_RANGE = 0.2
# After two refusals in a frame Newton's matrix is tried again every so many iterations: Gauss-Newton may creep.
_ASK_AGAIN = 4
# No joint moves further than this in one iteration (rad or m).
_LARGEST_STEP = 0.5
# After a step below the first number (rad or m), so many steps keep its factor, while each is shorter by this ratio.
_KEPT_RANGE, _KEPT_STEPS, _KEPT_RATIO = 0.005, 2, 0.1
# What is left after a step of Newton's counts as this many times (1/rad) its square. After one that keeps a factor it
# counts as so many times its product with the step that the factor is from, or as ten times what its ratio to the step
# before foretells. Both are wide: what markers hardly determine converges more slowly than the whole.
_BEND_MARGIN, _RATIO_MARGIN = 400.0, 10.0
_SHORT_STEP = 1e-4
# Markers without any noise still leave this share of the pulls: it holds the coordinates that no marker sees.
_SMALLEST_SHARE = 1e-5
# Quarters of a turn in a radian, and a quarter as the sum of three numbers: the first has so few digits that whole
# multiples of it are exact (Cody & Waite 1980, Software Manual for the Elementary Functions).
_PER_QUARTER = 0.6366197723675814
_QUARTER_HIGH, _QUARTER_MIDDLE, _QUARTER_LOW = 1.5707963267341256, 6.077100506506192e-11, 3.5215598651832e-27
# tracks.CARRIED, repeated for the same reason as the codes above.
_CARRIED = 0.9

_FLAGS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    # No kernel allocates. Counting references to views of arrays, atomically, would take half of the time.
    "_nrt": False,
    # Division by zero gives infinity, as in numpy; checks that raise would stop loops from being vectorised.
    "error_model": "numpy",
    # Without nnan and ninf: NaN marks a missing marker, and comparisons with it must stay what they are.
    "fastmath": {"contract", "arcp", "nsz", "reassoc"},
}


def _jit(function: _Kernel, **options: Any) -> _Kernel:
    options = _FLAGS | options
    try:
        kernel: _Kernel = numba.njit(**options)(function)
    except RuntimeError:
        # numba finds no place to keep its compiled code: neither the installation nor the home folder can be written.
        use_temporary_cache()
        kernel = numba.njit(**options)(function)
    return kernel


def _compiled(function: _Kernel) -> _Kernel:
    """Compile on the first call from Python, cached on disk, without the interpreter's lock."""
    return _jit(function, no_cfunc_wrapper=True)


def _small(function: _Kernel) -> _Kernel:
    """Compile into the caller: a call would pass dozens of array descriptors."""
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def _inner(function: _Kernel) -> _Kernel:
    """Compile for calls from other kernels only: half the compile time goes into wrappers for Python."""
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _exact(function: _Kernel) -> _Kernel:
    """Compile for calls from other kernels, without changes to the order of sums: rounding is what counts there."""
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, fastmath={"contract", "nsz"})


@_small
def _function(functions, which, argument):
    """Value, first and second derivative."""
    first = functions.first_piece[which]
    if functions.kind[which] == _LINE:
        slope = functions.coefficients[first, 1]
        return functions.coefficients[first, 0] + slope * argument, slope, 0.0
    # A linear search, because functions have few pieces.
    piece, last = first, functions.first_piece[which + 1] - 1
    while piece < last and argument >= functions.start[piece + 1]:
        piece += 1
    offset = argument - functions.origin[piece]
    value, slope, half_bend = 0.0, 0.0, 0.0
    for power in range(functions.coefficients.shape[1] - 1, -1, -1):  # Horner, with derivatives
        half_bend = half_bend * offset + slope
        slope = slope * offset + value
        value = value * offset + functions.coefficients[piece, power]
    return value, slope, 2.0 * half_bend


@_inner
def _move_coordinates(functions, motion, pose, x):
    """Moving coordinates with their first and second derivative by the unknown that leads them."""
    for k in range(motion.n_unknowns):
        pose.q[k], pose.rate[k], pose.curve[k] = x[k], 1.0, 0.0
    # Leaders stand before followers, so that pose.q[leader] is already that of this x.
    for follower in range(motion.leader.shape[0]):
        leader, k = motion.leader[follower], motion.n_unknowns + follower
        value, slope, bend = _function(functions, motion.following[follower], pose.q[leader])
        rate = pose.rate[leader]
        pose.q[k], pose.rate[k] = value, slope * rate
        # Chain rule for the second derivative: (f o q)'' = f'' q'^2 + f' q''.
        pose.curve[k] = bend * rate * rate + slope * pose.curve[leader]


@_exact
def _find_sines(angles, sines, cosines):
    """Sines and cosines of all axes at once, to the last bit but one: several times as fast as a call for each."""
    # Plain series on an eighth of a turn, without a branch: the loop becomes vectors.
    for axis in range(angles.shape[0]):
        quarters = np.floor(angles[axis] * _PER_QUARTER + 0.5)
        r = ((angles[axis] - quarters * _QUARTER_HIGH) - quarters * _QUARTER_MIDDLE) - quarters * _QUARTER_LOW
        z = r * r
        # From the highest power to the lowest: sin r = r (1 - z/3! + z^2/5! - ...), cos r = 1 - z/2! + z^2/4! - ...
        s = 1.0 / 355687428096000.0
        s = s * z - 1.0 / 1307674368000.0
        s = s * z + 1.0 / 6227020800.0
        s = s * z - 1.0 / 39916800.0
        s = s * z + 1.0 / 362880.0
        s = s * z - 1.0 / 5040.0
        s = s * z + 1.0 / 120.0
        s = r + r * z * (s * z - 1.0 / 6.0)
        c = 1.0 / 20922789888000.0
        c = c * z - 1.0 / 87178291200.0
        c = c * z + 1.0 / 479001600.0
        c = c * z - 1.0 / 3628800.0
        c = c * z + 1.0 / 40320.0
        c = c * z - 1.0 / 720.0
        c = (1.0 - 0.5 * z) + z * z * (c * z + 1.0 / 24.0)
        half = np.floor(0.5 * quarters)
        is_odd, sign = quarters - 2.0 * half == 1.0, 1.0 - 2.0 * (half - 2.0 * np.floor(0.5 * half))
        sines[axis] = sign * (c if is_odd else s)
        cosines[axis] = sign * (-s if is_odd else c)


@_inner
def _move_axes(functions, motion, pose):
    """By how much every axis moves, and its first and second derivative by the unknown that leads it."""
    for axis in range(motion.axis_q.shape[0]):
        q = motion.axis_q[axis]
        value, slope, second = _function(functions, motion.axis_function[axis], pose.q[q])
        rate = pose.rate[q]
        pose.amount[axis] = value
        pose.axis_rate[axis] = slope * rate
        # The axis moves by f(q(u)).
        pose.axis_curve[axis] = second * rate * rate + slope * pose.curve[q]
    _find_sines(pose.amount, pose.sine, pose.cosine)


@_small
def _turn(kind, d, sine, cosine, r00, r01, r02, r10, r11, r12, r20, r21, r22):
    """Rotation matrix (row by row) after a turn about direction d, and the direction in ground."""
    # The three cases about a coordinate axis spare more than half of the products; d[k] is +1 or -1 there, and takes
    # the sign of the turn into `s`.
    if kind == _ABOUT_X:
        s = sine * d[0]
        return (
            *(r00, r01 * cosine + r02 * s, r02 * cosine - r01 * s),
            *(r10, r11 * cosine + r12 * s, r12 * cosine - r11 * s),
            *(r20, r21 * cosine + r22 * s, r22 * cosine - r21 * s),
            *(r00 * d[0], r10 * d[0], r20 * d[0]),
        )
    if kind == _ABOUT_Y:
        s = sine * d[1]
        return (
            *(r00 * cosine - r02 * s, r01, r02 * cosine + r00 * s),
            *(r10 * cosine - r12 * s, r11, r12 * cosine + r10 * s),
            *(r20 * cosine - r22 * s, r21, r22 * cosine + r20 * s),
            *(r01 * d[1], r11 * d[1], r21 * d[1]),
        )
    if kind == _ABOUT_Z:
        s = sine * d[2]
        return (
            *(r00 * cosine + r01 * s, r01 * cosine - r00 * s, r02),
            *(r10 * cosine + r11 * s, r11 * cosine - r10 * s, r12),
            *(r20 * cosine + r21 * s, r21 * cosine - r20 * s, r22),
            *(r02 * d[2], r12 * d[2], r22 * d[2]),
        )
    # Rodrigues' formula: B = cos I + sin [d]x + (1 - cos) d d'.
    x, y, z, versine = d[0], d[1], d[2], 1.0 - cosine
    b00, b01, b02 = cosine + versine * x * x, versine * x * y - sine * z, versine * x * z + sine * y
    b10, b11, b12 = versine * x * y + sine * z, cosine + versine * y * y, versine * y * z - sine * x
    b20, b21, b22 = versine * x * z - sine * y, versine * y * z + sine * x, cosine + versine * z * z
    return (
        *(r00 * b00 + r01 * b10 + r02 * b20, r00 * b01 + r01 * b11 + r02 * b21, r00 * b02 + r01 * b12 + r02 * b22),
        *(r10 * b00 + r11 * b10 + r12 * b20, r10 * b01 + r11 * b11 + r12 * b21, r10 * b02 + r11 * b12 + r12 * b22),
        *(r20 * b00 + r21 * b10 + r22 * b20, r20 * b01 + r21 * b11 + r22 * b21, r20 * b02 + r21 * b12 + r22 * b22),
        *(r00 * x + r01 * y + r02 * z, r10 * x + r11 * y + r12 * z, r20 * x + r21 * y + r22 * z),
    )


@_small
def _add_twist(twist, bend, rate, curve, wx, wy, wz, vx, vy, vz):
    """Add one axis to its mobility: rate times the unit twist, and to s'' the curve and the bracket."""
    # The twist so far must be read before it is written below: the bracket is with the outer axes only.
    ax, ay, az, bx, by, bz = twist[0], twist[1], twist[2], twist[3], twist[4], twist[5]
    # [a, b] = (omega_a x omega_b, omega_a x v_b + v_a x omega_b): the outer axis turns the inner, not the reverse.
    bend[0] += curve * wx + rate * (ay * wz - az * wy)
    bend[1] += curve * wy + rate * (az * wx - ax * wz)
    bend[2] += curve * wz + rate * (ax * wy - ay * wx)
    bend[3] += curve * vx + rate * (ay * vz - az * vy + by * wz - bz * wy)
    bend[4] += curve * vy + rate * (az * vx - ax * vz + bz * wx - bx * wz)
    bend[5] += curve * vz + rate * (ax * vy - ay * vx + bx * wy - by * wx)
    twist[0] = ax + rate * wx
    twist[1] = ay + rate * wy
    twist[2] = az + rate * wz
    twist[3] = bx + rate * vx
    twist[4] = by + rate * vy
    twist[5] = bz + rate * vz


@_small
def _parent_pose(motion, pose, centroid, node):
    """Rotation (row by row) and origin of a node before its axes move, about the centroid."""
    # The root's parent is ground. Taking the centroid off there, once, puts every origin below about the centroid.
    p, c, t = motion.parent[node], motion.rotation[node], motion.position[node]
    if node == motion.free_node:
        c = pose.base
    if p < 0:
        o = centroid
        return (*(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]), *(t[0] - o[0], t[1] - o[1], t[2] - o[2]))
    a, o = pose.rotation[p], pose.position[p]
    return (
        a[0] * c[0] + a[1] * c[3] + a[2] * c[6],
        a[0] * c[1] + a[1] * c[4] + a[2] * c[7],
        a[0] * c[2] + a[1] * c[5] + a[2] * c[8],
        a[3] * c[0] + a[4] * c[3] + a[5] * c[6],
        a[3] * c[1] + a[4] * c[4] + a[5] * c[7],
        a[3] * c[2] + a[4] * c[5] + a[5] * c[8],
        a[6] * c[0] + a[7] * c[3] + a[8] * c[6],
        a[6] * c[1] + a[7] * c[4] + a[8] * c[7],
        a[6] * c[2] + a[7] * c[5] + a[8] * c[8],
        o[0] + a[0] * t[0] + a[1] * t[1] + a[2] * t[2],
        o[1] + a[3] * t[0] + a[4] * t[1] + a[5] * t[2],
        o[2] + a[6] * t[0] + a[7] * t[1] + a[8] * t[2],
    )


@_inner
def _place_nodes(functions, motion, pose, centroid, x):
    """Forward kinematics: pose of every node and twist of every mobility, about the centroid."""
    _move_coordinates(functions, motion, pose, x)
    _move_axes(functions, motion, pose)
    # Several axes add to one mobility, so each starts at zero.
    for mobility in range(pose.bend.shape[0]):
        for k in range(6):
            pose.twist[mobility, k] = pose.bend[mobility, k] = 0.0
    for node in range(motion.parent.shape[0]):
        r00, r01, r02, r10, r11, r12, r20, r21, r22, ox, oy, oz = _parent_pose(motion, pose, centroid, node)
        for axis in range(motion.first_axis[node], motion.first_axis[node + 1]):
            kind, direction = motion.axis_kind[axis], motion.axis_direction[axis]
            value, rate, curve = pose.amount[axis], pose.axis_rate[axis], pose.axis_curve[axis]
            mobility = motion.axis_mobility[axis]
            twist, bend = pose.twist[mobility], pose.bend[mobility]
            if kind == _ALONG:
                dx, dy, dz = direction[0], direction[1], direction[2]
                wx, wy, wz = (
                    r00 * dx + r01 * dy + r02 * dz,
                    r10 * dx + r11 * dy + r12 * dz,
                    r20 * dx + r21 * dy + r22 * dz,
                )
                ox, oy, oz = ox + value * wx, oy + value * wy, oz + value * wz
                # A translation has no omega: its twist is (0, direction).
                _add_twist(twist, bend, rate, curve, 0.0, 0.0, 0.0, wx, wy, wz)
            else:
                r00, r01, r02, r10, r11, r12, r20, r21, r22, wx, wy, wz = _turn(
                    *(kind, direction, pose.sine[axis], pose.cosine[axis]),
                    *(r00, r01, r02, r10, r11, r12, r20, r21, r22),
                )
                # A rotation about an axis through o has v = o x omega, in ground axes about the centroid.
                mx, my, mz = oy * wz - oz * wy, oz * wx - ox * wz, ox * wy - oy * wx
                _add_twist(twist, bend, rate, curve, wx, wy, wz, mx, my, mz)
        r, o = pose.rotation[node], pose.position[node]
        r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8] = r00, r01, r02, r10, r11, r12, r20, r21, r22
        o[0], o[1], o[2] = ox, oy, oz


@_inner
def _gather_markers(markers, pose, scene, moments):
    """Fill each node's own m, h, A, F, Q; return the weighted sum of squared errors."""
    total = 0.0
    for node in range(moments.shape[0]):
        r, o = pose.rotation[node], pose.position[node]
        m = hx = hy = hz = axx = ayy = azz = axy = axz = ayz = fx = fy = fz = 0.0
        q00 = q01 = q02 = q10 = q11 = q12 = q20 = q21 = q22 = 0.0
        # Sums stay in scalars until the node is done: the compiler can keep them in registers.
        for marker in range(markers.first[node], markers.first[node + 1]):
            w = scene.weight[marker]
            # A marker that is not seen has weight 0 and position NaN: it must not enter a sum, for 0 times NaN is NaN.
            if w <= 0.0:
                continue
            c, y = markers.position[marker], scene.observed[marker]
            px = o[0] + r[0] * c[0] + r[1] * c[1] + r[2] * c[2]
            py = o[1] + r[3] * c[0] + r[4] * c[1] + r[5] * c[2]
            pz = o[2] + r[6] * c[0] + r[7] * c[1] + r[8] * c[2]
            ex, ey, ez = px - y[0], py - y[1], pz - y[2]
            total += w * (ex * ex + ey * ey + ez * ez)
            ux, uy, uz = w * px, w * py, w * pz
            m, hx, hy, hz = m + w, hx + ux, hy + uy, hz + uz
            axx, ayy, azz = axx + ux * px, ayy + uy * py, azz + uz * pz
            axy, axz, ayz = axy + ux * py, axz + ux * pz, ayz + uy * pz
            fx, fy, fz = fx + w * ex, fy + w * ey, fz + w * ez
            q00, q01, q02 = q00 + ux * ex, q01 + ux * ey, q02 + ux * ez
            q10, q11, q12 = q10 + uy * ex, q11 + uy * ey, q12 + uy * ez
            q20, q21, q22 = q20 + uz * ex, q21 + uz * ey, q22 + uz * ez
        b = moments[node]
        b[0], b[1], b[2], b[3] = m, hx, hy, hz
        b[4], b[5], b[6], b[7], b[8], b[9] = axx, ayy, azz, axy, axz, ayz
        b[10], b[11], b[12] = fx, fy, fz
        b[13], b[14], b[15], b[16], b[17], b[18], b[19], b[20], b[21] = q00, q01, q02, q10, q11, q12, q20, q21, q22
    return total


@_small
def _momenta(b, t):
    """(n_j, l_j): the composite body's momentum under a mobility's twist."""
    wx, wy, wz, vx, vy, vz = t[0], t[1], t[2], t[3], t[4], t[5]
    m, hx, hy, hz = b[0], b[1], b[2], b[3]
    trace = b[4] + b[5] + b[6]
    return (
        hy * vz - hz * vy + trace * wx - (b[4] * wx + b[7] * wy + b[8] * wz),
        hz * vx - hx * vz + trace * wy - (b[7] * wx + b[5] * wy + b[9] * wz),
        hx * vy - hy * vx + trace * wz - (b[8] * wx + b[9] * wy + b[6] * wz),
        m * vx + wy * hz - wz * hy,
        m * vy + wz * hx - wx * hz,
        m * vz + wx * hy - wy * hx,
    )


@_small
def _second_moment(b, t):
    """z_j of the second-order term."""
    wx, wy, wz, vx, vy, vz = t[0], t[1], t[2], t[3], t[4], t[5]
    fx, fy, fz = b[10], b[11], b[12]
    trace = b[13] + b[17] + b[21]
    return (
        b[13] * wx + b[14] * wy + b[15] * wz - trace * wx + vy * fz - vz * fy,
        b[16] * wx + b[17] * wy + b[18] * wz - trace * wy + vz * fx - vx * fz,
        b[19] * wx + b[20] * wy + b[21] * wz - trace * wz + vx * fy - vy * fx,
    )


@_small
def _add_pairs(pattern, model, twist, slot, second, mobility, b):
    """Matrix entries of one mobility with itself and with the unknowns between it and ground."""
    matrix, t = model.gauss_newton[slot], twist[mobility]
    nx, ny, nz, lx, ly, lz = _momenta(b, t)
    first, end = pattern.first_pair[mobility], pattern.first_pair[mobility + 1]
    # Two loops rather than one with a test inside: each stays free of branches.
    if not second:
        for pair in range(first, end):
            s = twist[pattern.pair_row[pair]]
            momentum = s[0] * nx + s[1] * ny + s[2] * nz + s[3] * lx + s[4] * ly + s[5] * lz
            matrix[pattern.pair_entry[pair]] += momentum
        return
    zx, zy, zz = _second_moment(b, t)
    more = model.second_order[slot]
    for pair in range(first, end):
        s, entry = twist[pattern.pair_row[pair]], pattern.pair_entry[pair]
        matrix[entry] += s[0] * nx + s[1] * ny + s[2] * nz + s[3] * lx + s[4] * ly + s[5] * lz
        more[entry] += s[0] * zx + s[1] * zy + s[2] * zz


@_small
def _clear_entries(model, slot, low, high, second):
    """Set a run of entries to zero.

    Here and below, runs are cut out first: an index that counts from 0 cannot count from the end, as numba asks of all
    others, and the loop becomes vectors. Short runs (a triangle of a block, a substitution) are quicker without.
    """
    matrix, more = model.gauss_newton[slot, low:high], model.second_order[slot, low:high]
    for k in range(high - low):
        matrix[k] = 0.0
    if second:
        for k in range(high - low):
            more[k] = 0.0


@_inner
def _clear(elimination, model, slot, second):
    """Set gradient and matrices to zero: on the factor's pattern, for nothing else is ever written."""
    n = elimination.order.shape[0]
    for block in range(elimination.first_column.shape[0] - 1):
        end = elimination.first_column[block + 1]
        for j in range(elimination.first_column[block], end):
            model.gradient[slot, j] = 0.0
            _clear_entries(model, slot, j * n + j, j * n + end, second)
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                low, high = elimination.run_start[run], elimination.run_end[run]
                _clear_entries(model, slot, j * n + low, j * n + high, second)


@_small
def _add_sums(pattern, twist):
    """Fill the rows that sum the twists of one unknown."""
    first = pattern.unknown.shape[0]
    for row in range(pattern.sum_rows.shape[0]):
        one, two = pattern.sum_rows[row, 0], pattern.sum_rows[row, 1]
        for k in range(6):
            # A sum may be of earlier sums: rows are made in the order in which they are needed.
            twist[first + row, k] = twist[one, k] + twist[two, k]


@_inner
def _sweep(pattern, elimination, pose, moments, model, slot, second):
    """Gradient and matrices of the marker term, leaf to root."""
    _clear(elimination, model, slot, second)
    _add_sums(pattern, pose.twist)
    g = model.gradient[slot]
    for node in range(pattern.parent.shape[0] - 1, -1, -1):
        b, parent = moments[node], pattern.parent[node]
        if parent >= 0:
            # Children have higher numbers than their parents, so that b holds its whole subtree by now (composite
            # body). All moments are in ground axes about one point, so that they simply add.
            above = moments[parent]
            for k in range(22):
                above[k] += b[k]
        tx, ty, tz = b[18] - b[20], b[19] - b[15], b[14] - b[16]  # N = sum p x w e, from the skew part of Q
        for mobility in range(pattern.first_mobility[node], pattern.first_mobility[node + 1]):
            s, u = pose.twist[mobility], pattern.unknown[mobility]
            g[u] += s[0] * tx + s[1] * ty + s[2] * tz + s[3] * b[10] + s[4] * b[11] + s[5] * b[12]
            _add_pairs(pattern, model, pose.twist, slot, second, mobility, b)
            if second:
                # s''_j . (N, F): the part of Newton's matrix that only the diagonal has.
                s = pose.bend[mobility]
                bent = s[0] * tx + s[1] * ty + s[2] * tz + s[3] * b[10] + s[4] * b[11] + s[5] * b[12]
                model.second_order[slot, pattern.diagonal[u]] += bent


@_inner
def _sweep_gradient(pattern, pose, moments, g):
    """Gradient of the marker term, leaf to root, without matrices."""
    for u in range(g.shape[0]):
        g[u] = 0.0
    for node in range(pattern.parent.shape[0] - 1, -1, -1):
        b, parent = moments[node], pattern.parent[node]
        if parent >= 0:
            above = moments[parent]
            # F and Q are the last of the moments.
            for k in range(10, 22):
                above[k] += b[k]
        tx, ty, tz = b[18] - b[20], b[19] - b[15], b[14] - b[16]
        for mobility in range(pattern.first_mobility[node], pattern.first_mobility[node + 1]):
            s = pose.twist[mobility]
            change = s[0] * tx + s[1] * ty + s[2] * tz + s[3] * b[10] + s[4] * b[11] + s[5] * b[12]
            g[pattern.unknown[mobility]] += change


@_inner
def _add_priors(pattern, pose, scene, model, tasks, x, slot, second):
    """Add prior, temporal and task terms; return their sum of weighted squares."""
    total, g, matrix = 0.0, model.gradient[slot], model.gauss_newton[slot]
    for u in range(x.shape[0]):
        away = x[u] - scene.centre[u]
        total += scene.stiffness[u] * away * away
        g[u] += scene.stiffness[u] * away
        matrix[pattern.diagonal[u]] += scene.stiffness[u]
    for task in range(tasks.q.shape[0]):
        q = tasks.q[task]
        # A task may pull at a follower; its gradient and curvature go to the unknown that leads it.
        u, weight, away = pattern.q_unknown[q], tasks.weight[task], pose.q[q] - scene.task_target[task]
        total += weight * away * away
        g[u] += weight * away * pose.rate[q]
        matrix[pattern.diagonal[u]] += weight * pose.rate[q] * pose.rate[q]
        if second:
            model.second_order[slot, pattern.diagonal[u]] += weight * away * pose.curve[q]
    return total


@_inner
def _evaluate_markers(arrays, work, slot, second):
    """Return the markers' weighted sum of squares at work.x[slot]; fill their gradient and matrices."""
    _place_nodes(arrays.functions, arrays.motion, work.pose, work.scene.centroid, work.x[slot])
    total = _gather_markers(arrays.markers, work.pose, work.scene, work.moments)
    _sweep(arrays.pattern, arrays.elimination, work.pose, work.moments, work.model, slot, second)
    return total


@_inner
def _slope_of_markers(arrays, work, x, slot):
    """Return the markers' weighted sum of squares at x; fill their gradient, and no matrix."""
    _place_nodes(arrays.functions, arrays.motion, work.pose, work.scene.centroid, x)
    total = _gather_markers(arrays.markers, work.pose, work.scene, work.moments)
    _sweep_gradient(arrays.pattern, work.pose, work.moments, work.model.gradient[slot])
    return total


@_inner
def _evaluate(arrays, work, tasks, slot, second):
    """Return f at work.x[slot] and its marker part; fill gradient and matrices.

    Matrices are stored lower, by column, in elimination order: entry (row, column) at column * x + row.
    """
    markers = _evaluate_markers(arrays, work, slot, second)
    priors = _add_priors(arrays.pattern, work.pose, work.scene, work.model, tasks, work.x[slot], slot, second)
    return 0.5 * (markers + priors), 0.5 * markers


@_small
def _load_entries(model, factor, slot, low, high, second):
    """Copy a run of entries of the matrix to be factored."""
    target, matrix = factor[low:high], model.gauss_newton[slot, low:high]
    if second:
        more = model.second_order[slot, low:high]
        for k in range(high - low):
            target[k] = matrix[k] + more[k]
    else:
        for k in range(high - low):
            target[k] = matrix[k]


@_inner
def _load_factor(elimination, model, system, slot, second, damping):
    """Copy the matrix to be factored, on its pattern, and the right-hand side."""
    n, factor = elimination.order.shape[0], system.factor
    for block in range(elimination.first_column.shape[0] - 1):
        end = elimination.first_column[block + 1]
        for j in range(elimination.first_column[block], end):
            _load_entries(model, factor, slot, j * n + j, j * n + end, second)
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                low, high = elimination.run_start[run], elimination.run_end[run]
                _load_entries(model, factor, slot, j * n + low, j * n + high, second)
            # Marquardt's scaling: damping in proportion to the diagonal is the same in rad and m. The 1e-9 damps an
            # unknown that no term sees.
            factor[j * n + j] += damping * (model.gauss_newton[slot, j * n + j] + 1e-9)
            system.solved[j] = -model.gradient[slot, elimination.order[j]]


@_inner
def _fix_bound(order, system):
    """Take the bound unknowns' given steps to the right-hand side; make their rows those of the identity."""
    # First every product with the given steps, then the rows of the identity: the second loop erases entries that the
    # first reads.
    n, factor, y = order.shape[0], system.factor, system.solved
    for j in range(n):
        moved = system.step[order[j]]
        if system.side[order[j]] != 0 and moved != 0.0:
            for i in range(j + 1, n):
                y[i] -= factor[j * n + i] * moved
            for i in range(j):
                y[i] -= factor[i * n + j] * moved
    for j in range(n):
        if system.side[order[j]] != 0:
            y[j] = system.step[order[j]]
            for k in range(j * n + j, (j + 1) * n):
                factor[k] = 0.0
            for i in range(j):
                factor[i * n + j] = 0.0
            factor[j * n + j] = 1.0


@_small
def _eliminate_block(elimination, system, block, diagonal, stiffness, smallest, share_of_prior):
    """Eliminate the columns of one block among themselves; false where a pivot is not positive."""
    n, factor, y = elimination.order.shape[0], system.factor, system.solved
    first, end = elimination.first_column[block], elimination.first_column[block + 1]
    for j in range(first, end):
        pivot = factor[j * n + j]
        u = elimination.order[j]
        least = smallest * diagonal[j * n + j] + share_of_prior * stiffness[u]
        # `not >`, because a NaN pivot must fail too. A bound unknown has the row of the identity: its pivot says
        # nothing.
        if not pivot > least and system.side[u] == 0:
            return False
        inverse = 1.0 / pivot
        for i in range(j + 1, end):
            share = factor[j * n + i] * inverse
            for k in range(i, end):
                factor[i * n + k] -= share * factor[j * n + k]
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                for k in range(elimination.run_start[run], elimination.run_end[run]):
                    factor[i * n + k] -= share * factor[j * n + k]
            y[i] -= share * y[j]
    return True


@_small
def _update_below(elimination, factor, y, block):
    """Subtract one block's outer product from the columns below it, up to four columns at once."""
    n, first = elimination.order.shape[0], elimination.first_column[block]
    width = elimination.first_column[block + 1] - first
    # A narrower block repeats its first column with a zero share.
    c1, c2, c3 = first + (width > 1), first + 2 * (width > 2), first + 3 * (width > 3)
    b0, b1, b2, b3 = first * n, c1 * n, c2 * n, c3 * n
    d0 = 1.0 / factor[b0 + first]
    d1 = 1.0 / factor[b1 + c1] if width > 1 else 0.0
    d2 = 1.0 / factor[b2 + c2] if width > 2 else 0.0
    d3 = 1.0 / factor[b3 + c3] if width > 3 else 0.0
    y0, y1, y2, y3 = y[first], y[c1], y[c2], y[c3]
    last = elimination.first_run[block + 1]
    for run in range(elimination.first_run[block], last):
        for i in range(elimination.run_start[run], elimination.run_end[run]):
            f0, f1 = factor[b0 + i] * d0, factor[b1 + i] * d1
            f2, f3 = factor[b2 + i] * d2, factor[b3 + i] * d3
            y[i] -= f0 * y0 + f1 * y1 + f2 * y2 + f3 * y3
            # Only the lower triangle is stored: column i begins at its own diagonal in the run that holds i, and at the
            # run's start in those after it.
            low = i
            for other in range(run, last):
                if other > run:
                    low = elimination.run_start[other]
                high, base = elimination.run_end[other], i * n
                below = factor[base + low : base + high]
                a0, a1 = factor[b0 + low : b0 + high], factor[b1 + low : b1 + high]
                a2, a3 = factor[b2 + low : b2 + high], factor[b3 + low : b3 + high]
                for k in range(high - low):
                    below[k] -= f0 * a0[k] + f1 * a1[k] + f2 * a2[k] + f3 * a3[k]


@_inner
def _substitute_forward(elimination, system):
    """Bring another right-hand side to where elimination brought the first one."""
    n, factor, y = elimination.order.shape[0], system.factor, system.solved
    for block in range(elimination.first_column.shape[0] - 1):
        end = elimination.first_column[block + 1]
        for j in range(elimination.first_column[block], end):
            share = y[j] / factor[j * n + j]
            for i in range(j + 1, end):
                y[i] -= factor[j * n + i] * share
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                low, high = elimination.run_start[run], elimination.run_end[run]
                target, column = y[low:high], factor[j * n + low : j * n + high]
                for k in range(high - low):
                    target[k] -= column[k] * share


@_inner
def _substitute_back(elimination, system):
    n, factor, y = elimination.order.shape[0], system.factor, system.solved
    for block in range(elimination.first_column.shape[0] - 2, -1, -1):
        first, end = elimination.first_column[block], elimination.first_column[block + 1]
        for j in range(end - 1, first - 1, -1):
            rest = y[j]
            for i in range(j + 1, end):
                rest -= factor[j * n + i] * y[i]
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                for i in range(elimination.run_start[run], elimination.run_end[run]):
                    rest -= factor[j * n + i] * y[i]
            y[j] = rest / factor[j * n + j]
    for j in range(n):
        system.step[elimination.order[j]] = y[j]


@_inner
def _solve_free(elimination, model, system, stiffness, slot, second, damping):
    """Solve (H + damping) step = -g over the free unknowns by sparse LDL'; false where H is not positive."""
    _load_factor(elimination, model, system, slot, second, damping)
    _fix_bound(elimination.order, system)
    # Gauss-Newton's matrix is positive by construction and fails only by rounding; Newton's may be truly indefinite,
    # and a pivot just above zero would give a huge step.
    smallest = _SMALLEST_NEWTON_PIVOT if second else _SMALLEST_PIVOT
    share = _SMALLEST_PRIOR_SHARE if second else 0.0
    diagonal = model.gauss_newton[slot]
    for block in range(elimination.first_column.shape[0] - 1):
        if not _eliminate_block(elimination, system, block, diagonal, stiffness, smallest, share):
            return False
        _update_below(elimination, system.factor, system.solved, block)
    _substitute_back(elimination, system)
    return True


@_small
def _multiply_entries(model, slot, second, base, low, high, y, moved, out):
    """Multiply a run of a column's entries with the step, as column into `out`, and as row: returned."""
    target, part, matrix = out[low:high], y[low:high], model.gauss_newton[slot, base + low : base + high]
    total = 0.0
    if second:
        more = model.second_order[slot, base + low : base + high]
        for k in range(high - low):
            entry = matrix[k] + more[k]
            total += entry * part[k]
            target[k] += entry * moved
    else:
        for k in range(high - low):
            total += matrix[k] * part[k]
            target[k] += matrix[k] * moved
    return total


@_inner
def _find_multipliers(elimination, model, system, gradient, slot, second, damping):
    """Gradient of the quadratic model after the step, in elimination order: the multipliers of the bound unknowns.

    The model's matrix is that at `slot`.
    """
    # H step + g over all unknowns. Only the lower half is stored, so each entry is used twice: as column and as row.
    n, out, y = elimination.order.shape[0], system.multiplier, system.solved
    for j in range(n):
        out[j] = gradient[elimination.order[j]]
    for block in range(elimination.first_column.shape[0] - 1):
        end = elimination.first_column[block + 1]
        for j in range(elimination.first_column[block], end):
            base, moved = j * n, y[j]
            # The damped diagonal, as in `_load_factor`: multipliers belong to the system that was solved.
            own = model.gauss_newton[slot, base + j] * (1.0 + damping)
            own += model.second_order[slot, base + j] if second else 0.0
            total = own * moved + _multiply_entries(model, slot, second, base, j + 1, end, y, moved, out)
            for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                low, high = elimination.run_start[run], elimination.run_end[run]
                total += _multiply_entries(model, slot, second, base, low, high, y, moved, out)
            out[j] += total


@_inner
def _guess_sides(arrays, system, x, g):
    """Bound unknowns to begin with: those pushed out of their range, and those held before.

    A guess changes only the number of passes, not the step.
    """
    for u in range(x.shape[0]):
        before, side = system.side[u], 0
        if x[u] <= arrays.lower[u] and (g[u] > 0.0 or before == -1):
            side = -1
        elif x[u] >= arrays.upper[u] and (g[u] < 0.0 or before == 1):
            side = 1
        # Steps of bound unknowns are 0 here: they stand exactly on their bound already.
        system.side[u], system.step[u] = side, 0.0


@_inner
def _bind_violators(arrays, system, x):
    count = 0
    for u in range(x.shape[0]):
        if system.side[u] != 0:
            continue
        # The margin keeps a step that ends on its bound, but for rounding, from costing another factorisation.
        if x[u] + system.step[u] < arrays.lower[u] - 1e-15:
            system.side[u], system.step[u] = -1, arrays.lower[u] - x[u]
            count += 1
        elif x[u] + system.step[u] > arrays.upper[u] + 1e-15:
            system.side[u], system.step[u] = 1, arrays.upper[u] - x[u]
            count += 1
    return count


@_inner
def _release_wrong(elimination, model, system, gradient, slot, second, damping):
    """Free the bound unknowns whose multiplier pulls inwards; return how many."""
    # A frame without an unknown at a bound is spared the product with the matrix.
    held = 0
    for u in range(system.side.shape[0]):
        held += system.side[u] != 0
    if held == 0:
        return 0
    _find_multipliers(elimination, model, system, gradient, slot, second, damping)
    count = 0
    for j in range(system.side.shape[0]):
        u = elimination.order[j]
        # At a lower bound (side -1) the gradient must be positive, at an upper one negative; the other sign means that
        # f falls inwards.
        if system.side[u] * system.multiplier[j] > 1e-12:
            system.side[u] = 0
            count += 1
    return count


@_inner
def _solve_box(arrays, model, system, stiffness, x, slot, second, damping):
    """Minimise the quadratic model inside the bounds (primal active set, Nocedal & Wright 2006, 16.5).

    Returns false where the matrix is not positive. The exact solution matters: with dozens of unknowns on a
    bound, a clipped step costs two to three times the outer iterations.
    """
    _guess_sides(arrays, system, x, model.gradient[slot])
    # Violators are bound first and wrong bounds released only from a feasible step: binding and releasing at once may
    # cycle.
    for number in range(_BOX_PASSES):
        if not _solve_free(arrays.elimination, model, system, stiffness, slot, second, damping):
            return False
        if _bind_violators(arrays, system, x) > 0:
            continue
        if number > _RELEASE_PASSES:
            break
        if _release_wrong(arrays.elimination, model, system, model.gradient[slot], slot, second, damping) == 0:
            break
    return True


@_inner
def _try_step(arrays, step, x, tried):
    """Write the next point, inside the bounds; return its largest change.

    A step that would turn a joint too far is shortened as a whole: it would end in another winding of the joint.
    """
    joint = 0.0
    for u in range(x.shape[0]):
        # Only joints count: the root of a figure that is metres away may get there in one step.
        if arrays.motion.is_root[u] == 0:
            joint = max(joint, abs(step[u]))
    share, largest = min(1.0, _LARGEST_STEP / max(joint, 1e-30)), 0.0
    for u in range(x.shape[0]):
        tried[u] = min(max(x[u] + share * step[u], arrays.lower[u]), arrays.upper[u])
        largest = max(largest, abs(tried[u] - x[u]))
    return largest


@_inner
def _step_again(arrays, work, x, slot, other, newton):
    """Solve for a step from x, whose gradient is at `other`, by the factor of the matrix at `slot`.

    Returns false where unknowns leave or meet their bounds, which asks for another factor.
    """
    order, system, gradient = arrays.elimination.order, work.system, work.model.gradient[other]
    for j in range(order.shape[0]):
        u = order[j]
        # Bound unknowns stand on their bound: they have the row of the identity, and stay.
        system.solved[j] = -gradient[u] if system.side[u] == 0 else 0.0
    _substitute_forward(arrays.elimination, system)
    _substitute_back(arrays.elimination, system)
    if _bind_violators(arrays, system, x) > 0:
        return False
    return _release_wrong(arrays.elimination, work.model, system, gradient, slot, newton, 0.0) == 0


@_inner
def _finish(arrays, work, tasks, tolerance, most, last):
    """Try to end a frame by steps that keep the factor of the last one, and so need gradients only.

    This simplified Newton method (Deuflhard 2011, Newton Methods for Nonlinear Problems, 2.1) converges linearly: from
    the shrinking of the steps follows what is left.

    Args:
        arrays, work, tasks: as for `track`.
        tolerance: of what is left, rad or m.
        most: steps.
        last: the last step, from a slot to the other one: which slot, whether its matrix was Newton's, its damping, the
            size of the step, and f before it.

    Returns:
        (steps, f before the last of them, its marker part); 0 steps where they do not end the frame. Only if they do,
        the point at the other slot is moved.
    """
    slot, newton, damping, first, value = last
    if damping > 0.0 or first > _KEPT_RANGE:
        return 0, value, value
    # `second` is not a literal: numba would compile a second copy of `_add_priors`.
    x, other, largest, second = work.x[2], 1 - slot, first, most < 0
    for u in range(x.shape[0]):
        x[u] = work.x[other, u]
    for number in range(most):
        markers = _slope_of_markers(arrays, work, x, other)
        # What this adds to a diagonal is cleared before that matrix is used.
        priors = _add_priors(arrays.pattern, work.pose, work.scene, work.model, tasks, x, other, second)
        tried = 0.5 * (markers + priors)
        if not tried <= value * (1.0 + 1e-13) + 1e-26 or not _step_again(arrays, work, x, slot, other, newton):
            break
        value, before = tried, largest
        largest = _move(arrays, work.system.step, x)
        if largest > _KEPT_RATIO * before:
            break
        if largest * max(_RATIO_MARGIN * largest / before, _BEND_MARGIN * first) < tolerance:
            for u in range(x.shape[0]):
                work.x[other, u] = x[u]
            return number + 1, value, 0.5 * markers
    return 0, value, value


@_inner
def _move(arrays, step, x):
    """Add a step to x, inside the bounds; return its largest change."""
    largest = 0.0
    for u in range(x.shape[0]):
        moved = min(max(x[u] + step[u], arrays.lower[u]), arrays.upper[u])
        largest = max(largest, abs(moved - x[u]))
        x[u] = moved
    return largest


@_small
def _foretell(largest, before, is_newton):
    """Bound of the next step: a step that shrank by a ratio is followed by one that shrinks by at least as much.

    Believed only where the ratio is below a tenth. An undamped step of Newton's tells it by its own size, too; but one
    that hardly changes f, for what is returned is f before it.
    """
    foretold = largest * largest / before if largest < 0.1 * before < np.inf else largest
    return min(foretold, _BEND_MARGIN * largest * largest) if is_newton and largest < _SHORT_STEP else foretold


@_inner
def _solve_frame(arrays, work, tasks, rules):
    """Minimise f from work.x[0]; leave the result there.

    Returns (how it ended, iterations, f before the last step, its marker part). The last step is applied without
    evaluating again, once it, or the one that its rate of convergence foretells, is below the tolerance. The last ones
    keep the factor of the one before where steps are short: see `_finish`.
    """
    # x has two rows: `slot` holds the best point so far, 1 - slot the tried one.
    slot, damping, refused, before = 0, rules.first_damping, 0, np.inf
    second = rules.newton and damping == 0.0
    value, markers, tried_slot, tried_second, largest = np.inf, np.inf, 0, second, np.inf
    ended, iteration, fallback = ITERATION_LIMIT, 0, False
    while iteration < rules.iteration_limit:
        if tried_slot >= 0:
            tried, tried_markers = _evaluate(arrays, work, tasks, tried_slot, tried_second)
            # Equality within rounding counts as progress: at the minimum f no longer falls in double precision, though
            # the step is right.
            if tried <= value * (1.0 + 1e-13) + 1e-26:
                slot, value, markers, second, before = tried_slot, tried, tried_markers, tried_second, largest
                # To exactly 0 in the end: any damping left would turn quadratic convergence into linear.
                damping = 0.1 * damping if damping > 1e-8 else 0.0
            else:
                damping, before = max(10.0 * damping, 1e-4), np.inf
                refused = 0  # Gauss-Newton overshoots where the second-order term matters: ask for it again
        iteration, tried_slot = iteration + 1, -1
        if damping > _LARGEST_DAMPING:
            ended = STALLED
            break
        # `second` says that the matrices at `slot` hold the second-order term; without it there is nothing to ask for.
        newton = second and (refused < 2 or iteration % _ASK_AGAIN == 0) and not fallback
        if not _solve_box(arrays, work.model, work.system, work.scene.stiffness, work.x[slot], slot, newton, damping):
            # Newton's matrix is indefinite: the Gauss-Newton matrix of the same point is at hand. If that is
            # not positive either, only damping helps.
            if newton:
                # The iteration is given back: no new point was evaluated.
                refused, fallback, iteration = refused + 1, True, iteration - 1
            else:
                damping = max(10.0 * damping, 1e-9)
            continue
        fallback = False
        largest = _try_step(arrays, work.system.step, work.x[slot], work.x[1 - slot])
        foretold = _foretell(largest, before, newton and damping == 0.0)
        # Strong damping makes every step small; a small step says nothing then.
        if damping < 1e-2 and foretold < rules.step_tolerance:
            slot, ended = 1 - slot, CONVERGED
            break
        tried_slot, tried_second = 1 - slot, rules.newton and largest < _NEWTON_RANGE
        most, last = min(_KEPT_STEPS, rules.iteration_limit - iteration), (slot, newton, damping, largest, value)
        steps, found, found_markers = _finish(arrays, work, tasks, rules.step_tolerance, most, last)
        if steps > 0:
            slot, ended, iteration, value, markers = 1 - slot, CONVERGED, iteration + steps, found, found_markers
            break
    for u in range(work.x.shape[1]):
        work.x[0, u] = work.x[slot, u]
    return ended, iteration, value, markers


@_inner
def _load_frame(scene, tasks, positions, weights, frame):
    """Take one frame's markers: weights of those seen sum to 1, positions are about their centroid. Return how many."""
    total, n_seen = 0.0, 0
    for k in range(3):
        scene.centroid[k] = 0.0
    for marker in range(weights.shape[0]):
        y = positions[frame, marker]
        # One test for three: a sum is NaN if any part is. This is why `nnan` must not be a fast-math flag.
        seen = not np.isnan(y[0] + y[1] + y[2]) and weights[marker] > 0.0
        scene.weight[marker] = weights[marker] if seen else 0.0
        if seen:
            total, n_seen = total + weights[marker], n_seen + 1
            for k in range(3):
                scene.centroid[k] += weights[marker] * y[k]
    for k in range(3):
        scene.centroid[k] /= total
    for marker in range(weights.shape[0]):
        scene.weight[marker] /= total
        for k in range(3):
            # NaN stays NaN for a marker not seen: its weight of 0 keeps it out of every sum.
            scene.observed[marker, k] = positions[frame, marker, k] - scene.centroid[k]
    for task in range(tasks.q.shape[0]):
        scene.task_target[task] = tasks.target[frame, task]
    return n_seen


@_inner
def _load_priors(scene, prior, before, earlier, temporal, share):
    """A share of prior and temporal term as one, about their common centre; return their sum there.

    The temporal term pulls to where the last two poses, slowing down, would lead.
    """
    prior_centre, prior_weight = prior
    least = 0.0
    for u in range(prior_weight.shape[0]):
        scene.stiffness[u], scene.centre[u] = share * prior_weight[u], prior_centre[u]
        if temporal[u] > 0.0:
            # Completing the square: a/2 (x - p)^2 + t/2 (x - c)^2 is (a + t)/2 (x - mean)^2 + at / 2(a + t) (p - c)^2.
            # The constant must count, because tracks compare f.
            total = prior_weight[u] + temporal[u]
            scene.stiffness[u] = share * total
            carried = before[u] + _CARRIED * (before[u] - earlier[u])
            scene.centre[u] = (prior_weight[u] * prior_centre[u] + temporal[u] * carried) / total
            apart = carried - prior_centre[u]
            least += prior_weight[u] * temporal[u] / total * apart * apart
    return 0.5 * share * least


@_inner
def _turn_base(motion, base, x):
    """Take the free root's angles into its base: from here on they count from zero, far from gimbal lock."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        *(base[0], base[1], base[2], base[3], base[4]),
        *(base[5], base[6], base[7], base[8]),
    )
    for axis in range(motion.first_axis[motion.free_node], motion.first_axis[motion.free_node + 1]):
        angle = motion.free_slope[axis - motion.first_axis[motion.free_node]] * x[motion.axis_q[axis]]
        r00, r01, r02, r10, r11, r12, r20, r21, r22, _, _, _ = _turn(
            *(motion.axis_kind[axis], motion.axis_direction[axis], np.sin(angle), np.cos(angle)),
            *(r00, r01, r02, r10, r11, r12, r20, r21, r22),
        )
    base[0], base[1], base[2], base[3], base[4] = r00, r01, r02, r10, r11
    base[5], base[6], base[7], base[8] = r12, r20, r21, r22


@_small
def _differences(frames, u):
    """How one unknown changed last, how that changed, and so on to the fifth (Newton's backward differences)."""
    a, b, c, d, e, f = frames[0][u], frames[1][u], frames[2][u], frames[3][u], frames[4][u], frames[5][u]
    return (
        *(a - b, a - 2.0 * b + c, a - 3.0 * b + 3.0 * c - d),
        *(a - 4.0 * b + 6.0 * c - 4.0 * d + e, a - 5.0 * b + 10.0 * c - 10.0 * d + 5.0 * e - f),
    )


@_inner
def _best_order(motion, frames, known):
    """Order of the polynomial that would have met the last frame most closely, of those that the known frames allow."""
    miss1, miss2, miss3, miss4 = 0.0, 0.0, 0.0, 0.0
    for u in range(motion.n_unknowns):
        if motion.is_root[u] == 0:
            # A polynomial through the frames before the last one misses that by the next difference.
            _, second, third, fourth, fifth = _differences(frames, u)
            miss1, miss2 = max(miss1, abs(second)), max(miss2, abs(third))
            miss3, miss4 = max(miss3, abs(fourth)), max(miss4, abs(fifth))
    order, least = 1, miss1
    if known > 3 and miss2 < least:
        order, least = 2, miss2
    if known > 4 and miss3 < least:
        order, least = 3, miss3
    if known > 5 and miss4 < least:
        order = 4
    return order


@_inner
def _predict(arrays, work, unknowns, last, direction, known):
    """Begin a frame from the one before, and from how the frames before that went on.

    With two frames known, a straight line; with four to six, a polynomial of up to the second to fourth order where
    that would have met the last one more closely.
    """
    motion = arrays.motion
    a = unknowns[last]
    b = unknowns[last - direction] if known > 1 else a
    c, d = (unknowns[last - 2 * direction], unknowns[last - 3 * direction]) if known > 3 else (b, b)
    e = unknowns[last - 4 * direction] if known > 4 else d
    frames = (a, b, c, d, e, unknowns[last - 5 * direction] if known > 5 else e)
    order = _best_order(motion, frames, known)
    two, three, four = 1.0 * (order > 1), 1.0 * (order > 2), 1.0 * (order > 3)
    for u in range(a.shape[0]):
        first, second, third, fourth, _ = _differences(frames, u)
        guess = a[u] + first + two * second + three * third + four * fourth
        work.x[0, u] = min(max(guess, arrays.lower[u]), arrays.upper[u])
    if motion.free_node >= 0:
        _turn_base(motion, work.pose.base, a)
        for k in range(3):  # these angles are turns since the frame before: the polynomial is of one order less
            u = motion.free_unknown[k]
            first, second, third, _, _ = _differences(frames, u)
            work.x[0, u] = a[u] + two * first + three * second + four * third if known > 1 else 0.0


@_small
def _find_share(rules, markers, n_seen, n_unknowns):
    """Share of the pulls for markers that miss by this much: noise variance found / noise variance assumed, at most 1.

    A pull's weight is the noise variance over the variance that it allows: where markers fit better, it is weaker.
    Noise of `pull_noise` leaves this much of f in the equations beyond the unknowns.
    """
    # With n_seen markers whose weights sum to 1, f of pure noise is sigma^2 / 2 * (3 n_seen - n_unknowns) / n_seen.
    left = 0.5 * rules.pull_noise * rules.pull_noise * max(3 * n_seen - n_unknowns, 0) / max(n_seen, 1)
    return min(max(markers / left, _SMALLEST_SHARE), 1.0) if left > 0.0 else 1.0


@_compiled
def track(arrays, work, tasks, rules, data, pulls, first, end, direction, out, other):
    """Solve frames from `first` on, each from the extrapolation of those before.

    The first one starts at work.x[0] with the free root's angles counted from work.pose.base, under the share of the
    pulls that its start came with. As no frame before it says how noisy markers are, it is solved again while its own
    share falls by more than half.

    Args:
        arrays, work, tasks, rules: see their classes.
        data: (n, m, 3) positions in arrays order, (m,) weights, (n,) bool frames that can be solved.
        pulls: (x,) centre and (x,) weight of the prior, (x,) weight of the temporal term.
        first, end, direction: frames first, first + direction, ... up to but without `end`.
        out: (n, x) unknowns, (n, 9) bases, (n,) how each ended, (n,) iterations, (n, 2) frames that the temporal
            term came from or -1, (n,) values of f, (n,) shares of the pulls; written.
        other: (n, x) unknowns and (n,) ends of an earlier track; where this one meets it for three frames, it stops.

    Returns:
        The frame after the last one solved.
    """
    positions, weights, solvable = data
    unknowns, bases, ends, iterations, anchors, values, shares = out
    # `known` is not a literal: numba would compile a second copy of the function for the literal 0.
    known, met, frame, last, share, spent = first - first, 0, first, first, rules.first_share, 0
    while frame != end:
        if solvable[frame]:
            n_seen = _load_frame(work.scene, tasks, positions, weights, frame)
            if known > 0:
                _predict(arrays, work, unknowns, last, direction, known)
            temporal = pulls[2] if known > 0 else work.no_pull
            earlier = last - direction if known > 1 else last
            least = _load_priors(work.scene, (pulls[0], pulls[1]), unknowns[last], unknowns[earlier], temporal, share)
            ends[frame], count, value, markers = _solve_frame(arrays, work, tasks, rules)
            values[frame] = value + least
            shares[frame], spent = share, spent + count
            share = _find_share(rules, markers, n_seen, unknowns.shape[1])
            # No endless loop: the share halves at least each time, and has a floor.
            if known == 0 and share < 0.5 * shares[frame] and ends[frame] == CONVERGED:
                continue
            iterations[frame], spent = spent, 0
            anchors[frame, 0] = last if known > 0 else -1
            anchors[frame, 1] = earlier if known > 0 else -1
            for u in range(unknowns.shape[1]):
                unknowns[frame, u] = work.x[0, u]
            for k in range(9):
                bases[frame, k] = work.pose.base[k]
            # A gap ends the extrapolation, not the memory.
            known, last = known + 1 if frame == last + direction else 1, frame
            met = met + 1 if _meets(arrays.motion, unknowns, other, frame, rules.meeting_tolerance) else 0
        else:
            known = min(known, 1)
        frame += direction
        # One meeting may be a crossing of two basins; three in a row are the same path.
        if met >= 3:
            break
    return frame


@_inner
def _meets(motion, unknowns, other, frame, tolerance):
    """Whether two tracks are at the same pose; the root follows from the rest."""
    other_unknowns, other_ends = other
    if other_ends[frame] != CONVERGED:
        return False
    largest = 0.0
    for u in range(unknowns.shape[1]):
        if motion.is_root[u] == 0:
            largest = max(largest, abs(unknowns[frame, u] - other_unknowns[frame, u]))
    return largest < tolerance


@_small
def _multiply_rows(out, inverse, low, high, n, rows, shares):
    """out = out - shares of four rows of the inverse, between two columns."""
    (r0, r1, r2, r3), (s0, s1, s2, s3), target = rows, shares, out[low:high]
    a0, a1 = inverse[r0 * n + low : r0 * n + high], inverse[r1 * n + low : r1 * n + high]
    a2, a3 = inverse[r2 * n + low : r2 * n + high], inverse[r3 * n + low : r3 * n + high]
    for k in range(high - low):
        target[k] -= s0 * a0[k] + s1 * a1[k] + s2 * a2[k] + s3 * a3[k]


@_inner
def _invert_diagonal(elimination, factor, inverse, column):
    """Entries of H^-1 on the factor's pattern (Takahashi 1973), from the last column to the first.

    Both halves are written, so that the inner loops run along rows. `column` is scratch, (x,).
    """
    n, rows = elimination.order.shape[0], elimination.rows
    for block in range(elimination.first_column.shape[0] - 2, -1, -1):
        end = elimination.first_column[block + 1]
        for j in range(end - 1, elimination.first_column[block] - 1, -1):
            first, last, own = elimination.first_row[j], elimination.first_row[j + 1], 1.0 / factor[j * n + j]
            for i in range(j + 1, n):
                column[i] = 0.0
            for row in range(first, last, 4):
                # Beyond the last row, rows repeat with a zero share.
                k0, k1 = rows[row], rows[min(row + 1, last - 1)]
                k2, k3 = rows[min(row + 2, last - 1)], rows[min(row + 3, last - 1)]
                shares = (
                    factor[j * n + k0] * own,
                    factor[j * n + k1] * own if row + 1 < last else 0.0,
                    factor[j * n + k2] * own if row + 2 < last else 0.0,
                    factor[j * n + k3] * own if row + 3 < last else 0.0,
                )
                _multiply_rows(column, inverse, j + 1, end, n, (k0, k1, k2, k3), shares)
                for run in range(elimination.first_run[block], elimination.first_run[block + 1]):
                    low, high = elimination.run_start[run], elimination.run_end[run]
                    _multiply_rows(column, inverse, low, high, n, (k0, k1, k2, k3), shares)
            total = own
            for row in range(first, last):
                i = rows[row]
                inverse[j * n + i] = inverse[i * n + j] = column[i]
                # Takahashi: Z_jj = 1 / d_j - sum_i L_ij Z_ij, with L_ij = factor / d_j.
                total -= factor[j * n + i] * own * column[i]
            inverse[j * n + j] = total


@_inner
def _projected_gradient(arrays, x, g):
    """Largest gradient entry that the bounds do not hold."""
    largest = 0.0
    for u in range(x.shape[0]):
        held = (x[u] <= arrays.lower[u] and g[u] > 0.0) or (x[u] >= arrays.upper[u] and g[u] < 0.0)
        if not held:
            largest = max(largest, abs(g[u]))
    return largest


@_inner
def _write_markers(markers, pose, centroid, out):
    """Model markers in ground at the pose evaluated last."""
    for node in range(markers.first.shape[0] - 1):
        r, o = pose.rotation[node], pose.position[node]
        for marker in range(markers.first[node], markers.first[node + 1]):
            c = markers.position[marker]
            for k in range(3):
                turned = r[3 * k] * c[0] + r[3 * k + 1] * c[1] + r[3 * k + 2] * c[2]
                out[marker, k] = centroid[k] + o[k] + turned


@_inner
def _observe(arrays, work, weak, std, slot, second):
    """Write the square root of the diagonal of the markers' inverse matrix; return their rank, -1 on failure.

    `weak` keeps directions that no marker sees finite; a pivot of its size is such a direction.
    """
    elimination, model, system = arrays.elimination, work.model, work.system
    for u in range(weak.shape[0]):
        model.gauss_newton[0, arrays.pattern.diagonal[u]] += weak[u]
        # Nothing is bound here: deviations are those of the markers, whatever the bounds do.
        system.side[u], system.step[u] = 0, 0.0
    if not _solve_free(elimination, model, system, weak, slot, second, 0.0):
        return -1
    # second_order[0] is free memory here: `certify` evaluates without the second-order term.
    n, rank, inverse = weak.shape[0], 0, model.second_order[0]
    _invert_diagonal(elimination, system.factor, inverse, system.multiplier)
    for j in range(n):
        u = elimination.order[j]
        # A pivot is the curvature left after all eliminated unknowns have given way: near `weak`, only the weak prior
        # holds it.
        rank += system.factor[j * n + j] > _NULL_PIVOT * weak[u]
        # Rounding may leave a tiny negative number where the markers determine an unknown very sharply.
        std[u] = np.sqrt(max(inverse[j * n + j], 0.0))
    return rank


@_compiled
def certify(arrays, work, tasks, data, prior, temporal, shares, unknowns, weak, out):
    """Evaluate every solved frame once more, for the quality of the solution.

    Args:
        arrays, work, tasks, data, prior: as for `track`.
        temporal: (n, x) centres and (n, x) weights of the temporal term.
        shares: (n,) shares of prior and temporal term.
        unknowns: (n, x) the solution; frames that are not finite are skipped.
        weak: (x,) weak prior for the rank, or length 0 to leave rank and deviations out.
        out: (n,) marker objective, (n,) gradient norm, (n,) rank, (n, x) root of the inverse's diagonal,
            (n, m, 3) model markers in ground; written.
    """
    positions, weights, solvable = data
    objective, gradient, rank, std, markers = out
    for k in range(9):  # the model's own angles: nothing of the solver's chart is left
        work.pose.base[k] = arrays.motion.rotation[arrays.motion.free_node, k]
    # Not constants: numba would compile a second copy of every kernel below for the literals 0 and False.
    slot = int(0 * unknowns.shape[0])
    second = slot > 0
    for frame in range(unknowns.shape[0]):
        if not solvable[frame]:
            continue
        _load_frame(work.scene, tasks, positions, weights, frame)
        centre, weight = temporal[0][frame], temporal[1][frame]
        _load_priors(work.scene, (prior[0], prior[1]), centre, centre, weight, shares[frame])
        for u in range(unknowns.shape[1]):
            work.x[0, u] = unknowns[frame, u]
        if weak.shape[0] > 0:
            objective[frame] = 0.5 * _evaluate_markers(arrays, work, slot, second)
        else:
            objective[frame] = 0.5 * _slope_of_markers(arrays, work, work.x[slot], slot)
        _write_markers(arrays.markers, work.pose, work.scene.centroid, markers[frame])
        if weak.shape[0] > 0:
            # Before the priors are added: rank and deviations speak of the markers only. `_add_priors` must follow, or
            # the gradient lacks the pulls.
            rank[frame] = _observe(arrays, work, weak, std[frame], slot, second)
        _add_priors(arrays.pattern, work.pose, work.scene, work.model, tasks, work.x[slot], slot, second)
        gradient[frame] = _projected_gradient(arrays, work.x[0], work.model.gradient[0])


@_compiled
def load_frame(scene, tasks, positions, weights, frame):
    """Door for tests: see `_load_frame`. Compiled only where Python calls it."""
    _load_frame(scene, tasks, positions, weights, frame)


@_compiled
def find_sines(angles, sines, cosines):
    """Door for tests: see `_find_sines`."""
    _find_sines(angles, sines, cosines)


@_compiled
def evaluate(arrays, work, tasks, slot, second):
    """Door for tests: see `_evaluate`."""
    return _evaluate(arrays, work, tasks, slot, second)


@_compiled
def solve_free(elimination, model, system, stiffness, slot, second, damping):
    """Door for tests: see `_solve_free`."""
    return _solve_free(elimination, model, system, stiffness, slot, second, damping)
