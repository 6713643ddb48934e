"""The agreement of a clip's pictures with the body that a camera's calibration projects into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from movi_prep.records.identity import ClipId


@dataclass(frozen=True)
class PictureAgreement:
    """Measured agreement between the pictures of one clip and the projected body.

    Attributes:
        clip: which clip.
        n_pairs: pairs of frames that were compared.
        agreement: correlation between change in the picture and motion of the body, 0 by chance, 1 at best; None
            where it was not judged.
        gain: how far the agreement at the best lag is above that at the largest lags; None where not judged.
        lag_frames: how late the picture shows the motion, video frames; None where it is unknown.
        lag_at_edge: whether that is the largest lag that was tried, so that the true one may be larger.
        lag_agreement: agreement at the best whole lag; None where not judged.
        offset_px: how far the picture lies to the right of, and below, the projected body, pixels; None where they
            are unknown.
        on_body: share of all change in the picture that lies on the body; None where not judged.
        by_chance: share of the picture that the body covers: the value of `on_body` by chance.
        others: agreement of the same pictures through the calibration of other cameras.
        not_judged: why nothing was measured, as a part of a sentence; "" where it was.
    """

    clip: ClipId
    n_pairs: int = 0
    agreement: float | None = None
    gain: float | None = None
    lag_frames: float | None = None
    lag_at_edge: bool = False
    lag_agreement: float | None = None
    offset_px: tuple[float, float] | None = None
    on_body: float | None = None
    by_chance: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    not_judged: str = ""

    @property
    def best_other(self) -> tuple[str, float] | None:
        """The other camera whose calibration agrees best, and how well; None if there is none."""
        return max(self.others.items(), key=lambda item: item[1]) if self.others else None


@dataclass(frozen=True)
class PictureDoubt:
    """A doubt about the pictures of a clip.

    Attributes:
        text: a part of a sentence, with numbers.
        is_strong: whether it makes the clip suspect; a weak doubt is only reported.
    """

    text: str
    is_strong: bool
