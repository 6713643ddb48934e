"""`scale.json`: the result of scaling, stored beside the scaled model.

| key                       | content                                                                       |
|---------------------------|-------------------------------------------------------------------------------|
| `format`, `version`       | `movi-prep scale result`, 1                                                   |
| `audit`, `findings`       | sound, doubtful or refused; sentences with numbers                            |
| `passed`                  | whether the audit is sound (files without `audit`: whether it is not refused) |
| `mass_kg`, `height_m`     | of the scaled model, of the subject                                           |
| `landmark_rms_m`, `landmark_max_m` | static residuals of landmarks, metres                                |
| `pelvis_middle_angle_rad` | middle angle of the root joint in the static pose                             |
| `bodies`                  | body -> three factors along X, Y, Z of the body                               |
| `measurements`            | measurement -> factor                                                         |
| `markers`                 | marker -> `weight`, `error_m` (null where the data lack it)                   |
| `provenance`              | who made it from what                                                         |
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep._version import __version__
from movi_prep.formats.atomic import write_text
from movi_prep.formats.described_json import read_described_json
from movi_prep.formats.reading import reads
from movi_prep.records.scale_result import AuditGrade, ScaleResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "movi-prep scale result"
VERSION = 1

_SCALARS = ("mass_kg", "height_m", "landmark_rms_m", "landmark_max_m", "pelvis_middle_angle_rad")


def write_scale_result(path: Path, result: ScaleResult, *, provenance: Mapping[str, Any]) -> None:
    """Write a result as JSON, atomically; numbers that are not finite become null."""
    errors = zip(result.marker_weights.tolist(), result.marker_errors_m.tolist(), strict=True)
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "audit": str(result.audit),
        "passed": result.passed,
        "findings": list(result.findings),
        **{name: _finite(getattr(result, name)) for name in _SCALARS},
        "bodies": dict(zip(result.body_names, result.body_factors.tolist(), strict=True)),
        "measurements": dict(zip(result.measurement_names, result.measurement_factors.tolist(), strict=True)),
        "markers": {
            name: {"weight": weight, "error_m": _finite(error_m)}
            for name, (weight, error_m) in zip(result.marker_names, errors, strict=True)
        },
        "provenance": {"movi_prep": __version__, **provenance},
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


@reads("a scale result", "run scaling again: movi-prep ik")
def read_scale_result(path: Path) -> ScaleResult:
    """Read a result.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not a scale result, or of another version.
    """
    content = read_described_json(
        path, kind=FORMAT, version=VERSION, what="a scale result", remedy="run scaling: movi-prep ik"
    )
    markers = content["markers"]
    return ScaleResult(
        body_names=tuple(content["bodies"]),
        # A model without scaled bodies gives (0, 3), not (0,).
        body_factors=np.array(list(content["bodies"].values()), dtype=np.float64).reshape(-1, 3),
        measurement_names=tuple(content["measurements"]),
        measurement_factors=np.array(list(content["measurements"].values()), dtype=np.float64),
        marker_names=tuple(markers),
        marker_weights=np.array([item["weight"] for item in markers.values()], dtype=np.float64),
        marker_errors_m=np.array([_number(item["error_m"]) for item in markers.values()]),
        findings=tuple(content["findings"]),
        # Before there were grades, what did not pass was refused.
        audit=AuditGrade(content.get("audit", "sound" if content["passed"] else "refused")),
        pose={},
        distances=(),
        **{name: _number(content[name]) for name in _SCALARS},
    )


def _finite(value: float) -> float | None:
    # JSON has no NaN; Python would write one that other readers refuse.
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
