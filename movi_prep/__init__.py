"""movi-prep: ground truth for video-to-kinematics networks from AMASS BMLmovi, SMPL+H and BML-MoVi.

`movi_prep.ShardDataset` and `movi_prep.KinematicLayer` are the training side. They are imported on first use, because
they need torch, and nothing else here should pay for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from movi_prep._version import __version__

if TYPE_CHECKING:
    from movi_prep.training.kinematic_layer import KinematicLayer
    from movi_prep.training.shard_dataset import ShardDataset

__all__ = ["KinematicLayer", "ShardDataset", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name == "ShardDataset":
        from movi_prep.training.shard_dataset import ShardDataset

        return ShardDataset
    if name == "KinematicLayer":
        from movi_prep.training.kinematic_layer import KinematicLayer

        return KinematicLayer
    raise AttributeError(f"module 'movi_prep' has no attribute {name!r}")
