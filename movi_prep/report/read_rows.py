"""Reads a solution block by block; of markers and bodies only what they miss by is kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.records.solved_rows import MarkerMiss, SolvedRows, VectorMean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from movi_prep.records.ik_solution import IkSolution

BLOCK_ROWS = 5_000
"""Rows that are read at a time; as many as are solved and written together."""

GROUND = "ground"

_NOT_SHOWN = ("deviation_factor",)
"""Covariances are most of a file, and no page shows them."""

_ROW_ARRAYS = ("times_s", "statuses", "coordinates", "coordinate_valid", "posterior_std", "label_std", "misses_m")


def read_solved_rows(
    path: Path, marker_bodies: Mapping[str, str], read: Callable[[slice, Sequence[str]], IkSolution] | None = None
) -> SolvedRows:
    """Read a solution block by block.

    Args:
        path: the file.
        marker_bodies: marker -> the body that it sits on.
        read: reads some rows, without some fields; None reads those of the file.

    Raises:
        MissingError: the file does not exist.
        InputError: it is no IK solution, of a newer version, or damaged.
    """
    # Here: pages on trials use this module, and must not load HDF5.
    from movi_prep.formats.ik_file import count_ik_rows, read_ik_solution

    def read_block(rows: slice) -> SolvedRows:
        solution = read_ik_solution(path, rows, without=_NOT_SHOWN) if read is None else read(rows, _NOT_SHOWN)
        return solved_rows(solution, marker_bodies)

    n_rows = count_ik_rows(path)
    slices = [slice(start, min(start + BLOCK_ROWS, n_rows)) for start in range(0, max(n_rows, 1), BLOCK_ROWS)]
    blocks = map(read_block, slices)
    return next(blocks) if len(slices) == 1 else _joined(blocks, slices)


def solved_rows(solution: IkSolution, marker_bodies: Mapping[str, str]) -> SolvedRows:
    """Return a solution without its markers and bodies."""
    return SolvedRows(
        solver=solution.solver,
        times_s=solution.times_s,
        statuses=solution.statuses,
        coordinate_names=solution.coordinate_names,
        coordinate_is_rotation=solution.coordinate_is_rotation,
        coordinates=solution.coordinates,
        coordinate_valid=solution.coordinate_valid,
        free_coordinates=solution.free_coordinates,
        marker_names=solution.marker_names,
        marker_weights=solution.marker_weights,
        posterior_std=solution.posterior_std,
        label_std=solution.label_std,
        misses_m=solution.residuals_m(),
        misses=marker_misses(solution, marker_bodies),
    )


def marker_misses(solution: IkSolution, marker_bodies: Mapping[str, str]) -> dict[str, MarkerMiss]:
    """Return the residual vectors of every weighted marker, in ground and in the frame of its body."""
    usable, misses = solution.usable(), {}
    for column in np.flatnonzero(solution.marker_weights > 0).tolist():
        name = solution.marker_names[column]
        vectors = (solution.model_markers_m[:, column] - solution.observed_markers_m[:, column]) * 1000.0
        seen = usable & np.isfinite(vectors).all(axis=1)
        body = marker_bodies.get(name, GROUND)
        on_body = None
        if body in solution.body_names:
            rotations = solution.body_rotations[:, solution.body_names.index(body)]
            # R^T v: from ground into the body. Before rows are chosen: einsum of a part would round another way.
            on_body = VectorMean.of(np.einsum("nji,nj->ni", rotations, vectors)[seen])
        misses[name] = MarkerMiss(VectorMean.of(vectors[seen]), on_body)
    return misses


def _joined(blocks: Iterator[SolvedRows], slices: Sequence[slice]) -> SolvedRows:
    """Return blocks of one solution as one; each is gone before the next one is read."""
    first = next(blocks)
    whole = {
        name: np.empty((slices[-1].stop, *array.shape[1:]), array.dtype)
        for name in _ROW_ARRAYS
        if (array := getattr(first, name)) is not None
    }
    misses: dict[str, MarkerMiss] = {}
    for block, rows in zip(chain([first], blocks), slices, strict=True):
        for name, array in whole.items():
            array[rows] = getattr(block, name)
        misses = {name: misses[name] + miss if misses else miss for name, miss in block.misses.items()}
    arrays: dict[str, Any] = whole
    return replace(first, **arrays, misses=misses)
