"""The text of `movi-prep --version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from movi_prep._version import __version__

_LIBRARIES = {"opensim": "OpenSim", "torch": "torch", "numpy": "numpy", "numba": "numba"}
"""Libraries that results depend on, by the name of their distribution."""


def describe_versions() -> str:
    """Return a line for movi-prep and one for each thing that its results depend on.

    The solver's version is that of the stage `ik`: it rises whenever the same inputs give other angles.
    """
    from movi_prep.stages.order import ORDER, load_stage

    solver = load_stage(next(entry for entry in ORDER if entry.name == "ik")).version
    libraries = [f"{name} {_installed(distribution)}" for distribution, name in _LIBRARIES.items()]
    return "\n".join(
        (f"movi-prep {__version__}", f"solver {solver}", *libraries, f"Python {platform.python_version()}")
    )


def _installed(distribution: str) -> str:
    # Metadata are read at once; importing torch and OpenSim takes seconds.
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "is not installed"
