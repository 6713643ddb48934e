"""movi-prep: ground truth for video-to-kinematics networks from AMASS BMLmovi, SMPL+H and BML-MoVi.

`movi_prep.ShardDataset` is the reading side; it is imported on first use, because it needs torch and nothing
else here should pay for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from movi_prep._version import __version__

if TYPE_CHECKING:
    from movi_prep.training.shard_dataset import ShardDataset

__all__ = ["ShardDataset", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the torch dataset when it is first asked for (PEP 562)."""
    if name == "ShardDataset":
        from movi_prep.training.shard_dataset import ShardDataset

        return ShardDataset
    raise AttributeError(f"module 'movi_prep' has no attribute {name!r}")
