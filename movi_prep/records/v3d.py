"""The content of BML-MoVi's V3D file for one subject: clip boundaries, sex, and the optical markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.errors import InputError
from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex


@dataclass(frozen=True)
class V3dSubject:
    """One subject's V3D file, with 0-based half-open frame ranges (the file's are 1-based and inclusive).

    Attributes:
        subject: the number in the file's name.
        sex: "female" or "male", lower case.
        height_m: stature in metres, or None where the file has none or its unit is unknown (see `formats.v3d`).
        mass_kg: mass in kilograms, or None.
        motions: (k,) names of the motions, in the file's order; clip number is position + 1; "" where unnamed.
        video_ranges: (k, 2) int64, first video frame and one past the last, 0-based; empty where the flags of a
            clip make no sense (the findings say which).
        mocap_ranges: (k, 2) int64, first mocap sample and one past the last, 0-based.
        virtual_marker_names: (20,) names of V3D's virtual markers (joint centres), or () where absent.
        virtual_markers_m: (n_samples, 20, 3) float64, metres, MoVi world (z up), NaN where missing; or None.
        marker_names: (m,) names of all optical markers; those without a name (numeric cells) are `*0`, `*1`, ...
        markers_m: (n_samples, m, 3) float64, metres, MoVi world, NaN where missing; or None.
        source: the file.
        findings: findings on the file, each with numbers.
    """

    subject: int
    sex: Sex
    height_m: float | None
    mass_kg: float | None
    motions: tuple[str, ...]
    video_ranges: NDArray[np.int64]
    mocap_ranges: NDArray[np.int64]
    virtual_marker_names: tuple[str, ...]
    virtual_markers_m: NDArray[np.float64] | None
    marker_names: tuple[str, ...]
    markers_m: NDArray[np.float64] | None
    source: str
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes, and that names and ranges agree."""
        k = len(self.motions)
        check_shape(self.video_ranges, (k, 2), what="flags30", where=self.source)
        check_shape(self.mocap_ranges, (k, 2), what="flags120", where=self.source)
        for what, names, positions in (
            ("virtual markers", self.virtual_marker_names, self.virtual_markers_m),
            ("markers", self.marker_names, self.markers_m),
        ):
            if positions is not None:
                check_shape(positions, (None, len(names), 3), what=what, where=self.source)
        if self.sex not in ("female", "male"):
            raise InputError(
                self.source,
                expected="sex 'female' or 'male'",
                got=f"{self.sex!r}",
                remedy="correct the field subject.sex of the file",
            )

    @property
    def n_clips(self) -> int:
        """Number of clips that have video flags."""
        return int(self.video_ranges.shape[0])
