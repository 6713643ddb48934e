"""Makes the datasets of D3KE's label files, for one subject and camera, from label records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.config.shard import D3keSettings
from movi_prep.formats import d3ke
from movi_prep.geometry.frame_labels import moved_since_used
from movi_prep.records.bmlmovi_names import require_number
from movi_prep.records.frame_labels import FrameLabels, FrameNumbers, RootPoses
from movi_prep.records.identity import ClipId
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.stages.shards.clip_rows import ClipRows, frame_numbers
from movi_prep.stages.shards.subject_clips import ShardSubject


def used_flags(
    clip: ClipRows, markers: MarkerTrajectories, names: Sequence[str], settings: D3keSettings
) -> NDArray[np.bool_]:
    """Return (n,) bool, the "moved since" flag of a clip's rows, computed on the clock of the trajectories.

    The released code computes it at every mocap sample and reads it at the frames; trajectories at the mocap clock
    (`markers.rate: mocap`) give the same flags. Its rule is `any`: the sum in its source counts the markers that moved
    far enough.
    """
    moved = moved_since_used(
        markers.select(names).positions_m,
        distance_m=settings.shard.used_frame_distance_m,
        rule=settings.shard.used_frame_rule,
    )
    return moved[np.searchsorted(markers.sample_indices, clip.timeline.mocap_samples)]


def subject_rows(
    clips: Sequence[ClipRows],
    subject: ShardSubject,
    settings: D3keSettings,
    *,
    used: Mapping[ClipId, NDArray[np.bool_]],
    first_frame: int,
) -> dict[str, NDArray[Any]]:
    """Return the datasets of both label files, for one subject and one camera.

    Args:
        clips: rows that have a picture.
        subject: the subject.
        settings: settings of the files.
        used: the "moved since" flag of each clip's rows.
        first_frame: first video frame of the subject's first clip, 0-based.
    """
    number, camera = subject_number(subject.alignment.subject), subject.camera.name
    frames = FrameNumbers.join(
        [frame_numbers(clip, settings.shard, clip=subject_number(clip.timeline.clip.clip)) for clip in clips]
    )
    labels = FrameLabels.join([clip.labels for clip in clips])
    n = labels.n_frames
    runs = np.concatenate([unbroken_runs(clip.timeline.video_frames) for clip in clips])
    names = zip(frames.clip.tolist(), frames.clip_frame.tolist(), strict=True)
    return {
        **label_datasets(labels),
        **_random_columns(number, camera, n, seed=settings.seed),
        "ImgList": np.array([d3ke.image_name(number, camera, clip, frame).encode() for clip, frame in names]),
        "subjectID": np.full(n, number),
        "cameraType": np.full(n, camera.encode()),
        "videoID": frames.clip,
        "frame": frames.clip_frame,
        "globalFrame": frames.video_frame,
        "startFrame": runs[:, 0],
        "globalEndFrame": runs[:, 1],
        "globalStartFrame": np.full(n, first_frame),
        "usedFrame": np.concatenate([used[clip.timeline.clip] for clip in clips]),
        "bbox": np.concatenate([clip.plan.box_px for clip in clips]),
    }


def label_datasets(labels: FrameLabels) -> dict[str, NDArray[Any]]:
    """Return the datasets of both label files that hold labels, by D3KE's names."""
    return {
        "pos3d": labels.joints.world_m,
        "sim_pos3d": labels.joints.model_world_m,
        "pos3d_mask": labels.joints.valid,
        "marker_pos3d": labels.markers.world_m,
        "sim_marker_pos3d": labels.markers.model_world_m,
        "marker_pos3d_mask": labels.markers.valid,
        "openSimJointPos": labels.joint_centres.world_m,
        "coordinateAngle": labels.coordinates.angles_rad,
        "coordinateMask": labels.coordinates.valid,
        "rootRot": _root_poses(labels.root),
    }


def unbroken_runs(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n, 2) int64: the first and last frame of the unbroken run around each of (n,) increasing frames.

    The released code finds a window of frames by counting rows up and down, between these two.
    """
    breaks = np.diff(frames) != 1
    run = np.concatenate([[0], np.cumsum(breaks)])
    # A run begins after a break and ends before one; indexing by run number spreads both over its frames.
    return np.stack([frames[np.append(True, breaks)][run], frames[np.append(breaks, True)][run]], axis=1)


def _root_poses(root: RootPoses) -> NDArray[np.float64]:
    poses = np.zeros((len(root.valid), 4, 4))
    poses[:, :3, :3] = root.rotation_world
    poses[:, :3, 3] = root.position_world_m
    # The last row of a homogeneous matrix: D3KE's layer multiplies whole 4 x 4 matrices.
    poses[:, 3, 3] = 1.0
    return poses


def _random_columns(subject: int, camera: str, n: int, *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return `hflipUsage` and `seed`, drawn once per subject and camera, as in the released code."""
    # A generator for each subject and camera: the draws must not depend on which others are written.
    rng = np.random.default_rng([seed, subject, *camera.encode()])
    return {"hflipUsage": np.full(n, int(rng.uniform() >= 0.5)), "seed": np.full(n, int(rng.integers(0, 2**10)))}


def subject_number(name: str) -> int:
    """Return the number in the name of a subject or clip; D3KE's layout knows only numbers."""
    return require_number(name, wanted_by="D3KE's layout")
