"""The same people and poses through SMPL+H, SMPL-X and SMPL: how far apart are the joint angles?

    python -m benchmarks.two_bodies --data DEMO [--clips 3]

The open body stands for all three: one surface on the meshes of SMPL+H and of SMPL-X, with the fingers of both, and
without them for SMPL. The clips of the embedded data set are written three times, as each body's files are, and go
through markers, scaling and inverse kinematics. What differs between SMPL+H and SMPL-X is what carrying the marker set
costs: other vertices, four head points between vertices, other numbers of joints, mass without the mouth. What two
fits of two body models to one recording differ by comes on top and is no matter of this program.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.opensim_ik import _run_stages, row
from movi_prep.config.root import Config
from movi_prep.demo.open_body import read_open_body, smpl_arrays, smplh_arrays
from movi_prep.demo.smplx_body import open_body_betas, write_smplx_body
from movi_prep.formats.amass import read_motion
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.recordings.find import find_recordings
from movi_prep.records.body_layout import LAYOUTS, BodyLayout
from movi_prep.records.motion import Motion
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.ik import IK
from movi_prep.stages.markers import MARKERS, STATIC
from movi_prep.stages.scale import SCALE

BODIES = ("SMPL+H", "SMPL-X", "SMPL")


def body_arrays(motion: Motion, layout: BodyLayout) -> dict[str, Any]:
    """Return the arrays of a clip of SMPL+H as a file of another body holds it; fingers are lost where it has none."""
    poses = np.zeros((motion.n_samples, layout.n_joints, 3))
    for joint in range(motion.poses_rad.shape[1]):
        there = layout.joint_of_smplh(joint)
        if there is not None:
            poses[:, there] = motion.poses_rad[:, joint]
    return {
        "poses": poses.reshape(motion.n_samples, -1),
        "trans": motion.translation_m,
        "betas": open_body_betas(motion.betas) if layout.name == "SMPL-X" else motion.betas,
        "gender": np.array("neutral"),
        "mocap_frame_rate": np.array(motion.rate_hz),
        "surface_model_type": np.array(layout.surface_model_type),
    }


def write_models(folder: Path) -> None:
    """Write the neutral open body as each of the three bodies."""
    body = read_open_body("neutral")
    folder.mkdir(parents=True)
    np.savez(folder / "SMPLH_NEUTRAL.npz", **smplh_arrays(body))
    np.savez(folder / "SMPL_NEUTRAL.npz", **smpl_arrays(body))
    write_smplx_body(folder / "SMPLX_NEUTRAL.npz")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the embedded data set")
    parser.add_argument("--clips", type=int, default=3, help="clips to measure on")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder / "models")
        # Each clip is a subject, because each of the embedded people has a body of its own.
        clips = sorted((asked.data / "amass").rglob("Subject_*_F_*.npz"))[: asked.clips]
        solutions = {}
        for layout in map(LAYOUTS.__getitem__, BODIES):
            for clip in clips:
                place = folder / layout.surface_model_type / "SET" / clip.stem
                place.mkdir(parents=True)
                np.savez(place / "clip_stageii.npz", **body_arrays(read_motion(clip), layout))
            config = Config(
                work=folder / "work" / layout.surface_model_type,
                amass=folder / layout.surface_model_type,
                body_models=folder / "models",
                subset=("all",),
            )
            _run_stages(config, (STATIC, MARKERS, SCALE, IK))
            there = find_recordings(config).motions
            solutions[layout.name] = [read_ik_solution(WorkFolder(config.work).ik_solution(clip)) for clip in there]
        for body in BODIES[1:]:
            _compare(body, solutions[BODIES[0]], solutions[body])


def _compare(name: str, references: list[Any], others: list[Any]) -> None:
    differences = []
    for reference, other in zip(references, others, strict=True):
        both = reference.coordinate_valid & other.coordinate_valid & reference.coordinate_is_rotation
        # Differences within half a turn: two solutions may count an angle in other turns.
        turned = np.angle(np.exp(1j * (reference.coordinates - other.coordinates)))
        differences.append(np.abs(np.degrees(turned[both])))
        row(
            f"{name}: valid angles of those of SMPL+H",
            100 * both.sum() / (reference.coordinate_valid & reference.coordinate_is_rotation).sum(),
            "%",
        )
    degrees = np.concatenate(differences)
    for title, value in (("median", 50), ("90th percentile", 90), ("99th percentile", 99)):
        row(f"{name} against SMPL+H, angle difference, {title}", float(np.percentile(degrees, value)), "deg")


if __name__ == "__main__":
    main()
