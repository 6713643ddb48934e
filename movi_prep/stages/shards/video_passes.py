"""The passes over the videos of one shard: one for each video, whatever number of clips it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.geometry.label_statistics import PixelStatistics
from movi_prep.records.crops import CropPlan
from movi_prep.stages.shards.picture_check import JudgedVideo, judge_pictures, watch_clips
from movi_prep.stages.shards.subject_clips import missing_video, open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from movi_prep.config.shard import PictureCheckSettings, ShardUnitSettings
    from movi_prep.records.picture_check import PictureAgreement
    from movi_prep.stages.shards.clip_rows import ClipRows
    from movi_prep.stages.shards.subject_clips import ShardInputs
    from movi_prep.video.crop_pass import CropPass


@dataclass(frozen=True)
class ClipsOfVideo:
    """The clips of a shard that one video shows.

    Attributes:
        video: the video.
        clips: rows of its clips.
        rows: (n,) int64, which rows of the shard's clips, one after the other, these are.
    """

    video: Path
    clips: tuple[ClipRows, ...]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class VideoPass:
    """The results of the pass over one video.

    Attributes:
        of: its clips.
        crops: pictures, statistics and faults.
        agreements: how well the pictures of each clip agree with the body; none where nothing was watched.
        notes: oddities of the file.
        damage: its damaged parts.
    """

    of: ClipsOfVideo
    crops: CropPass
    agreements: tuple[PictureAgreement, ...]
    notes: tuple[str, ...]
    damage: tuple[str, ...]


def by_video(clips: Sequence[ClipRows], inputs: ShardInputs) -> list[ClipsOfVideo]:
    """Return the clips by the video that shows them."""
    videos = dict(zip(inputs.clips, inputs.videos, strict=True))
    ends = np.cumsum([clip.timeline.n_frames for clip in clips])
    groups: dict[Path, list[int]] = {}
    for number, clip in enumerate(clips):
        video = videos[str(clip.timeline.clip)]
        if video is None:
            raise missing_video(inputs, inputs.camera)
        groups.setdefault(video, []).append(number)
    return [
        ClipsOfVideo(
            video,
            tuple(clips[number] for number in numbers),
            np.concatenate([np.arange(ends[n] - clips[n].timeline.n_frames, ends[n]) for n in numbers]),
        )
        for video, numbers in groups.items()
    ]


def cannot_open(of: ClipsOfVideo, inputs: ShardInputs, settings: ShardUnitSettings) -> InputError | None:
    """Return why a video cannot show its clips, None where its head says that it can."""
    try:
        open_video(of.video, inputs, of.clips[0].camera, settings).close()
    except InputError as error:
        return error
    return None


def pass_over(
    of: ClipsOfVideo,
    inputs: ShardInputs,
    settings: ShardUnitSettings,
    *,
    take: Callable[[NDArray[np.uint8]], None],
    watching: bool,
) -> VideoPass:
    """Cut and encode the pictures of one video, and compare them with the body on the way where that is asked for."""
    from movi_prep.video.crop_pass import WantedCrops, crop_video

    camera = of.clips[0].camera
    wanted = WantedCrops(
        frame_of_row=np.concatenate([clip.timeline.video_frames for clip in of.clips]),
        plan=CropPlan.join([clip.plan for clip in of.clips]),
        body_px=np.concatenate([clip.body_px for clip in of.clips]),
    )
    reader = open_video(of.video, inputs, camera, settings)
    watch = watch_clips(of.clips if watching else (), camera)
    # Before a camera that moves everything changes: the body does not stand out.
    crops = crop_video(reader, wanted, settings=settings, take=take, watch=None if camera.is_moving else watch)
    # Notes come last: a pass may find more.
    result = VideoPass(of, crops, watch.results(), reader.notes(), reader.damage())
    reader.close()
    return result


def join_passes(passes: Sequence[VideoPass]) -> CropPass:
    """Return the results of all passes as one; faults name the video where there are several."""
    from movi_prep.video.crop_pass import CropPass

    picture_of_row = np.full(sum(len(one.of.rows) for one in passes), -1, dtype=np.int64)
    taken = 0
    for one in passes:
        own = one.crops.picture_of_row
        picture_of_row[one.of.rows] = np.where(own >= 0, own + taken, -1)
        # Pictures of one video are numbered from 0; in the shard they follow those of the videos before.
        taken += int(own.max(initial=-1)) + 1
    faults = [
        fault if len(passes) == 1 else replace(fault, reason=f"{fault.reason} ({one.of.video.name})")
        for one in passes
        for fault in one.crops.faults
    ]
    return CropPass(picture_of_row, PixelStatistics.join([one.crops.statistics for one in passes]), tuple(faults))


def judge_videos(passes: Sequence[VideoPass], camera: str, settings: PictureCheckSettings) -> JudgedVideo:
    """Return the verdict on the pictures of all videos, each judged by itself: files are exchanged whole."""
    judged = [judge_pictures(one.agreements, camera, settings) for one in passes]
    clips = {clip: item for video in judged for clip, item in video.clips.items()}
    return JudgedVideo(clips, tuple(doubt for video in judged for doubt in video.doubts))
