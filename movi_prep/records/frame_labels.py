"""The labels of video frames: points, angles and poses, each set with its own mask.

Only `formats.shard_schema` maps these attributes to datasets of a shard; everything else uses these
records. n is the number of frames; where a mask is false, the values beside it are not labels: zero, or the identity
for a rotation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InternalError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class FrameNumbers:
    """The frame numbers of rows.

    Attributes:
        clip: (n,) clip of the subject, from 1.
        video_frame: (n,) frame of the whole video, from 0.
        clip_frame: (n,) frame of the clip, from 0.
        mocap_sample: (n,) mocap sample of the clip that the frame shows, from 0.
        used: (n,) bool, a marker has moved far enough since the last used frame of the clip.
        after_sample: (n,) float64, how far after that sample it is, in samples; None where frames fall on samples.
    """

    clip: NDArray[Any]
    video_frame: NDArray[Any]
    clip_frame: NDArray[Any]
    mocap_sample: NDArray[Any]
    used: NDArray[np.bool_]
    after_sample: NDArray[Any] | None = None

    @staticmethod
    def join(parts: Sequence[FrameNumbers]) -> FrameNumbers:
        """Return the frames of several clips, one after the other."""
        return _by_frame(np.concatenate, parts)


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """Points of the body (p SMPL joints or markers), and where the fitted model has them.

    Attributes:
        world_m: (n, p, 3) metres, AMASS world.
        camera_m: (n, p, 3) metres, camera frame.
        seen_px: (n, p, 2) pixels of the video, lens included.
        in_image: (n, p) bool, whether they lie on the image.
        valid: (n, p) bool, the fitted model misses the point by at most the bound.
        model_world_m: (n, p, 3) metres, AMASS world, the fitted model's.
    """

    world_m: NDArray[Any]
    camera_m: NDArray[Any]
    seen_px: NDArray[Any]
    in_image: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    model_world_m: NDArray[Any]


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points of the skin that no model tracks: nose and head top.

    Attributes:
        world_m: (n, p, 3) metres, AMASS world.
        camera_m: (n, p, 3) metres, camera frame.
        seen_px: (n, p, 2) pixels of the video, lens included.
        in_image: (n, p) bool, whether they lie on the image.
    """

    world_m: NDArray[Any]
    camera_m: NDArray[Any]
    seen_px: NDArray[Any]
    in_image: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class JointCentres:
    """Joint centres of the fitted model.

    Attributes:
        world_m: (n, j, 3) metres, AMASS world.
        camera_m: (n, j, 3) metres, camera frame.
        valid: (n, j) bool, the frame is solved and the model has the joint.
    """

    world_m: NDArray[Any]
    camera_m: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class JointAngles:
    """Coordinates of the model.

    Attributes:
        angles_rad: (n, c) radians.
        valid: (n, c) bool, no landmark of the body misses by more than the bound.
        std_rad: (n, c) radians, how far they may be off, infinite where the markers do not see the coordinate; None
            from a solver that gives none.
        free: (n, f) rad and m, free coordinates of the model; None where deviations were not computed.
        deviation_factor: (n, f, r) rad and m, how far these may be off in each mode (`records.pose_deviation`).
    """

    angles_rad: NDArray[Any]
    valid: NDArray[np.bool_]
    std_rad: NDArray[Any] | None
    free: NDArray[Any] | None = None
    deviation_factor: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class RootPoses:
    """The pelvis body, and the moving frame of the ground-to-pelvis joint, from which forward kinematics starts.

    Attributes:
        valid: (n,) bool, inverse kinematics solved the frame.
        pelvis_rotation_world: (n, 3, 3) pelvis body to AMASS world.
        pelvis_rotation_camera: (n, 3, 3) pelvis body to camera.
        pelvis_position_world_m: (n, 3) metres, origin of the pelvis body, AMASS world.
        pelvis_position_camera_m: (n, 3) metres, the same, camera frame.
        rotation_world: (n, 3, 3) the joint's moving frame to AMASS world.
        position_world_m: (n, 3) metres, origin of that frame, AMASS world.
    """

    valid: NDArray[np.bool_]
    pelvis_rotation_world: NDArray[Any]
    pelvis_rotation_camera: NDArray[Any]
    pelvis_position_world_m: NDArray[Any]
    pelvis_position_camera_m: NDArray[Any]
    rotation_world: NDArray[Any]
    position_world_m: NDArray[Any]


@dataclass(frozen=True, eq=False)
class BodyScales:
    """Size of the subject's bodies; the same in all frames.

    Attributes:
        factors: (b, 3) scale factor of each body and axis relative to the generic model.
        valid: (b,) bool, whether the model has the body.
    """

    factors: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """All labels of n frames as one camera sees them.

    Attributes:
        joints: SMPL joints.
        markers: markers.
        surface: nose and head top; None where the marker set lacks one.
        joint_centres: joint centres of the model.
        coordinates: joint angles.
        root: pelvis and root joint.
        scales: body scales of the subject.
        ik_status: (n,) int8, how inverse kinematics ended: 0 and 1 are solved.
    """

    joints: BodyPoints
    markers: BodyPoints
    surface: SurfacePoints | None
    joint_centres: JointCentres
    coordinates: JointAngles
    root: RootPoses
    scales: BodyScales
    ik_status: NDArray[np.int8]

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.root.valid)

    def select(self, wanted: NDArray[Any]) -> FrameLabels:
        """Return the labels of some frames: (n,) bool, or indices."""
        return _by_frame(lambda parts: parts[0][wanted], [self])

    @staticmethod
    def join(parts: Sequence[FrameLabels]) -> FrameLabels:
        """Return the labels of all frames of one subject, one part after the other."""
        if not parts:
            raise InternalError("expected labels of at least one clip")
        return _by_frame(np.concatenate, parts)


def _by_frame(change: Callable[[Sequence[NDArray[Any]]], NDArray[Any]], parts: Sequence[T]) -> T:
    """Return a record whose arrays by frames are `change` of the same arrays of all parts."""
    first = parts[0]
    changed: dict[str, Any] = {}
    for item in fields(first):  # type: ignore[arg-type]
        values = [getattr(part, item.name) for part in parts]
        if any(value is None for value in values):
            # Data that only some clips have (deviations of one solver) are left out of the whole.
            changed[item.name] = None
        # Scales belong to the subject, not to frames: joining or selecting frames leaves them.
        elif isinstance(values[0], BodyScales):
            changed[item.name] = values[0]
        else:
            changed[item.name] = _by_frame(change, values) if is_dataclass(values[0]) else change(values)
    return type(first)(**changed)
