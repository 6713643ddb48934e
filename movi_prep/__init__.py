"""movi-prep: ground truth for video-to-kinematics networks from AMASS BMLmovi, SMPL+H and BML-MoVi.

The Python API, each name imported on first use so that `import movi_prep` costs nothing:

- `read_markers`, `read_model`, `scale_model`, `solve_ik`, `read_ik_solution`, `plot_coordinates` (see `movi_prep.api`);
- `ShardDataset` and `KinematicLayer`, the training side, which need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from movi_prep._version import __version__

if TYPE_CHECKING:
    from movi_prep.api import plot_coordinates, read_ik_solution, read_markers, read_model, scale_model, solve_ik
    from movi_prep.training.kinematic_layer import KinematicLayer
    from movi_prep.training.shard_dataset import ShardDataset

__all__ = [
    "KinematicLayer",
    "ShardDataset",
    "__version__",
    "plot_coordinates",
    "read_ik_solution",
    "read_markers",
    "read_model",
    "scale_model",
    "solve_ik",
]

_HOMES = {
    "KinematicLayer": "movi_prep.training.kinematic_layer",
    "ShardDataset": "movi_prep.training.shard_dataset",
}
"""Modules of names that are not in `movi_prep.api`."""


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'movi_prep' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "movi_prep.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
