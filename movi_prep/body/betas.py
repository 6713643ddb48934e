"""The match of a motion's shape coefficients to a model's shape directions; files hold 10, 16 or 300 of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def all_betas(betas: NDArray[np.float64], n_directions: int, *, model: str) -> NDArray[np.float64]:
    """Return (n_directions,) float64 betas; directions beyond the motion's betas are 0.

    Directions are sorted by the variance that they explain: the first ten betas mean the same in all models of a body.

    Raises:
        InputError: a nonzero beta has no direction in the model, which would change the body.
    """
    beyond = betas[n_directions:]
    if np.any(beyond != 0):
        raise InputError(
            model,
            expected=f"a body model of {len(betas)} shape directions or more, as many as the motion has betas",
            got=f"{n_directions}",
            remedy="fetch the release of the body model with more shape directions (16 or 300)",
        )
    whole = np.zeros(n_directions)
    whole[: len(betas)] = betas[:n_directions]
    return whole
