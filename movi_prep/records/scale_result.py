"""The result of scaling one subject: factors, static residuals, and the audit of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Asymmetry:
    """The largest difference between the factors of a left body and its right twin.

    Attributes:
        left: name of the left body; `right` that of its twin.
        difference: relative to the mean of both factors.
        axis: along which axis of the body, "X", "Y" or "Z".
    """

    left: str
    right: str
    difference: float
    axis: str


class AuditGrade(StrEnum):
    """The verdict of the audit of a scaled model on its labels."""

    SOUND = "sound"
    """Every bound is met."""
    DOUBTFUL = "doubtful"
    """A bound is not met; the labels are kept, and marked."""
    REFUSED = "refused"
    """The labels would be wrong: another subject, exchanged sides, a wrong unit, or a pose that does not fit."""


@dataclass(frozen=True)
class MarkerDistance:
    """The distance between two markers, on the subject and on the generic model.

    Attributes:
        measurement: the measurement that it is part of.
        first: one marker; `second` the other.
        measured_m: on the subject, metres, the mean over the static trial.
        model_m: on the generic model in its default pose, metres.
    """

    measurement: str
    first: str
    second: str
    measured_m: float
    model_m: float

    @property
    def ratio(self) -> float:
        """The subject's distance relative to the model's: the factor that this pair alone would give."""
        return self.measured_m / self.model_m


@dataclass(frozen=True)
class ScaleResult:
    """The results of scaling, besides the scaled model file.

    Attributes:
        body_names: (b,) bodies of the model.
        body_factors: (b, 3) float64, scale factor per body and axis.
        measurement_names: (k,) names of the measurements.
        measurement_factors: (k,) float64, one factor each.
        marker_names: (m,) markers that scaling used.
        marker_weights: (m,) float64, weights of the static pose.
        marker_errors_m: (m,) float64, metres: static residuals with the scaled model *before* its markers were
            moved onto the data; NaN where the data lack the marker.
        landmark_rms_m: root mean square of the landmarks' errors, metres.
        landmark_max_m: the largest of them, metres.
        mass_kg: mass of the scaled model.
        height_m: stature that the static trial stated.
        pelvis_middle_angle_rad: middle angle of the pelvis' rotation sequence in the static pose (gimbal check).
        findings: sentences of the audit, each with its numbers; empty when all is well.
        audit: the audit's verdict on the subject's labels.
        pose: OpenSim's state variables in the static pose, radians and metres; not stored in a work folder, only in the
            pose file that OpenSim's tool writes.
        distances: the marker pairs of the measurements; not stored in a work folder.
    """

    body_names: tuple[str, ...]
    body_factors: NDArray[np.float64]
    measurement_names: tuple[str, ...]
    measurement_factors: NDArray[np.float64]
    marker_names: tuple[str, ...]
    marker_weights: NDArray[np.float64]
    marker_errors_m: NDArray[np.float64]
    landmark_rms_m: float
    landmark_max_m: float
    mass_kg: float
    height_m: float
    pelvis_middle_angle_rad: float
    findings: tuple[str, ...]
    audit: AuditGrade
    pose: Mapping[str, float] = field(default_factory=dict)
    distances: tuple[MarkerDistance, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every bound of the audit is met."""
        return self.audit is AuditGrade.SOUND

    def asymmetries(self) -> tuple[Asymmetry, ...]:
        """Return the asymmetry of every left body that has a right twin, in the model's order."""
        factors = dict(zip(self.body_names, self.body_factors, strict=True))
        found = []
        for left, left_factors in factors.items():
            right = right_of(left, factors)
            if right is None:
                continue
            # Relative to the mean of both sides, because either may be the wrong one.
            apart = np.abs(left_factors - factors[right]) / (0.5 * (left_factors + factors[right]))
            found.append(Asymmetry(left, right, float(apart.max()), "XYZ"[int(np.argmax(apart))]))
        return tuple(found)


def right_of(left: str, names: Container[str]) -> str | None:
    """Return the name of a left body's twin: of `tibia_l` it is `tibia_r`, of `humerus_l` it is `humerus`."""
    stem = left.removesuffix("_l")
    # Legs end in `_r` and `_l`, arms of the model in nothing and `_l`.
    twins = (f"{stem}_r", stem) if stem != left else ()
    return next((twin for twin in twins if twin in names), None)
