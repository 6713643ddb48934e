"""The device and number of threads on which torch computes; both are set, never detected."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from movi_prep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def torch_device(name: str) -> torch.device:
    """Return the device of a setting like `cpu`, `cuda` or `cuda:1`; raise UsageError where it is not there."""
    try:
        device = torch.device(name)
        # A device may be known by name and still not work; only making something on it shows.
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"markers.device: expected a torch device that works here, but got {name!r} ({reason}); "
            "use 'cpu', or install a torch build for this GPU"
        ) from error
    return device


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block: units run side by side in processes, one thread each."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
