"""The audit of scaling: residuals of landmarks, factors in range, left and right alike. Numbers only, no OpenSim.

A subject is refused only where its labels would be wrong; any other bound that is not met makes it doubtful.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.scale_result import AuditGrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from movi_prep.config.scaling import ScaleAuditSettings
    from movi_prep.records.scale_result import ScaleResult

PERSON_SIZES = (0.4, 1.6)
"""Sizes of people beside that of an adult: from a child of a year to the tallest man there was (2.72 m)."""

MOST_TOLD = 6
"""At most so many landmarks or bodies beyond a bound are named, the worst landmarks first."""

GIMBAL_LIMIT_RAD = np.radians(60.0)
"""A root whose middle angle is beyond this in the static pose is near gimbal lock (90 degrees)."""


def audit_scaling(
    result: ScaleResult, settings: ScaleAuditSettings, *, wrong: Sequence[str] = (), shown: str = "static pose"
) -> ScaleResult:
    """Return the result with landmark residuals, every finding with its numbers, and the grade of the audit.

    OpenSim's guideline for scaling: the largest marker error of bony landmarks under 2 cm, their RMS under 1 cm
    (OpenSim documentation, "Getting Started with Scaling").

    Args:
        result: what scaling found.
        settings: bounds.
        wrong: findings that make labels wrong, whatever the numbers.
        shown: in what the errors of markers show: the static pose, or the motion.
    """
    # Tracking markers sit on soft tissue: their errors say little about the bones.
    landmarks = (result.marker_weights >= settings.landmark_weight) & np.isfinite(result.marker_errors_m)
    errors_m = result.marker_errors_m[landmarks]
    audited = replace(
        result,
        landmark_rms_m=float(np.sqrt(np.mean(errors_m**2))) if errors_m.size else float("nan"),
        landmark_max_m=float(errors_m.max()) if errors_m.size else float("nan"),
    )
    refusals = (*_wrong_person(audited, settings, shown), *_wrong_pose(audited))
    doubts = (
        *_residual_doubts(audited, settings, shown),
        *_range_doubts(audited, settings),
        *_symmetry_doubts(audited, settings),
    )
    grade = AuditGrade.REFUSED if refusals or wrong else AuditGrade.DOUBTFUL if doubts else AuditGrade.SOUND
    return replace(audited, findings=(*refusals, *doubts, *result.findings), audit=grade)


def _wrong_person(result: ScaleResult, settings: ScaleAuditSettings, shown: str) -> Iterator[str]:
    if result.landmark_rms_m > settings.landmark_rms_refused_m:
        yield (
            f"landmark RMS is {result.landmark_rms_m * 1000:.1f} mm in the {shown}, above "
            f"{settings.landmark_rms_refused_m * 1000:.1f} mm: markers are exchanged, or from another subject"
        )
    # One unusual factor is suspect; if all factors are unusual, it is the subject's size.
    # The geometric mean: factors 0.5 and 2 are a person of size 1, not 1.25.
    size = float(np.exp(np.mean(np.log(result.body_factors)))) if result.body_factors.size else 1.0
    smallest, largest = PERSON_SIZES
    if not smallest <= size <= largest:
        yield (
            f"the body is {size:.2f} times the model's size on average, outside {smallest:g} to {largest:g}: no person "
            "has that size; check the unit of the markers"
        )


def _residual_doubts(result: ScaleResult, settings: ScaleAuditSettings, shown: str) -> Iterator[str]:
    if not np.isfinite(result.landmark_rms_m):
        yield f"no landmark (weight of {settings.landmark_weight:g} or more) is seen in the {shown}"
        return
    # Above the second bound the refusal has said it already.
    if settings.landmark_rms_limit_m < result.landmark_rms_m <= settings.landmark_rms_refused_m:
        yield (
            f"landmark RMS is {result.landmark_rms_m * 1000:.1f} mm in the {shown}, above "
            f"{settings.landmark_rms_limit_m * 1000:.1f} mm"
        )
    beyond = landmarks_beyond(result, settings)
    for name, error_m in itertools.islice(beyond.items(), MOST_TOLD):
        yield (
            f"landmark {name} misses by {error_m * 1000:.1f} mm in the {shown}, above "
            f"{settings.landmark_max_limit_m * 1000:.1f} mm"
        )
    if len(beyond) > MOST_TOLD:
        limit_mm = settings.landmark_max_limit_m * 1000
        yield f"{len(beyond) - MOST_TOLD} more landmarks miss by more than {limit_mm:.1f} mm"


def landmarks_beyond(result: ScaleResult, settings: ScaleAuditSettings) -> dict[str, float]:
    """Return landmark -> by how much it misses, metres, of those beyond the bound, the worst first."""
    found = {
        name: float(error_m)
        for name, weight, error_m in zip(
            result.marker_names, result.marker_weights, result.marker_errors_m, strict=True
        )
        if weight >= settings.landmark_weight and error_m > settings.landmark_max_limit_m
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _range_doubts(result: ScaleResult, settings: ScaleAuditSettings) -> Iterator[str]:
    odd = [
        (name, factors)
        for name, factors in zip(result.body_names, result.body_factors, strict=True)
        if factors.min() < settings.factor_min or factors.max() > settings.factor_max
    ]
    for name, factors in odd[:MOST_TOLD]:
        listed = ", ".join(f"{factor:.3f}" for factor in factors)
        yield (
            f"scale factors of {name} are {listed}, outside {settings.factor_min:g} to {settings.factor_max:g}: "
            "check the markers of its measurements"
        )
    if len(odd) > MOST_TOLD:
        yield f"scale factors of {len(odd) - MOST_TOLD} more bodies are outside of that"


def _symmetry_doubts(result: ScaleResult, settings: ScaleAuditSettings) -> Iterator[str]:
    for item in result.asymmetries():
        if item.difference > settings.asymmetry_limit:
            yield (
                f"scale factors of {item.left} and {item.right} differ by {item.difference * 100:.0f} % along "
                f"{item.axis}, above {settings.asymmetry_limit * 100:.0f} %"
            )


def _wrong_pose(result: ScaleResult) -> Iterator[str]:
    if abs(result.pelvis_middle_angle_rad) > GIMBAL_LIMIT_RAD:
        yield (
            f"the middle angle of the root joint is {np.degrees(result.pelvis_middle_angle_rad):.0f} degrees in the "
            "static pose, near gimbal lock: the static trial must be in OpenSim ground (y up)"
        )
