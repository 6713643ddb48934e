"""What is good and what is not: guidelines, and the grade of a value by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.scale_result import AuditGrade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from movi_prep.pages.html import Verdict
    from movi_prep.records.scale_result import ScaleResult

IK_RMS_LIMIT_MM = 20.0
"""OpenSim's guideline for inverse kinematics: RMS below 2 cm ("Getting Started with Inverse Kinematics")."""

IK_MAX_LIMITS_MM = (20.0, 40.0)
"""The same guideline: the largest marker error below 2 to 4 cm."""

LEAST_VALID_PERCENT = 90.0
"""A clip with fewer valid labels is marked."""

AT_LIMIT_RAD = float(np.radians(0.5))
"""A coordinate this near to an end of its range counts as at it."""


def largest_asymmetry(scale: ScaleResult) -> tuple[float, str]:
    """Return the largest relative difference between the factors of a left and a right body, percent, and which."""
    worst = max(scale.asymmetries(), key=lambda item: item.difference, default=None)
    if worst is None:
        return float("nan"), ""
    return 100.0 * worst.difference, f"{worst.right}, {worst.left} along {worst.axis}"


AUDIT_VERDICTS: Mapping[AuditGrade, Verdict] = {
    AuditGrade.SOUND: "good",
    AuditGrade.DOUBTFUL: "check",
    AuditGrade.REFUSED: "bad",
}
"""How urgent each grade of the audit is."""


def judge(value: float, *, good: float, bad: float | None = None) -> Verdict:
    """Return the grade of a value by a guideline: up to `good`, up to `bad`, beyond."""
    if not np.isfinite(value):
        return "none"
    if value <= good:
        return "good"
    return "check" if bad is not None and value <= bad else "bad"


def judge_rms(value_mm: float) -> Verdict:
    """Return the grade of a marker RMS by OpenSim's guideline."""
    return judge(value_mm, good=IK_RMS_LIMIT_MM)


def judge_max(value_mm: float) -> Verdict:
    """Return the grade of a largest marker error by OpenSim's guideline."""
    return judge(value_mm, good=IK_MAX_LIMITS_MM[0], bad=IK_MAX_LIMITS_MM[1])


def judge_valid(value_percent: float) -> Verdict:
    """Return whether a clip has enough valid labels."""
    if not np.isfinite(value_percent):
        return "none"
    return "check" if value_percent < LEAST_VALID_PERCENT else "good"
