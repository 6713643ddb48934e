"""The vertices of SMPL-X that coincide with vertices of SMPL and SMPL+H: `opensim_models/smplx_vertices.csv`.

| column | content |
|---|---|
| `smpl_vertex` | vertex of SMPL and SMPL+H; several rows where the point lies between vertices of SMPL-X |
| `smplx_vertex` | vertex of SMPL-X in its usual order |
| `weight` | its share in the point; the shares of one `smpl_vertex` sum to 1 |
| `x_m`, `y_m`, `z_m` | where it stands in SMPL-X's neutral template, to a micrometre |
| `neighbours` | vertices of SMPL-X that share an edge with it, in order |

Positions: see NOTICE (CC BY 4.0). Only vertices that the packaged marker set names are known.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.formats.packaged import packaged_path

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SmplxVertices:
    """Vertices of SMPL-X that stand for vertices of SMPL; r rows, in the order of the file.

    Attributes:
        smpl: (r,) int64 vertex of SMPL.
        smplx: (r,) int64 vertex of SMPL-X in its usual order.
        weights: (r,) float64 share in the point.
        positions_m: (r, 3) float64, metres, in SMPL-X's neutral template.
        neighbours: vertices of SMPL-X that share an edge with each.
    """

    smpl: NDArray[np.int64]
    smplx: NDArray[np.int64]
    weights: NDArray[np.float64]
    positions_m: NDArray[np.float64]
    neighbours: tuple[frozenset[int], ...]


@lru_cache(maxsize=1)
def read_smplx_vertices() -> SmplxVertices:
    """Read the packaged table."""
    with packaged_path("opensim_models", "smplx_vertices.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return SmplxVertices(
        smpl=np.array([int(row["smpl_vertex"]) for row in rows]),
        smplx=np.array([int(row["smplx_vertex"]) for row in rows]),
        weights=np.array([float(row["weight"]) for row in rows]),
        positions_m=np.array([[float(row[f"{axis}_m"]) for axis in "xyz"] for row in rows]),
        neighbours=tuple(frozenset(map(int, row["neighbours"].split())) for row in rows),
    )
