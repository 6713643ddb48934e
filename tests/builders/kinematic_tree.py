"""Random kinematic trees, built without OpenSim: a free root, limbs of every joint kind, couplers, splines, markers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.records.kinematic_tree import KinematicTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE = [(-np.inf, 0.0, [0.0, 1.0, 0.0, 0.0])]


@dataclass
class TreeBuilder:
    """Collects the arrays of a tree; coordinates are bounded by +-1.5 and clamped unless said otherwise."""

    arrays: dict[str, list[Any]] = field(
        default_factory=lambda: {
            name: []
            for name in (
                *("body_names", "joint_names", "body_parent", "parent_rotation", "parent_position_m"),
                *("child_rotation", "child_position_m", "axis_is_rotation", "axis_direction"),
                *("axis_coordinate", "axis_function", "piece_start", "piece_origin", "piece_coefficients"),
                *("coordinate_names", "coordinate_is_rotation", "coordinate_default", "coordinate_range"),
                *("coordinate_clamped", "coordinate_locked", "coupled_to", "coupling_function"),
                *("marker_names", "marker_body", "marker_position_m"),
            )
        }
    )
    first_axis: list[int] = field(default_factory=lambda: [0])
    first_piece: list[int] = field(default_factory=lambda: [0])

    def function(self, pieces: list[tuple[float, float, list[float]]]) -> int:
        """Add a function by its pieces (start, origin, four coefficients); return its index."""
        for start, origin, coefficients in pieces:
            self.arrays["piece_start"].append(start)
            self.arrays["piece_origin"].append(origin)
            self.arrays["piece_coefficients"].append(coefficients)
        self.first_piece.append(len(self.arrays["piece_start"]))
        return len(self.first_piece) - 2

    def coordinate(self, name: str, *, is_rotation: bool = True, clamped: bool = True, default: float = 0.0) -> int:
        """Add a free coordinate; return its index."""
        values = {
            "coordinate_names": name,
            "coordinate_is_rotation": is_rotation,
            "coordinate_default": default,
            "coordinate_range": (-1.5, 1.5),
            "coordinate_clamped": clamped,
            "coordinate_locked": False,
            "coupled_to": -1,
            "coupling_function": -1,
        }
        for key, value in values.items():
            self.arrays[key].append(value)
        return len(self.arrays["coordinate_names"]) - 1

    def body(
        self,
        parent: int,
        axes: list[tuple[bool, Any, int, int]],
        offset_m: Any = (0.0, 0.0, 0.0),
        rotation: NDArray[np.float64] | None = None,
    ) -> int:
        """Add a body behind a joint with (rotation?, direction, coordinate, function) axes; return its index."""
        index = len(self.arrays["body_names"])
        values = {
            "body_names": f"body{index}",
            "joint_names": f"joint{index}",
            "body_parent": parent,
            "parent_rotation": np.eye(3) if rotation is None else rotation,
            "parent_position_m": offset_m,
            "child_rotation": np.eye(3),
            "child_position_m": (0.0, 0.0, 0.0),
        }
        for key, value in values.items():
            self.arrays[key].append(value)
        for is_rotation, direction, coordinate, function in axes:
            self.arrays["axis_is_rotation"].append(is_rotation)
            self.arrays["axis_direction"].append(np.asarray(direction, float) / np.linalg.norm(direction))
            self.arrays["axis_coordinate"].append(coordinate)
            self.arrays["axis_function"].append(function)
        self.first_axis.append(len(self.arrays["axis_is_rotation"]))
        return index

    def root(self) -> int:
        """Add a free root: translations, then rotations about z, x and y, as the pelvis of OpenSim's models."""
        line = self.function(LINE)
        axes = []
        for axis, name in enumerate(("tx", "ty", "tz")):
            moved = self.coordinate(f"root_{name}", is_rotation=False, clamped=False)
            axes.append((False, np.eye(3)[axis], moved, line))
        for axis, name in ((2, "tilt"), (0, "list"), (1, "rotation")):
            turned = self.coordinate(f"root_{name}", clamped=False)
            axes.append((True, np.eye(3)[axis], turned, line))
        return self.body(-1, axes)

    def markers(self, body: int, positions_m: NDArray[np.float64]) -> None:
        """Add markers to a body, named after it."""
        for position in positions_m:
            self.arrays["marker_names"].append(f"m{len(self.arrays['marker_names'])}")
            self.arrays["marker_body"].append(body)
            self.arrays["marker_position_m"].append(position)

    def build(self) -> KinematicTree:
        """Return the tree."""
        shapes = {"rotation": (-1, 3, 3), "position_m": (-1, 3), "direction": (-1, 3), "range": (-1, 2)}
        values: dict[str, Any] = dict(self.arrays)
        for name, value in self.arrays.items():
            for end, shape in shapes.items():
                if name.endswith(end) and name not in ("axis_is_rotation", "coordinate_is_rotation"):
                    values[name] = np.array(value, dtype=np.float64).reshape(shape)
        width = values["piece_coefficients"] or np.zeros((0, 4))
        values["piece_coefficients"] = np.array(width, dtype=np.float64)
        return KinematicTree(first_axis=self.first_axis, first_piece=self.first_piece, **values)


