"""A motion of any model whose answer is known: poses inside every range, and the markers that they show.

The self-test solves these markers and compares; the solver is compiled on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.markers import MarkerTrajectories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

N_FRAMES = 12
RATE_HZ = 30.0
SEED = 20231
SWING = 0.25
"""Share of each coordinate's range that the poses swing over, about the default pose."""
LARGEST_SWING = 0.6
"""Largest swing of a coordinate, rad or m."""


def known_poses(tree: KinematicTree) -> NDArray[np.float64]:
    """Return (n, c) coordinates, rad and m: smooth swings about the default pose, inside every range.

    The root turns freely; couplers hold exactly.
    """
    generator = np.random.default_rng(SEED)
    phase = generator.uniform(0.0, 2.0 * np.pi, tree.n_coordinates)
    low, high = tree.coordinate_range.T
    swing = np.minimum(SWING * (high - low), LARGEST_SWING)
    # Ranges are often one-sided (a knee): the middle of the swing is moved inside.
    middle = np.clip(tree.coordinate_default, low + swing, high - swing)
    # Half a swing: neighbours are as near to each other as in fast motion at the video clock.
    turn = np.pi * np.arange(N_FRAMES)[:, None] / N_FRAMES
    known = middle + swing * np.sin(turn + phase)
    return tree.complete_coordinates(np.where(tree.free_coordinates, known, tree.coordinate_default))


def known_markers(tree: KinematicTree, coordinates: NDArray[np.float64]) -> MarkerTrajectories:
    """Return where the model's markers are at (n, c) coordinates, rad and m: (n, m, 3) metres, OpenSim ground."""
    return MarkerTrajectories(
        names=tree.marker_names,
        positions_m=tree.marker_positions(coordinates),
        times_s=np.arange(len(coordinates)) / RATE_HZ,
        sample_indices=np.arange(len(coordinates), dtype=np.int64),
        rate_hz=RATE_HZ,
        source="self-test",
    )
