"""What BML-MoVi's V3D file says of one subject: clip boundaries, sex, and the optical markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        height_m: stature in metres, or None where the file has none (the file's unit is guessed never; see
            `formats.v3d` for how it is told).
        mass_kg: mass in kilograms, or None.
        motions: (k,) names of the motions, in the file's order; clip number is position + 1.
        video_ranges: (k, 2) int64, first video frame and one past the last, 0-based.
        mocap_ranges: (k, 2) int64, first mocap sample and one past the last, 0-based.
        virtual_marker_names: (20,) names of V3D's virtual markers (joint centres), or () where absent.
        virtual_markers_m: (n_samples, 20, 3) float64, metres, MoVi world (z up), NaN where missing; or None.
        marker_names: (m,) names of all optical markers; unnamed ones (numeric cells) are `*0`, `*1`, ...
        markers_m: (n_samples, m, 3) float64, metres, MoVi world, NaN where missing; or None.
        source: the file.
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

    def __post_init__(self) -> None:
        """Check shapes."""
        check_shape(self.video_ranges, (None, 2), what="flags30", where=self.source)
        check_shape(self.mocap_ranges, (None, 2), what="flags120", where=self.source)

    @property
    def n_clips(self) -> int:
        """Number of clips that have video flags."""
        return int(self.video_ranges.shape[0])
