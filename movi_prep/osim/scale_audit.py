"""The audit of scaling: residuals of landmarks, factors in range, left and right alike. Numbers only, no OpenSim."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from movi_prep.config.scaling import ScaleAuditSettings
    from movi_prep.records.scale_result import ScaleResult

GIMBAL_LIMIT_RAD = np.radians(60.0)
"""A root whose middle angle is beyond this in the static pose is near gimbal lock (90 degrees)."""


def audit_scaling(result: ScaleResult, settings: ScaleAuditSettings) -> ScaleResult:
    """Return the result with landmark residuals, every finding with its numbers, and whether it may be used.

    OpenSim's guideline for scaling: the largest marker error of bony landmarks under 2 cm, their RMS under 1 cm
    (OpenSim documentation, "Getting Started with Scaling").
    """
    # Tracking markers sit on soft tissue: their errors say little about the bones.
    landmarks = (result.marker_weights >= settings.landmark_weight) & np.isfinite(result.marker_errors_m)
    errors_m = result.marker_errors_m[landmarks]
    audited = replace(
        result,
        landmark_rms_m=float(np.sqrt(np.mean(errors_m**2))) if errors_m.size else float("nan"),
        landmark_max_m=float(errors_m.max()) if errors_m.size else float("nan"),
    )
    failures = (
        *_residual_failures(audited, settings),
        *_range_failures(audited, settings),
        *_symmetry_failures(audited, settings),
        *_pose_failures(audited),
    )
    return replace(audited, findings=(*failures, *result.findings), passed=not failures)


def _residual_failures(result: ScaleResult, settings: ScaleAuditSettings) -> Iterator[str]:
    if not np.isfinite(result.landmark_rms_m):
        yield f"no landmark (weight of {settings.landmark_weight:g} or more) is seen in the static trial"
        return
    if result.landmark_rms_m > settings.landmark_rms_limit_m:
        yield (
            f"landmark RMS is {result.landmark_rms_m * 1000:.1f} mm in the static pose, above "
            f"{settings.landmark_rms_limit_m * 1000:.1f} mm"
        )
    for name, weight, error_m in zip(result.marker_names, result.marker_weights, result.marker_errors_m, strict=True):
        if weight >= settings.landmark_weight and error_m > settings.landmark_max_limit_m:
            yield (
                f"landmark {name} misses by {error_m * 1000:.1f} mm in the static pose, above "
                f"{settings.landmark_max_limit_m * 1000:.1f} mm"
            )


def _range_failures(result: ScaleResult, settings: ScaleAuditSettings) -> Iterator[str]:
    for name, factors in zip(result.body_names, result.body_factors, strict=True):
        if factors.min() < settings.factor_min or factors.max() > settings.factor_max:
            listed = ", ".join(f"{factor:.3f}" for factor in factors)
            yield (
                f"scale factors of {name} are {listed}, outside {settings.factor_min:g} to {settings.factor_max:g}: "
                "check the markers of its measurements"
            )


def _symmetry_failures(result: ScaleResult, settings: ScaleAuditSettings) -> Iterator[str]:
    for item in result.asymmetries():
        if item.difference > settings.asymmetry_limit:
            yield (
                f"scale factors of {item.left} and {item.right} differ by {item.difference * 100:.0f} % along "
                f"{item.axis}, above {settings.asymmetry_limit * 100:.0f} %"
            )


def _pose_failures(result: ScaleResult) -> Iterator[str]:
    if abs(result.pelvis_middle_angle_rad) > GIMBAL_LIMIT_RAD:
        yield (
            f"the middle angle of the root joint is {np.degrees(result.pelvis_middle_angle_rad):.0f} degrees in the "
            "static pose, near gimbal lock: the static trial must be in OpenSim ground (y up)"
        )
