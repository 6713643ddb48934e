"""The audit of scaling: every bound, its sentence, and what passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.config.scaling import ScaleAuditSettings
from movi_prep.osim.scale_audit import audit_scaling
from movi_prep.records.scale_result import ScaleResult

GOOD = ScaleResult(
    body_names=("femur_r", "femur_l", "humerus", "humerus_l", "pelvis"),
    body_factors=np.full((5, 3), 1.05),
    measurement_names=(),
    measurement_factors=np.zeros(0),
    marker_names=("A", "B", "C"),
    marker_weights=np.array([20.0, 1000.0, 1.0]),
    marker_errors_m=np.array([0.006, 0.008, 0.5]),
    landmark_rms_m=float("nan"),
    landmark_max_m=float("nan"),
    mass_kg=70.0,
    height_m=1.7,
    pelvis_middle_angle_rad=0.02,
    findings=("a remark",),
    passed=False,
)
SETTINGS = ScaleAuditSettings()


def _with_factor(index: int, factor: float) -> ScaleResult:
    factors = GOOD.body_factors.copy()
    factors[index, 1] = factor
    return replace(GOOD, body_factors=factors)


def test_a_good_subject_passes_and_keeps_its_remarks() -> None:
    result = audit_scaling(GOOD, SETTINGS)
    assert result.passed
    assert result.findings == ("a remark",)
    assert result.landmark_rms_m == pytest.approx(np.sqrt((0.006**2 + 0.008**2) / 2.0))
    assert result.landmark_max_m == pytest.approx(0.008)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (replace(GOOD, marker_errors_m=np.array([0.012, 0.011, 0.0])), "landmark RMS is 11.5 mm"),
        (replace(GOOD, marker_errors_m=np.array([0.021, 0.0, 0.0])), "landmark A misses by 21.0 mm"),
        (replace(GOOD, marker_errors_m=np.array([np.nan, np.nan, 0.0])), "no landmark"),
        (_with_factor(4, 2.0), "scale factors of pelvis are 1.050, 2.000, 1.050"),
        (_with_factor(1, 1.3), "scale factors of femur_l and femur_r differ by 21 % along Y"),
        (_with_factor(3, 0.8), "scale factors of humerus_l and humerus differ by 27 % along Y"),
        (replace(GOOD, pelvis_middle_angle_rad=np.radians(88.0)), "88 degrees"),
    ],
)
def test_every_bound_has_its_sentence(bad: ScaleResult, message: str) -> None:
    result = audit_scaling(bad, SETTINGS)
    assert not result.passed
    assert any(message in finding for finding in result.findings), result.findings