def spline(rng: np.random.Generator, scale: float = 0.3) -> list[tuple[float, float, list[float]]]:
    """A smooth function: a quadratic between straight lines."""
    bend, slope = rng.normal(0, scale, 2)
    left = [bend - slope, slope - 2 * bend, 0.0, 0.0]
    right = [bend + slope, slope + 2 * bend, 0.0, 0.0]
    return [(-np.inf, -1.0, left), (-1.0, 0.0, [0.0, slope, bend, 0.0]), (1.0, 1.0, right)]


def random_tree(seed: int, *, n_bodies: int = 6, markers_per_body: int = 3) -> KinematicTree:
    """Return a tree with a free root, gimbals, hinges that slide along splines, a coupler chain, and a weld."""
    rng = np.random.default_rng(seed)
    tree = TreeBuilder()
    tree.markers(tree.root(), rng.normal(0, 0.15, (markers_per_body + 1, 3)))
    line = 0
    for index in range(n_bodies):
        parent = int(rng.integers(0, index + 1))
        offset, turned = rng.normal(0, 0.2, 3), random_rotation(rng)
        kind = index % 4
        if kind == 0:
            own = [tree.coordinate(f"gimbal{index}_{k}") for k in range(3)]
            body = tree.body(parent, [(True, axis, c, line) for axis, c in zip(np.eye(3), own, strict=True)], offset)
        elif kind == 1:
            own = [tree.coordinate(f"knee{index}")]
            slide = tree.function(spline(rng, 0.03))
            # One coordinate slides and turns: what a spline knee does.
            axes = [(False, rng.normal(size=3), own[0], slide), (True, rng.normal(size=3), own[0], line)]
            body = tree.body(parent, axes, offset, turned)
        elif kind == 2:
            own = [tree.coordinate(f"leader{index}"), tree.coordinate(f"follower{index}", clamped=False)]
            follow(tree, own[1], own[0], tree.function(spline(rng)))
            body = tree.body(parent, [(True, rng.normal(size=3), own[0], line)], offset, turned)
            body = tree.body(body, [(True, rng.normal(size=3), own[1], line)], rng.normal(0, 0.1, 3))
        else:
            body = tree.body(tree.body(parent, [], offset, turned), [], rng.normal(0, 0.1, 3))
        tree.markers(body, rng.normal(0, 0.15, (markers_per_body, 3)))
    return tree.build()


def follow(tree: TreeBuilder, follower: int, leader: int, function: int) -> None:
    """Couple a coordinate to another."""
    tree.arrays["coupled_to"][follower] = leader
    tree.arrays["coupling_function"][follower] = function


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a (3, 3) rotation, uniform."""
    quaternion = rng.normal(size=4)
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def smooth_motion(tree: KinematicTree, seed: int, n_frames: int = 20, *, size: float = 0.5) -> NDArray[np.float64]:
    """Return (n, c) coordinates that swing slowly inside their ranges, couplers and locks kept."""
    rng = np.random.default_rng(seed)
    phase, amplitude = rng.uniform(0, 2 * np.pi, tree.n_coordinates), rng.uniform(0.3, 1.0, tree.n_coordinates) * size
    time = np.linspace(0, 1.5, n_frames)[:, None]
    return tree.complete_coordinates(tree.coordinate_default + amplitude * np.sin(time + phase))
