"""The people of the demo: their bodies, clothes and motions, and the irregularities of their files.

Two subjects, so that both sexes, both shapes and both ways of writing files occur. Between them their files carry the
irregularities of the real download: see `Performer`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.demo.footsteps import Spot
from movi_prep.demo.session import Cue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.demo.wardrobe import Colour


@dataclass(frozen=True)
class Performer:
    """One subject of the demo.

    Attributes:
        subject: number.
        sex: "male" or "female".
        betas: (16,) shape coefficients of the open body.
        age_years, mass_kg: as V3D states them.
        rate_hz: mocap rate as stored in AMASS's files.
        gender_as_stored: str or bytes, 0-d.
        new_release_clips: clips that are written in the naming of AMASS's new release.
        clips_without_dmpls: clips of the old release that lack soft tissue.
        nested: whether the V3D file has one cell too many around `move`, and rows where others have columns.
        short_video: frames that PG2's video lacks at its end.
        cues: the motions, in the order of V3D's list.
        clothes: colour of each region.
        stripe: colour of the band on the shirt.
    """

    subject: int
    sex: Literal["male", "female"]
    betas: NDArray[np.float64]
    age_years: float
    mass_kg: float
    rate_hz: float
    gender_as_stored: NDArray[np.str_] | NDArray[np.bytes_]
    new_release_clips: tuple[int, ...]
    clips_without_dmpls: tuple[int, ...]
    nested: bool
    short_video: int
    cues: tuple[Cue, ...]
    clothes: Mapping[str, Colour] = field(default_factory=dict)
    stripe: Colour = (1.0, 1.0, 1.0)


def _betas(*leading: float) -> NDArray[np.float64]:
    betas = np.zeros(16)
    betas[: len(leading)] = leading
    return betas


def cast() -> dict[int, Performer]:
    """Return all performers by subject number."""
    performers = (
        Performer(
            subject=1,
            sex="male",
            betas=_betas(0.25, -0.70, 0.4, -0.3, 0.2, -0.3, 0.1, 0.25, -0.2, 0.1, 0.15, -0.1, 0.05, 0.1, -0.05, 0.1),
            age_years=27.0,
            mass_kg=74.2,
            rate_hz=120.0,
            gender_as_stored=np.array("male"),
            new_release_clips=(3,),
            clips_without_dmpls=(4,),
            nested=False,
            short_video=0,
            cues=(
                Cue("walking", Spot(-0.70, 0.80, 36.0)),
                Cue("kicking", Spot(0.62, -1.02, 10.0)),
                Cue("hand_waving", Spot(0.62, -1.02, 10.0)),
                Cue("squatting_rm", Spot(0.62, -1.02, 10.0)),
            ),
            clothes={
                "skin": (0.80, 0.60, 0.48), "hair": (0.22, 0.15, 0.10), "shirt": (0.72, 0.21, 0.18),
                "trousers": (0.20, 0.25, 0.38), "shoes": (0.86, 0.85, 0.82),
            },
            stripe=(0.93, 0.90, 0.85),
        ),
        Performer(
            subject=15,
            sex="female",
            betas=_betas(-0.35, 0.30, 0.2, -0.2, 0.35, 0.2, -0.25, 0.1, 0.3, -0.15, 0.1, 0.2, -0.1, 0.05, 0.1, -0.05),
            age_years=23.0,
            mass_kg=59.3,
            rate_hz=120.00004578,
            gender_as_stored=np.array(b"female"),
            new_release_clips=(),
            clips_without_dmpls=(4,),
            nested=True,
            short_video=3,
            cues=(
                Cue("jumping_jacks", Spot(0.1, -0.15, 0.0)),
                Cue("throw/catch", Spot(0.1, -0.15, -28.0)),
                Cue("checking_watch", Spot(0.1, -0.15, -28.0), in_amass=False),
                Cue("cross_arms", Spot(0.1, -0.15, 14.0)),
                Cue("turning_rm", Spot(0.1, -0.15, 14.0)),
            ),
            clothes={
                "skin": (0.62, 0.43, 0.32), "hair": (0.10, 0.07, 0.06), "shirt": (0.16, 0.47, 0.44),
                "trousers": (0.45, 0.42, 0.40), "shoes": (0.30, 0.28, 0.34),
            },
            stripe=(0.95, 0.76, 0.30),
        ),
    )  # fmt: skip
    return {performer.subject: performer for performer in performers}
