"""The world frames and the rotations between them, defined only here.

| frame | axes | origin |
|---|---|---|
| AMASS world | z up | on the floor |
| OpenSim ground | y up | as AMASS: the two differ by a rotation only |
| MoVi (V3D) world | z up, x_movi = -y_amass, y_movi = x_amass | as AMASS; millimetres in files, metres here |
| SMPL+H rest pose | y up, facing +z | of the body model, near the chest |

A matrix `A_TO_B` turns column vectors of frame A into frame B. The world of a *rotation* (body to world) is changed
by the same matrix from the left: `A_TO_B @ body_to_a`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.checks import frozen_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

AMASS_TO_GROUND = frozen_array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
"""(x, y, z) in AMASS world is (x, z, -y) in OpenSim ground: z up becomes y up, by -90 degrees about x."""

AMASS_TO_MOVI = frozen_array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
"""(x, y, z) in AMASS world is (-y, x, z) in MoVi's world: +90 degrees about z."""

REST_POSE_TO_GROUND = frozen_array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""The rest pose faces +z; the static trial faces +x of OpenSim ground: +90 degrees about y."""


def amass_to_ground(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) points or vectors of AMASS world into OpenSim ground; the unit stays."""
    return turn(vectors, AMASS_TO_GROUND)


def ground_to_amass(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) points or vectors of OpenSim ground into AMASS world; the unit stays."""
    return turn(vectors, AMASS_TO_GROUND.T)


def amass_to_movi(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) points or vectors of AMASS world into MoVi's world; the unit stays (metres in, metres out)."""
    return turn(vectors, AMASS_TO_MOVI)


def movi_to_amass(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) points or vectors of MoVi's world into AMASS world; the unit stays."""
    return turn(vectors, AMASS_TO_MOVI.T)


def rest_pose_to_ground(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 3) points of SMPL+H's rest pose into OpenSim ground, facing +x."""
    return turn(vectors, REST_POSE_TO_GROUND)


def turn(vectors: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `matrix @ v` for each of (..., 3) vectors."""
    return np.asarray(vectors @ matrix.T)
