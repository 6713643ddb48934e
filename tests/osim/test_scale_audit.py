"""The audit of scaling: every bound, its sentence, and what passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.config.scaling import ScaleAuditSettings
from movi_prep.osim.scale_audit import audit_scaling
from movi_prep.records.scale_result import AuditGrade, ScaleResult

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
    audit=AuditGrade.REFUSED,
)
SETTINGS = ScaleAuditSettings()
DOUBTFUL, REFUSED = AuditGrade.DOUBTFUL, AuditGrade.REFUSED


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
    ("bad", "message", "grade"),
    [
        (replace(GOOD, marker_errors_m=np.array([0.012, 0.011, 0.0])), "landmark RMS is 11.5 mm", DOUBTFUL),
        (replace(GOOD, marker_errors_m=np.array([0.021, 0.0, 0.0])), "landmark A misses by 21.0 mm", DOUBTFUL),
        (replace(GOOD, marker_errors_m=np.array([0.05, 0.05, 0.0])), "landmark RMS is 50.0 mm", REFUSED),
        (replace(GOOD, marker_errors_m=np.array([np.nan, np.nan, 0.0])), "no landmark", DOUBTFUL),
        (_with_factor(4, 2.0), "scale factors of pelvis are 1.050, 2.000, 1.050", DOUBTFUL),
        (_with_factor(4, 0.4), "scale factors of pelvis are 1.050, 0.400, 1.050", DOUBTFUL),
        (replace(GOOD, body_factors=np.full((5, 3), 2.0)), "2.00 times the model's size", REFUSED),
        (_with_factor(1, 1.3), "scale factors of femur_l and femur_r differ by 21 % along Y", DOUBTFUL),
        (_with_factor(3, 0.8), "scale factors of humerus_l and humerus differ by 27 % along Y", DOUBTFUL),
        (replace(GOOD, pelvis_middle_angle_rad=np.radians(88.0)), "88 degrees", REFUSED),
    ],
)
def test_every_bound_has_its_sentence_and_grade(bad: ScaleResult, message: str, grade: AuditGrade) -> None:
    result = audit_scaling(bad, SETTINGS)
    by_motion = audit_scaling(bad, SETTINGS, shown="motion")
    assert by_motion.audit is result.audit
    assert not any("landmark" in finding and "static" in finding for finding in by_motion.findings)
    assert result.audit is grade
    assert any(message in finding for finding in result.findings), result.findings


def test_a_child_is_doubtful_and_not_refused() -> None:
    """A child of three years has half of the model's size."""
    assert audit_scaling(replace(GOOD, body_factors=np.full((5, 3), 0.55)), SETTINGS).audit is DOUBTFUL


def test_what_makes_labels_wrong_refuses_whatever_the_numbers_are() -> None:
    assert audit_scaling(GOOD, SETTINGS, wrong=["a mirror image"]).audit is REFUSED
