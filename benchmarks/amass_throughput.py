"""All of AMASS at its own clock: how many core-minutes do markers and inverse kinematics take?

    python -m benchmarks.amass_throughput --data DEMO [--clips 8] [--lean]

AMASS is some 40 hours in 11,000 clips of 480 subjects: at 120 Hz 17.3 million samples, 1570 to a clip. The embedded
clips are played forwards and backwards to that length, as clips of a subset, and go through the stages as
`movi-prep ik --subset all` runs them, in one process on one core, files read and written. The first clip, which loads
libraries, is not counted; static trials and scaling are counted for each subject.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.opensim_ik import row
from movi_prep.config.root import Config
from movi_prep.formats.amass import read_motion
from movi_prep.recordings.find import find_recordings
from movi_prep.records.motion import Motion
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.ik import IK
from movi_prep.stages.markers import MARKERS, STATIC
from movi_prep.stages.scale import SCALE

HOURS, RATE_HZ, N_CLIPS, N_SUBJECTS = 40, 120, 11_000, 480
N_SAMPLES = HOURS * 3600 * RATE_HZ
_CLIP_SAMPLES = N_SAMPLES // N_CLIPS


def to_length(motion: Motion, n_samples: int) -> Motion:
    """Return a motion that goes forwards and backwards until it has so many samples."""
    there_and_back = np.concatenate([np.arange(motion.n_samples), np.arange(motion.n_samples - 2, 0, -1)])
    # np.resize repeats; forwards and backwards, so that no sample jumps.
    rows = np.resize(there_and_back, n_samples)
    return replace(motion, poses_rad=motion.poses_rad[rows], translation_m=motion.translation_m[rows], dmpls=None)


def write_subset(folder: Path, clips: list[Path]) -> None:
    """Write clips of AMASS's usual length as a subset of one subject for each person."""
    for clip in clips:
        motion = to_length(read_motion(clip), _CLIP_SAMPLES)
        place = folder / "SUBSET" / clip.parent.name
        place.mkdir(parents=True, exist_ok=True)
        np.savez(
            place / f"{clip.stem.rpartition('_')[0]}_poses.npz",
            poses=motion.poses_rad.reshape(motion.n_samples, -1),
            trans=motion.translation_m,
            betas=motion.betas,
            gender=motion.sex,
            mocap_framerate=motion.rate_hz,
        )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the embedded data set")
    parser.add_argument("--clips", type=int, default=8, help="clips to measure on, besides the first")
    parser.add_argument(
        "--lean",
        action="store_true",
        help="without .mot files, without what the markers determine, one track (ik.write_mot=false, "
        "ik.converged.observability=false, ik.converged.tracks=forward)",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sorted((asked.data / "amass").rglob("Subject_*_F_*.npz"))
        write_subset(folder / "amass", found[: asked.clips + 1])
        config = Config(
            work=folder / "work", amass=folder / "amass", body_models=asked.data / "body_models", subset=("all",)
        )
        if asked.lean:
            converged = config.ik.converged.model_copy(update={"observability": False, "tracks": "forward"})
            ik = config.ik.model_copy(update={"write_mot": False, "converged": converged})
            config = config.model_copy(update={"ik": ik})
        recordings, work = find_recordings(config), WorkFolder(config.work)
        subject_s = sum(
            np.mean([_cpu_s(lambda unit=unit, stage=stage: stage.run_unit(unit)) for unit in units])  # type: ignore[misc]
            for stage in (STATIC, SCALE)
            if (units := stage.plan(recordings, work, config))
        )
        sample_s = {}
        for stage in (MARKERS, IK):
            units = stage.plan(recordings, work, config)
            # Not counted: it loads libraries and compiles or loads the solver.
            stage.run_unit(units[0])
            seconds = [_cpu_s(lambda unit=unit, stage=stage: stage.run_unit(unit)) for unit in units[1:]]  # type: ignore[misc]
            sample_s[stage.name] = float(np.sum(seconds)) / (len(seconds) * _CLIP_SAMPLES)
            row(f"{stage.name}: CPU of a sample", 1e3 * sample_s[stage.name], "ms")
    minutes = N_SAMPLES * sum(sample_s.values()) / 60
    row(f"markers and inverse kinematics of {N_SAMPLES / 1e6:.1f} million samples", minutes, "core-min")
    row(f"static trial and scaling of {N_SUBJECTS} subjects", N_SUBJECTS * float(subject_s) / 60, "core-min")


def _cpu_s(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


if __name__ == "__main__":
    main()
