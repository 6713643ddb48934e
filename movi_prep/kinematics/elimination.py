"""The order in which the unknowns of a tree are eliminated, and where fill-in falls.

The Gauss-Newton matrix of a tree has a nonzero only where one coordinate moves a body below the other, so
eliminating limbs before the root keeps the factor sparse. The pattern never changes; it is found once per
folded model by minimum degree, and grouped into blocks of up to four columns that share their rows below (supernodes)
whose rows are stored as runs of consecutive indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BLOCK_COLUMNS = 4
# Gaps in a run are stored as zeros: cheaper than the bookkeeping of a second run.
_LARGEST_GAP = 4


class Elimination(NamedTuple):
    """The order and the pattern of the factor.

    Attributes:
        order: (x,) int64, the unknown at each position.
        first_row: (x + 1,) int64, rows first_row[j] to first_row[j + 1] - 1 of `rows` belong to column j.
        rows: positions below the diagonal where the factor may be nonzero, ascending.
        first_column: (blocks + 1,) int64, first column of each block.
        first_run: (blocks + 1,) int64, runs of each block, below its last column.
        run_start: (runs,) int64, first row.
        run_end: (runs,) int64, row after the last.
    """

    order: NDArray[np.int64]
    first_row: NDArray[np.int64]
    rows: NDArray[np.int64]
    first_column: NDArray[np.int64]
    first_run: NDArray[np.int64]
    run_start: NDArray[np.int64]
    run_end: NDArray[np.int64]


def order_elimination(neighbours: Sequence[set[int]], depth: Sequence[int]) -> Elimination:
    """Return the elimination of a symmetric pattern.

    Args:
        neighbours: for each unknown, the unknowns that share a nonzero with it.
        depth: for each unknown, how far from the root it acts; ties go to the deepest.
    """
    order, filled = _minimum_degree(neighbours, depth)
    position = {unknown: place for place, unknown in enumerate(order)}
    columns = [sorted(position[other] for other in below) for below in filled]
    blocks = _blocks(columns)
    runs = [_runs(columns[end - 1]) for end in blocks[1:]]
    flat = [run for block in runs for run in block]
    return Elimination(
        order=np.array(order, dtype=np.int64),
        first_row=_offsets(columns),
        rows=np.array([row for column in columns for row in column], dtype=np.int64),
        first_column=np.array(blocks, dtype=np.int64),
        first_run=_offsets(runs),
        run_start=np.array([start for start, _ in flat], dtype=np.int64),
        run_end=np.array([end for _, end in flat], dtype=np.int64),
    )


def _minimum_degree(neighbours: Sequence[set[int]], depth: Sequence[int]) -> tuple[list[int], list[set[int]]]:
    """Eliminate the unknown with the fewest neighbours, and connect those to one another."""
    graph = [set(found) for found in neighbours]
    waiting = set(range(len(graph)))
    order: list[int] = []
    below: list[set[int]] = []
    while waiting:
        # The last part of the key makes the order, and so every bit of the result, independent of how a set iterates.
        unknown = min(waiting, key=lambda u: (len(graph[u]), -depth[u], u))
        around = graph[unknown]
        for other in around:
            # Fill-in: eliminating an unknown couples all its neighbours.
            graph[other] = (graph[other] | around) - {other, unknown}
        order.append(unknown)
        below.append(around)
        waiting.discard(unknown)
    return order, below


def _blocks(columns: list[list[int]]) -> list[int]:
    """First columns of blocks: neighbours merge if that adds at most two zeros per column."""
    starts = [0]
    for column in range(1, len(columns)):
        before = columns[column - 1]
        # The block's columns share the rows of its last one, so a merge stores as many zeros as the sets differ.
        joins = bool(before) and before[0] == column and len(columns[column]) - len(before) + 1 <= 2
        if not joins or column - starts[-1] >= _BLOCK_COLUMNS:
            starts.append(column)
    return [*starts, len(columns)] if columns else [0]


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row - runs[-1][1] < _LARGEST_GAP:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs


def _offsets(groups: Sequence[Sequence[object]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum([len(group) for group in groups])]).astype(np.int64)
