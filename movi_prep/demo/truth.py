"""The ground truth of the demo, with which the results of every stage can be compared.

`truth/truth.npz`, one entry per clip `S{subject}_C{clip}_...` (n mocap samples, f video frames):

| entry | shape | unit | content |
|---|---|---|---|
| _joints_m | (n, 52, 3) | m, AMASS world | posed joints |
| _markers_m | (n, 66, 3) | m, AMASS world | posed marker vertices, in the order of `marker_names` in truth.json |
| _frames | (f,) | 1 | video frame of each fourth sample, 0-based |
| _pixels_PG1, _pixels_PG2 | (n, 118, 2) | px | joints, then markers; distorted, 0-based, pixel centres at integers |
| _boxes_PG1, _boxes_PG2 | (f, 4) | px | left, top, right, bottom of the whole body's outline |
| S{subject}_tpose_joints_m, _tpose_markers_m | (52, 3), (66, 3) | m, body axes | the unposed body |

Pose correctives are on, soft tissue is off, as in D3KE. `truth.json` lists the people, clips, frames and
irregularities of the files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.channels import VIDEO_STEP
from movi_prep.demo.posed_body import joint_transforms, pose_vertices
from movi_prep.formats.atomic import atomic_path, write_text
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.records.marker_set import Vertex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.demo.cameras import DemoCamera
    from movi_prep.demo.cast import Performer
    from movi_prep.demo.posed_body import DemoBody
    from movi_prep.demo.session import Clip, Session


def marker_vertices() -> dict[str, int]:
    """Return the 66 marker vertices of the default marker set by name, in its order."""
    rules = read_marker_set(default_marker_set_path()).rules
    return {name: rule.index for name, rule in rules.items() if isinstance(rule, Vertex)}


@dataclass(frozen=True)
class PosedPoints:
    """Joints (T, 52, 3) and marker vertices (T, 66, 3) of a whole session, metres, AMASS world."""

    joints_m: NDArray[np.float64]
    markers_m: NDArray[np.float64]
    marker_names: tuple[str, ...]

    def cut(self, samples: slice) -> PosedPoints:
        """Return the points of some of the samples."""
        return PosedPoints(self.joints_m[samples], self.markers_m[samples], self.marker_names)


def posed_points(body: DemoBody, session: Session) -> PosedPoints:
    """Return the points of a whole session."""
    chosen = marker_vertices()
    # Only the vertices that are markers are posed: a session has thousands of samples.
    marked = body.only(np.array(list(chosen.values())))
    _, joints = joint_transforms(body, session.poses_rad, session.translation_m)
    markers = pose_vertices(marked, session.poses_rad, session.translation_m)
    return PosedPoints(joints, markers, tuple(chosen))


def clip_truth(clip: Clip, session_points: PosedPoints, cameras: Sequence[DemoCamera]) -> dict[str, NDArray[Any]]:
    """Return the truth of one clip, cut out of its session."""
    cut = session_points.cut(clip.samples)
    points = np.concatenate([cut.joints_m, cut.markers_m], axis=1)
    return {
        "joints_m": cut.joints_m,
        "markers_m": cut.markers_m,
        "frames": np.arange(clip.first_frame, clip.last_frame + 1),
        **{f"pixels_{camera.name}": camera.project(points)[0] for camera in cameras},
    }


def describe_performer(performer: Performer, session: Session, height_m: float) -> dict[str, Any]:
    """Return the entry of one subject in truth.json."""
    return {
        "sex": performer.sex,
        "height_m": round(height_m, 6),
        "betas": performer.betas.tolist(),
        "rate_hz": performer.rate_hz,
        "video_frames": {"PG1": session.n_frames, "PG2": session.n_frames - performer.short_video},
        # The recording ends with the sample that its last frame shows.
        "mocap_samples": VIDEO_STEP * session.n_frames - 3,
        "clips": {
            str(clip.number): {
                "motion": clip.name,
                "first_frame": clip.first_frame,
                "last_frame": clip.last_frame,
                "in_amass": clip.in_amass,
                "release": "new" if clip.number in performer.new_release_clips else "old",
                "dmpls": clip.number not in (*performer.new_release_clips, *performer.clips_without_dmpls),
            }
            for clip in session.clips
        },
    }


def write_truth(folder: Path, arrays: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Write `truth.npz` and `truth.json`."""
    with atomic_path(folder / "truth.npz") as partial:
        np.savez_compressed(partial, **arrays)
    write_text(folder / "truth.json", json.dumps(description, indent=1, sort_keys=True) + "\n")
