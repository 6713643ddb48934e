"""The picture check: evidence that pictures do not show the body that the calibration projects into them.

| doubt | possible cause |
|---|---|
| another camera's calibration agrees better | exchanged files |
| the picture does not show this motion | another subject's video, a black or frozen one |
| it agrees poorly | the camera was moved far, other people in the picture |
| it is late or early | the video was cut or repaired, another V3D file |
| it lies beside the body | the camera was moved |

A doubt is strong if a measure is more than twice beyond its bound. A strong doubt about a whole video (all its clips
together) also applies to clips that could not be judged, because files are exchanged as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.picture_check import PictureAgreement, PictureDoubt
from movi_prep.records.timeline import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.shard import PictureCheckSettings
    from movi_prep.records.camera import Camera
    from movi_prep.records.identity import ClipId
    from movi_prep.stages.shards.clip_rows import ClipRows
    from movi_prep.video.motion_watch import MotionWatch

_STRONG = 2.0
"""A measure this many times beyond its bound is strong evidence."""


@dataclass(frozen=True)
class JudgedClip:
    """One clip's pictures, measured and judged.

    Attributes:
        measured: the agreement.
        doubts: evidence against the pictures; empty if there is none, or nothing could be measured.
    """

    measured: PictureAgreement
    doubts: tuple[PictureDoubt, ...] = ()

    @property
    def is_suspect(self) -> bool:
        """Whether a doubt is strong."""
        return any(doubt.is_strong for doubt in self.doubts)

    def is_wanted(self, settings: PictureCheckSettings) -> bool:
        """Return whether the clip goes into shards."""
        if settings.keep == "suspect" or not self.doubts:
            return True
        return settings.keep == "doubted" and not self.is_suspect

    def __str__(self) -> str:
        """Return the doubts as part of a sentence."""
        return "; ".join(doubt.text for doubt in self.doubts)


def watch_clips(clips: Sequence[ClipRows], camera: Camera) -> MotionWatch:
    """Return the watch that a pass over the video feeds with frames, to measure how well they agree with the clips."""
    from movi_prep.stages.shards.clip_rows import CHECKED_EVERY
    from movi_prep.video.motion_watch import ClipBody, MotionWatch

    bodies = [
        ClipBody(
            clip.timeline.clip, clip.timeline.video_frames, clip.body_px[:, ::CHECKED_EVERY], others=clip.others_px
        )
        for clip in clips
    ]
    return MotionWatch(bodies, camera.size_px)


@dataclass(frozen=True)
class JudgedVideo:
    """The pictures of one video.

    Attributes:
        clips: measurement and doubts of each clip.
        doubts: evidence against all judged clips together.
    """

    clips: Mapping[ClipId, JudgedClip]
    doubts: tuple[PictureDoubt, ...] = ()

    def left_out(self, settings: PictureCheckSettings) -> tuple[LeftOut, ...]:
        """Return the clips that do not go into shards, and why."""
        return tuple(
            LeftOut(clip, f"{'suspect' if item.is_suspect else 'doubted'} pictures ({item})")
            for clip, item in self.clips.items()
            if not item.is_wanted(settings)
        )

    def kept(self, settings: PictureCheckSettings) -> tuple[str, ...]:
        """Return a sentence on each doubted clip that still goes into the shard."""
        return tuple(
            f"{clip} is {'suspect' if item.is_suspect else 'doubted'}, and kept: {item}"
            for clip, item in self.clips.items()
            if item.doubts and item.is_wanted(settings)
        )

    def not_judged(self) -> tuple[str, ...]:
        """Return a sentence on each clip whose pictures could not be judged."""
        return tuple(
            f"pictures of {clip} are not judged: {item.measured.not_judged}"
            for clip, item in self.clips.items()
            if item.measured.agreement is None and item.measured.n_pairs
        )

    def numbers(self) -> dict[str, float | int]:
        """Return the numbers of the check for the unit's record."""
        items = list(self.clips.values())
        agreements = [item.measured.agreement for item in items if item.measured.agreement is not None]
        numbers: dict[str, float | int] = {
            "pictures_judged": len(agreements),
            "pictures_not_judged": len(items) - len(agreements),
            "pictures_doubted": sum(bool(item.doubts) for item in items),
            "pictures_suspect": sum(item.is_suspect for item in items),
        }
        return numbers | ({"least_picture_agreement": round(min(agreements), 4)} if agreements else {})

    def refusal(self, where: Path | str | None, camera: str) -> InputError:
        """Return the error for a video without a clip that may go into a shard."""
        doubts = self.doubts or tuple(
            {doubt.text: doubt for item in self.clips.values() for doubt in item.doubts}.values()
        )
        return InputError(
            where or f"video of {camera}",
            expected=f"pictures that show the body where the calibration of {camera} projects it",
            got=f"{len(self.clips)} clips that do not: {'; '.join(doubt.text for doubt in doubts)}",
            remedy="check that each video and calibration file has the name of its own camera and subject; "
            "--set shard.picture_check.keep=suspect writes the clips anyway",
        )


