"""V3D files as BML-MoVi stores them, with the oddities that real files have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

VIRTUAL_MARKERS = (
    *("head", "mhip", "pelv", "thor", "lank", "lelb", "lhip", "lhan", "lkne", "lsho"),
    *("lwri", "lfoo", "rank", "relb", "rhip", "rhan", "rkne", "rsho", "rwri", "rfoo"),
)


def cell(values: list[Any], *, lying: bool = False) -> np.ndarray:
    """Return a MATLAB cell, upright (k, 1) or lying (1, k)."""
    array = np.empty((len(values), 1), dtype=object)
    for index, value in enumerate(values):
        array[index, 0] = value
    return array.T if lying else array


@dataclass
class V3dFile:
    """What goes into one file; every field has a sane default."""

    subject: int = 1
    person: dict[str, Any] = field(
        default_factory=lambda: {"sex": "Female", "height": 168.0, "mass": 58.5, "age": 24.0}
    )
    flags30: Any = ((11, 20), (31, 45))
    flags120: Any = "derived"
    motions: list[str] = field(default_factory=lambda: ["walking", "throw/catch"])
    lying: bool = False
    extra_nesting: int = 0
    marker_names: list[Any] = field(default_factory=lambda: ["LFHD", np.array([[np.nan]]), "RFHD"])
    markers_mm: Any = None
    virtual_mm: Any = None
    n_samples: int = 200
    without: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        """Write the file under its proper name and return its path."""
        flags30 = np.asarray(self.flags30, dtype=np.float64)
        rng = np.random.default_rng(0)
        move = {
            "motions_list": cell(self.motions, lying=self.lying),
            "flags30": flags30,
            "flags120": 4 * flags30 - 3 if isinstance(self.flags120, str) else np.asarray(self.flags120, float),
            "markerName": cell(self.marker_names, lying=True),
            "markerLocation": rng.normal(0, 500, (self.n_samples, len(self.marker_names), 3))
            if self.markers_mm is None
            else self.markers_mm,
            "virtualMarkerName": cell(list(VIRTUAL_MARKERS), lying=True),
            "virtualMarkerLocation": rng.normal(0, 500, (self.n_samples, 20, 3))
            if self.virtual_mm is None
            else self.virtual_mm,
        }
        nested: Any = cell([{name: value for name, value in move.items() if name not in self.without}])
        for _ in range(self.extra_nesting):
            nested = cell([nested])
        person = {"id": f"Subject_{self.subject}", **self.person}
        path = folder / f"F_v3d_Subject_{self.subject}.mat"
        savemat(path, {f"Subject_{self.subject}_F": {"id": person["id"], "subject": person, "move": nested}})
        return path
