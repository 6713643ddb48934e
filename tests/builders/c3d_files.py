"""C3D files, written by ezc3d in a process of its own: beside OpenSim it cannot live in one (`formats.c3d_arrays`)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_c3d(
    path: Path, points: NDArray[np.float64], residuals: NDArray[np.float64], *, rate_hz: float, **point: Any
) -> Path:
    """Write points (n, m, 3) in the file's unit, residuals (n, m), and parameters of the group POINT."""
    reported = {"points": points.tolist(), "residuals": residuals.tolist(), "rate_hz": rate_hz, "POINT": point}
    subprocess.run([sys.executable, __file__, str(path)], input=json.dumps(reported), text=True, check=True)
    return path


def _main(path: str) -> None:
    import ezc3d

    reported = json.load(sys.stdin)
    points = np.array(reported["points"])
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [reported["rate_hz"]]
    for key, value in reported["POINT"].items():
        if key in file["parameters"]["POINT"]:
            file["parameters"]["POINT"][key]["value"] = value
        else:
            file.add_parameter("POINT", key, value)
    file["data"]["points"] = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2).transpose(2, 1, 0)
    file["data"]["meta_points"]["residuals"] = np.array(reported["residuals"]).T[None]
    file.write(path)


if __name__ == "__main__":
    _main(sys.argv[1])
