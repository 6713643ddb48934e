"""The rows of a shard, clip by clip: labels and boxes, computed before the video is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.boxes import body_extent, plan_crops, square_boxes
from movi_prep.geometry.frame_labels import (
    absent_labels,
    has_samples,
    label_clip,
    moved_since_used,
)
from movi_prep.geometry.picture_motion import STEP_FRAMES
from movi_prep.geometry.projection import project_points
from movi_prep.records.crops import CropPlan
from movi_prep.records.frame_labels import FrameLabels, FrameNumbers
from movi_prep.stages.shards.clip_sources import ClipSources, at_frame_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.config.shard import ShardUnitSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.alignment import ClipAlignment
    from movi_prep.records.camera import Camera
    from movi_prep.records.label_tables import LabelTables
    from movi_prep.records.timeline import ClipTimeline


CHECKED_EVERY = 2
"""Every second point of the body sample shows where the body moves: the cells are wider than the points' spacing."""


@dataclass(frozen=True)
class ClipRows:
    """The rows of one clip.

    Attributes:
        alignment: the clip, with the frames that were refused since.
        plan: the part to cut out of each frame.
        body_px: (n, v, 2) float32, sample of the mesh in the video image, pixels; NaN outside the lens's view.
        others_px: camera -> (n, w, 2) float32, every second point of that sample in the images of other cameras; NaN in
            frames that the picture check does not use.
        labels: labels of the rows.
        camera: the camera; a moving one has the poses of these rows.
        absent: label names that the model lacks.
        correlation_s: (r,) seconds over which each mode of the labels' deviations keeps its value; None without any.
    """

    alignment: ClipAlignment
    plan: CropPlan
    body_px: NDArray[np.float32]
    others_px: dict[str, NDArray[np.float32]]
    labels: FrameLabels
    camera: Camera
    absent: tuple[str, ...]
    correlation_s: NDArray[np.floating] | None

    @property
    def timeline(self) -> ClipTimeline:
        """The frames of these rows."""
        return self.alignment.timeline

    def keep(self, wanted: NDArray[np.bool_]) -> ClipRows:
        """Return the rows where (n,) bool `wanted` is true; the caller records why it drops the others."""
        kept = self.timeline.select(wanted)
        return ClipRows(
            alignment=replace(self.alignment, timeline=kept),
            plan=self.plan.select(wanted),
            body_px=self.body_px[wanted],
            others_px={name: pixels[wanted] for name, pixels in self.others_px.items()},
            labels=self.labels.select(wanted),
            camera=self.camera.at(kept.video_frames),
            absent=self.absent,
            correlation_s=self.correlation_s,
        )


def plan_clip(
    sources: ClipSources,
    tables: LabelTables,
    camera: Camera,
    settings: ShardUnitSettings,
    *,
    model: ScaledModel,
    others: Sequence[Camera] = (),
) -> ClipRows:
    """Return the rows of one clip for one camera, without frames that lack a solution, a pose or the body's image.

    Args:
        sources: the data from which they are made.
        tables: names of the labels.
        camera: the camera.
        settings: boxes and bounds.
        model: the scaled model, which poses frames between samples.
        others: cameras that stand still, with whose calibration the pictures are also compared.
    """
    sources = at_frame_times(sources, model)
    timeline = sources.alignment.timeline
    # Between samples each frame has a row of its own; else its row is found by its sample.
    of_row = timeline.mocap_samples if timeline.after_sample is None else np.arange(timeline.n_frames)
    solved = has_samples(of_row, sources.solved.solution.sample_indices)
    timeline, of_row = timeline.keep(solved, "inverse kinematics has no such sample"), of_row[solved]
    placed = camera.has_pose(timeline.video_frames)
    timeline, of_row = timeline.keep(placed, f"{camera.name} has no pose there"), of_row[placed]
    # Exact matches: the mesh is posed at every sample that a frame can show.
    posed = np.searchsorted(sources.vertex_samples, of_row)
    pixels = project_points(camera.at(timeline.video_frames), sources.vertices_m[posed])
    extent = body_extent(pixels)
    # Drop these frames before labels and pictures are made for them.
    seen = _touches_image(extent, camera.size_px)
    timeline, of_row = timeline.keep(seen, outside(camera)), of_row[seen]
    posed, pixels, extent = posed[seen], pixels[seen], extent[seen]
    # Once more, for the frames that are left: a moving camera has one pose per row.
    camera = camera.at(timeline.video_frames)
    boxes = square_boxes(
        extent,
        margin=settings.box_margin,
        window_frames=round(settings.box_smoothing_s * settings.video_rate_hz),
    )
    labels = label_clip(of_row, sources.solved, tables, camera=camera, miss_limit_m=settings.landmark_limit_m)
    return ClipRows(
        alignment=replace(sources.alignment, timeline=timeline),
        plan=plan_crops(extent, boxes, image_size_px=camera.size_px, picture_side_px=settings.crop_size_px),
        # Single precision: a hundredth of a pixel is exact enough for pictures, and half of the memory.
        body_px=pixels.astype(np.float32),
        others_px={
            other.name: _other_view(other, sources, posed, timeline.video_frames % STEP_FRAMES == 0) for other in others
        },
        labels=labels,
        camera=camera,
        absent=absent_labels(sources.solved, tables),
        correlation_s=sources.solved.solution.deviation_correlation_s,
    )


def outside(camera: Camera) -> str:
    """Return the reason for which frames are refused that do not show the body."""
    return f"the body is outside {camera.name}'s image"


def frame_numbers(rows: ClipRows, settings: ShardUnitSettings, *, clip: int) -> FrameNumbers:
    """Return which frame each row shows, and whether it is used; `clip` is the clip's number in its file."""
    timeline = rows.timeline
    return FrameNumbers(
        clip=np.full(timeline.n_frames, clip),
        video_frame=timeline.video_frames,
        clip_frame=timeline.video_frames - rows.alignment.first_video_frame,
        mocap_sample=timeline.mocap_samples,
        after_sample=timeline.after_sample,
        used=moved_since_used(
            rows.labels.markers.world_m, distance_m=settings.used_frame_distance_m, rule=settings.used_frame_rule
        ),
    )


def _other_view(
    camera: Camera, sources: ClipSources, posed: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return (n, w, 2) pixels in another camera's image; NaN in frames that the picture check does not use."""
    points_m = sources.vertices_m[posed[wanted], ::CHECKED_EVERY]
    pixels = np.full((len(posed), points_m.shape[1], 2), np.nan, dtype=np.float32)
    pixels[wanted] = project_points(camera, points_m)
    return pixels


def _touches_image(extent_px: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (n,) bool: whether at least a pixel of the body's extent lies on the image; false for NaN."""
    # NaN extents compare false, which is the answer wanted.
    with np.errstate(invalid="ignore"):
        near = np.maximum(extent_px[:, :2], 0.0)
        far = np.minimum(extent_px[:, 2:], np.asarray(size_px) - 1.0)
        return np.asarray((far - near >= 1.0).all(axis=1))
