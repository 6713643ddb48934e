"""One subject of the small model with one clip, as the stages before scaling leave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.config.scaling import ScalingSettings
from movi_prep.formats.marker_file import write_markers, write_static_trial
from movi_prep.formats.trc import write_trc
from movi_prep.osim.models import write_model
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from tests.builders.small_model import MARKERS, build_model, markers_at, static_trial, swinging, trajectories

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CLIP = movi_clip(1, 1)

SCALE_SETUP = """
format: movi-prep scaling
version: 1
name: small
measurements:
  pelvis: {marker_pairs: [[pelvis_a, pelvis_b]], bodies: [pelvis], axes: [X, Y, Z]}
  thigh: {marker_pairs: [[thigh_r_a, thigh_r_b]], bodies: [thigh_r], axes: [X, Y, Z]}
  shank: {marker_pairs: [[shank_r_a, shank_r_b]], bodies: [shank_r], axes: [X, Y, Z]}
marker_weights: {WEIGHTS}
post_scaling: {default_values: static pose}
""".replace("{WEIGHTS}", str(dict.fromkeys(MARKERS, 20)))

IK_SETUP = """
format: movi-prep inverse kinematics
version: 1
name: small
accuracy: 0.0000001
marker_weights: {WEIGHTS}
""".replace("{WEIGHTS}", str(dict.fromkeys(MARKERS, 20)))


@dataclass(frozen=True)
class SmallWorld:
    """Where everything is, and the coordinates that made the clip, (n, 8) rad and m."""

    recordings: Recordings
    work: WorkFolder
    config: Config
    coordinates: NDArray[np.float64]


def write_small_world(folder: Path, *, solver: str = "opensim") -> SmallWorld:
    """Write model, set-ups, static trial and one clip; return where they are."""
    model = build_model()
    coordinates = swinging(8)
    static = markers_at(model, np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]))[0]
    moving = trajectories(markers_at(model, coordinates))
    work = WorkFolder(folder / "work")
    write_static_trial(work.static_trial("S001"), static_trial(static), provenance={})
    write_markers(work.markers(CLIP), moving, provenance={})
    write_model(folder / "generic.osim", model)
    write_trc(folder / "static.trc", static_trial(static).markers)
    write_trc(folder / "walk.trc", moving)
    (folder / "scale.yaml").write_text(SCALE_SETUP)
    (folder / "ik.yaml").write_text(IK_SETUP)
    config = Config(
        work=work.root,
        scaling=ScalingSettings(model=folder / "generic.osim", setup=folder / "scale.yaml"),
        ik=IkSettings(solver=solver, setup=folder / "ik.yaml", write_trc=True),  # type: ignore[arg-type]
    )
    recordings = Recordings(motions={CLIP: folder / "walk.npz"})
    return SmallWorld(recordings=recordings, work=work, config=config, coordinates=coordinates)