def judge_pictures(measured: Iterable[PictureAgreement], camera: str, settings: PictureCheckSettings) -> JudgedVideo:
    """Return the verdict on the pictures of each clip of one video.

    Args:
        measured: agreement of every clip.
        camera: name of the camera.
        settings: bounds.
    """
    # First each clip by itself: a clip with enough motion can be judged without the others.
    judged = {item.clip: JudgedClip(item, picture_doubts(item, camera, settings)) for item in measured}
    video = _whole_video([item.measured for item in judged.values() if item.measured.agreement is not None])
    shared = () if video is None else picture_doubts(video, camera, settings)
    strong = tuple(
        replace(doubt, text=f"all judged clips of the video together: {doubt.text}")
        for doubt in shared
        if doubt.is_strong
    )
    if strong:
        for clip, item in judged.items():
            # A clip that was judged without doubt stays, even if the whole video is doubted.
            if not item.is_suspect and (item.doubts or item.measured.agreement is None):
                judged[clip] = replace(item, doubts=(*item.doubts, *strong))
    return JudgedVideo(judged, shared)


def picture_doubts(measured: PictureAgreement, camera: str, settings: PictureCheckSettings) -> tuple[PictureDoubt, ...]:
    """Return the doubts about pictures with this agreement; () for pictures that were not judged."""
    if measured.agreement is None:
        return ()
    # An exchange also causes lag and offset; reporting only the exchange points to the right file.
    other = _exchange_doubt(measured, camera, settings)
    if other is not None:
        return (other,)
    # Late pictures of the right motion agree poorly without the lag, and well with it.
    best = max(measured.agreement, measured.lag_agreement or 0.0)
    if best < settings.least_agreement / _STRONG:
        text = (
            f"the picture of {camera} does not show this motion ({best:.2f} at best, bound "
            f"{settings.least_agreement:g}): is it the video of this subject, and {camera} where it was calibrated?"
        )
        return (PictureDoubt(text, is_strong=True),)
    doubts = [_lag_doubt(measured, settings), _offset_doubt(measured, camera, settings)]
    if best < settings.least_agreement:
        text = (
            f"the picture of {camera} agrees poorly with the projected body "
            f"({best:.2f} at best, bound {settings.least_agreement:g})"
        )
        doubts.append(PictureDoubt(text, is_strong=False))
    return tuple(doubt for doubt in doubts if doubt is not None)


def _exchange_doubt(measured: PictureAgreement, camera: str, settings: PictureCheckSettings) -> PictureDoubt | None:
    own, other = measured.agreement, measured.best_other
    if own is None or other is None or other[1] - own <= settings.exchange_margin:
        return None
    text = (
        f"the picture of {camera} agrees better with the calibration of {other[0]} ({other[1]:.2f}) than with its own "
        f"({own:.2f}): are the files exchanged?"
    )
    is_strong = other[1] - own > _STRONG * settings.exchange_margin and other[1] >= settings.least_agreement
    return PictureDoubt(text, is_strong)


def _lag_doubt(measured: PictureAgreement, settings: PictureCheckSettings) -> PictureDoubt | None:
    lag = measured.lag_frames
    if lag is None or abs(lag) <= settings.max_lag_frames:
        return None
    size = f"{'at least ' if measured.lag_at_edge else ''}{abs(lag):.1f} video frames"
    text = (
        f"the picture shows the motion {size} {'late' if lag > 0 else 'early'} (bound {settings.max_lag_frames:g}): "
        "was the video cut, or is the V3D file another one?"
    )
    return PictureDoubt(text, is_strong=abs(lag) > _STRONG * settings.max_lag_frames)


def _offset_doubt(measured: PictureAgreement, camera: str, settings: PictureCheckSettings) -> PictureDoubt | None:
    if measured.offset_px is None or np.hypot(*measured.offset_px) <= settings.max_offset_px:
        return None
    right, down = measured.offset_px
    text = (
        f"the picture lies {abs(right):.0f} px {'right' if right > 0 else 'left'} and {abs(down):.0f} px "
        f"{'below' if down > 0 else 'above'} the projected body (bound {settings.max_offset_px:g} px): "
        f"was {camera} moved?"
    )
    return PictureDoubt(text, is_strong=bool(np.hypot(right, down) > _STRONG * settings.max_offset_px))


def _whole_video(clips: Sequence[PictureAgreement]) -> PictureAgreement | None:
    """Return the agreement of all judged clips together: means over pairs of frames, medians of lags and offsets."""
    if not clips:
        return None
    weights = [clip.n_pairs for clip in clips]
    lags = [clip.lag_frames for clip in clips if clip.lag_frames is not None]
    offsets = [clip.offset_px for clip in clips if clip.offset_px is not None]
    # Only cameras with which every clip was compared: means over different clips are not comparable.
    cameras = sorted(set.intersection(*(set(clip.others) for clip in clips)))

    def mean(values: Iterable[float | None]) -> float:
        return float(np.average([value or 0.0 for value in values], weights=weights))

    # Medians, because one clip in which another person walks through the picture must not look like a moved camera.
    right, down = np.median(offsets, axis=0).tolist() if offsets else (0.0, 0.0)
    return PictureAgreement(
        clips[0].clip,
        n_pairs=sum(weights),
        agreement=mean(clip.agreement for clip in clips),
        gain=mean(clip.gain for clip in clips),
        lag_frames=float(np.median(lags)) if lags else None,
        lag_agreement=mean(clip.lag_agreement for clip in clips),
        offset_px=(right, down) if offsets else None,
        others={name: mean(clip.others[name] for clip in clips) for name in cameras},
    )
