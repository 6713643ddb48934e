"""Models whose poses are hard to find from nothing: an arm on a base, one on a girdle, a whole body after Rajagopal's.

All have three-angle joints whose clamped ranges cut the way from one pose to another. Numbers are lengths of an adult
and the usual ranges of such models; nothing is copied from a model file.
"""

from __future__ import annotations

from math import radians
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.builders.kinematic_tree import LINE, TreeBuilder

if TYPE_CHECKING:
    from movi_prep.records.kinematic_tree import KinematicTree

_X, _Y, _Z = np.eye(3)


class _Hinge(NamedTuple):
    """One angle of a joint: its name, axis in the parent's frame (x forward, y up, z right), and range in degrees."""

    name: str
    axis: np.ndarray
    low_deg: float
    high_deg: float


def arm() -> KinematicTree:
    """Return a base with four markers, an upper arm on three clamped angles with two, and a forearm with two."""
    tree = TreeBuilder()
    base = tree.root()
    tree.markers(base, np.array([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [-0.1, 0.05, 0.02]]))
    upper = _joint(tree, base, (0.0, 0.4, 0.17), _shoulder("", 1.0))
    tree.markers(upper, np.array([[0.02, -0.12, 0.03], [0.0, -0.29, 0.04]]))
    fore = _joint(tree, upper, (0.0, -0.29, 0.0), [_Hinge("elbow", _Z, 0, 150)])
    tree.markers(fore, np.array([[0.02, -0.1, 0.03], [0.0, -0.25, 0.02]]))
    return tree.build()


def girdle_arm() -> KinematicTree:
    """Return an arm on a spine, and a leg; the arm's elevation also lifts the girdle that carries it, as shoulders do.

    Both solutions of the shoulder's three angles give the arm the same orientation, and the girdle another one; no hip
    turns the whole way round, so that its bounds face each other across a gap.
    """
    tree = TreeBuilder()
    base, line = tree.root(), 0
    tree.markers(base, np.array([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [-0.1, 0.05, 0.02]]))
    spine = base
    for number in range(6):
        bends = [_Hinge(f"spine{number}_bend", _Z, -10, 10), _Hinge(f"spine{number}_side", _X, -10, 10)]
        spine = _joint(tree, spine, (0.0, 0.06, 0.0), [*bends, _Hinge(f"spine{number}_turn", _Y, -10, 10)])
        tree.markers(spine, np.array([[-0.05, 0.02, 0.0], [0.08, 0.02, 0.01]]))
    plane, lift, spin = (
        _ranged(tree, name, *range_deg)
        for name, range_deg in (("elv_angle", (-90, 180)), ("shoulder_elv", (-10, 180)), ("shoulder_rot", (-90, 90)))
    )
    rhythm, back = tree.function([(-np.inf, 0.0, [0, 0.3, 0, 0])]), tree.function([(-np.inf, 0.0, [0, -1, 0, 0])])
    girdle = tree.body(spine, [(True, _X, lift, rhythm)], (0.0, 0.06, 0.03))
    tree.markers(girdle, np.array([[0.02, 0.03, 0.12], [-0.05, 0.0, 0.1]]))
    turns = [(True, _Y, plane, line), (True, _X, lift, line), (True, _Y, plane, back), (True, _Y, spin, line)]
    upper = tree.body(girdle, turns, (0.0, 0.0, 0.15))
    tree.markers(upper, np.array([[0.02, -0.12, 0.03], [0.0, -0.29, 0.04], [0.0, -0.29, -0.04]]))
    fore = _joint(tree, upper, (0.0, -0.29, 0.0), [_Hinge("elbow", _Z, 0, 150)])
    tree.markers(fore, np.array([[0.02, -0.1, 0.03], [0.0, -0.25, 0.02]]))
    hips = [_Hinge("hip_flexion", _Z, -120, 180), _Hinge("hip_adduction", _X, -120, 60)]
    thigh = _joint(tree, base, (0.0, -0.1, 0.1), [*hips, _Hinge("hip_rotation", _Y, -90, 90)])
    tree.markers(thigh, np.array([[0.05, -0.2, 0.05], [0.0, -0.4, 0.05], [0.0, -0.4, -0.05]]))
    return tree.build()


def whole_body() -> KinematicTree:
    """Return pelvis, torso, legs with spline knees and arms to the hands: 37 free coordinates, 45 markers."""
    tree = TreeBuilder()
    pelvis = tree.root()
    tree.markers(pelvis, np.array([[0.02, 0.02, 0.13], [0.02, 0.02, -0.13], [-0.15, 0.03, 0.05], [-0.15, 0.03, -0.05]]))
    bends = [_Hinge("lumbar_extension", _Z, -90, 90), _Hinge("lumbar_bending", _X, -90, 90)]
    torso = _joint(tree, pelvis, (-0.1, 0.08, 0.0), [*bends, _Hinge("lumbar_rotation", _Y, -90, 90)])
    tree.markers(torso, np.array([[0.0, 0.43, 0.15], [0.0, 0.43, -0.15], [-0.07, 0.42, 0.0], [0.1, 0.33, 0.0]]))
    for side, sign in (("_r", 1.0), ("_l", -1.0)):
        _leg(tree, pelvis, side, sign)
        _arm(tree, torso, side, sign)
    return tree.build()


def _leg(tree: TreeBuilder, pelvis: int, side: str, sign: float) -> None:
    turns = [_Hinge("hip_flexion", _Z, -30, 120), _Hinge("hip_adduction", sign * _X, -50, 30)]
    thigh = _joint(
        tree, pelvis, (-0.06, -0.08, sign * 0.08), [*turns, _Hinge("hip_rotation", sign * _Y, -40, 40)], side
    )
    tree.markers(
        thigh, _sided([[0.08, -0.15, 0.06], [0.06, -0.25, 0.09], [0.0, -0.41, 0.05], [0.0, -0.41, -0.05]], sign)
    )
    shank = _knee(tree, thigh, side, sign)
    tree.markers(
        shank, _sided([[0.03, -0.15, 0.05], [0.03, -0.25, 0.04], [0.0, -0.4, 0.05], [0.0, -0.38, -0.04]], sign)
    )
    talus = _joint(tree, shank, (-0.01, -0.4, 0.0), [_Hinge("ankle", _Z - 0.1 * sign * _X - 0.17 * _Y, -40, 30)], side)
    tilted = sign * (0.79 * _X + 0.6 * _Y - 0.12 * sign * _Z)
    foot = _joint(tree, talus, (-0.05, -0.04, sign * 0.01), [_Hinge("subtalar", tilted, -20, 20)], side)
    tree.markers(foot, _sided([[-0.02, 0.02, 0.0], [0.19, 0.02, 0.0], [0.13, 0.0, 0.06]], sign))


def _knee(tree: TreeBuilder, thigh: int, side: str, sign: float) -> int:
    """A knee whose one angle also turns the shank inward and slides it, as the knees of such models do."""
    angle = tree.coordinate(f"knee{side}")
    tree.arrays["coordinate_range"][angle] = (0.0, radians(120))
    bend, turn = (
        tree.function([(-np.inf, 0.0, [0.0, -1.0, 0.0, 0.0])]),
        tree.function([(-np.inf, 0.0, [0, 0.2, -0.05, 0])]),
    )
    slide = tree.function([(-np.inf, 0.0, [0.0, -0.004, 0.0, 0.0])])
    axes = [(True, _Z, angle, bend), (True, sign * _Y, angle, turn), (False, _X, angle, slide)]
    return tree.body(thigh, axes, (0.0, -0.41, 0.0))


def _arm(tree: TreeBuilder, torso: int, side: str, sign: float) -> None:
    upper = _joint(tree, torso, (0.0, 0.37, sign * 0.17), _shoulder(side, sign))
    tree.markers(
        upper, _sided([[0.03, -0.1, 0.04], [-0.02, -0.18, 0.04], [0.0, -0.29, 0.04], [0.0, -0.29, -0.04]], sign)
    )
    ulna = _joint(tree, upper, (0.01, -0.29, 0.0), [_Hinge("elbow", _Z + 0.2 * sign * _X, 0, 150)], side)
    hand = _joint(tree, ulna, (0.0, -0.01, sign * 0.02), [_Hinge("pro_sup", sign * _Y, 0, 90)], side)
    tree.markers(hand, _sided([[0.03, -0.23, 0.03], [-0.03, -0.23, -0.01], [0.02, -0.13, 0.03]], sign))
    turns = [_Hinge("wrist_flexion", _Z, -70, 70), _Hinge("wrist_deviation", sign * _X, -10, 25)]
    fingers = _joint(tree, hand, (0.0, -0.24, 0.01 * sign), turns, side)
    tree.markers(fingers, _sided([[0.03, -0.07, 0.01], [-0.03, -0.06, 0.01]], sign))


def _shoulder(side: str, sign: float) -> list[_Hinge]:
    first, second = _Hinge(f"arm_flex{side}", _Z, -90, 90), _Hinge(f"arm_add{side}", sign * _X, -120, 90)
    return [first, second, _Hinge(f"arm_rot{side}", sign * _Y, -90, 90)]


def _ranged(tree: TreeBuilder, name: str, low_deg: float, high_deg: float) -> int:
    index = tree.coordinate(name)
    tree.arrays["coordinate_range"][index] = (radians(low_deg), radians(high_deg))
    return index


def _joint(
    tree: TreeBuilder, parent: int, offset_m: tuple[float, float, float], hinges: list[_Hinge], side: str = ""
) -> int:
    """Add a body behind clamped angles, one after another."""
    line, axes = tree.function(LINE), []
    for hinge in hinges:
        index = _ranged(tree, hinge.name + side, hinge.low_deg, hinge.high_deg)
        axes.append((True, hinge.axis, index, line))
    return tree.body(parent, axes, offset_m)


def _sided(positions_m: list[list[float]], sign: float) -> np.ndarray:
    """Return (m, 3) markers of the right limb, or their mirror images for the left one."""
    return np.array(positions_m) * np.array([1.0, 1.0, sign])


def random_poses(tree: KinematicTree, n_poses: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, c) coordinates, even over every range; what turns by a turn and more, or moves freely, anywhere.

    Free is what is not clamped and no angle (within a metre). Locks and couplers hold.
    """
    low, high = tree.coordinate_range.T
    whole = tree.coordinate_is_rotation & (high - low > 2.0 * np.pi)
    anywhere = ~tree.coordinate_is_rotation & ~tree.coordinate_clamped
    low, high = np.where(whole, -np.pi, low), np.where(whole, np.pi, high)
    low, high = np.where(anywhere, -1.0, low), np.where(anywhere, 1.0, high)
    poses = rng.uniform(low, high, (n_poses, tree.n_coordinates))
    return tree.complete_coordinates(np.where(tree.free_coordinates, poses, tree.coordinate_default))
