"""All of AMASS at its own clock: how many core-minutes do markers and inverse kinematics take?

    python -m benchmarks.amass_throughput --data DEMO [--clips 8] [--everything]

AMASS is some 40 hours in 11,000 clips of 480 subjects: at 120 Hz 17.3 million samples, 1570 to a clip. The embedded
clips are played forwards and backwards to that length, as clips of a subset, and go through the units of
`movi-prep ik --subset all` on one core: inputs hashed, files read, written, flushed and recorded. Processor time is
that of this process and of its children, so that a machine with other work on it says nearly the same. What a process
does once, loading libraries, bodies and the generic model, is not counted; what a subject costs once is.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.opensim_ik import row
from movi_prep.config.root import Config
from movi_prep.errors import InternalError
from movi_prep.formats.amass import read_motion
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.trial_load import sound_files
from movi_prep.recordings.find import find_recordings
from movi_prep.records.motion import Motion
from movi_prep.records.unit import AnyStage, AnyUnit, paths_of
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.locks import hold_scopes, scope_of
from movi_prep.runtime.unit_attempt import Task, execute
from movi_prep.stages.ik import IK
from movi_prep.stages.markers import MARKERS, STATIC
from movi_prep.stages.scale import SCALE
from movi_prep.stages.solve_clip import read_scaled_model

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
    parser.add_argument("--clips", type=int, default=8, help="clips to measure on, besides the first of each subject")
    parser.add_argument(
        "--everything", action="store_true", help="markers, bodies and covariances, too, and .mot files (ik.content)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sorted((asked.data / "amass").rglob("Subject_*_F_*.npz"))
        write_subset(folder / "amass", found)
        config = Config(
            work=folder / "work", amass=folder / "amass", body_models=asked.data / "body_models", subset=("all",)
        )
        if asked.everything:
            config = config.model_copy(update={"ik": config.ik.model_copy(update={"content": "everything"})})
        runner = Runner(config)
        subject_s = {stage.name: runner.subject_s(stage) for stage in (STATIC, SCALE)}
        sample_s = {stage.name: runner.clip_s(stage, asked.clips) / _CLIP_SAMPLES for stage in (MARKERS, IK)}
        subject_s["model read"] = runner.model_s()
    for part, seconds in sample_s.items():
        row(f"{part}: processor time of a sample", 1e3 * seconds, "ms")
    for part, seconds in subject_s.items():
        row(f"{part}: processor time of a subject", 1e3 * seconds, "ms")
    samples, subjects = N_SAMPLES * sum(sample_s.values()) / 60, N_SUBJECTS * sum(subject_s.values()) / 60
    row(f"{N_SAMPLES / 1e6:.1f} million samples in {N_CLIPS} clips", samples, "core-min")
    row(f"{N_SUBJECTS} subjects", subjects, "core-min")
    row("all of AMASS", samples + subjects, "core-min")


@dataclass
class Runner:
    """Runs units as a worker does, one after the other, and knows what each file of the work folder is."""

    config: Config
    made: dict[Path, str] = field(default_factory=dict)

    def units(self, stage: AnyStage) -> dict[str, list[AnyUnit]]:
        """Return the units of a stage by subject."""
        units: dict[str, list[AnyUnit]] = {}
        for unit in stage.plan(find_recordings(self.config), self.work, self.config):
            units.setdefault(scope_of(unit.key), []).append(unit)
        return units

    @property
    def work(self) -> WorkFolder:
        """The work folder."""
        return WorkFolder(self.config.work)

    def subject_s(self, stage: AnyStage) -> float:
        """Run all units of a stage, so that everything is loaded, and once more; return their mean seconds then."""
        units = [unit for units in self.units(stage).values() for unit in units]
        for unit in units:
            self.run_s(stage, unit)
        return float(np.mean([self.run_s(stage, unit) for unit in units]))

    def clip_s(self, stage: AnyStage, n_clips: int) -> float:
        """Run the units of a stage subject by subject; return the mean seconds of those after the first."""
        seconds: list[float] = []
        for units in self.units(stage).values():
            each = [self.run_s(stage, unit) for unit in units[: n_clips - len(seconds) + 1]]
            seconds += each[1:]
        return float(np.mean(seconds))

    def run_s(self, stage: AnyStage, unit: AnyUnit) -> float:
        """Run a unit, and return its processor time."""
        made = {path: self.made[path] for _, path in paths_of(unit.inputs) if path in self.made}
        task = Task(stage=stage, unit=unit, work=self.work, run_id="benchmark", made=made)
        with hold_scopes(self.work, [scope_of(unit.key)], task.run_id):
            before_s = _processor_s()
            record = execute(task).record
            spent_s = _processor_s() - before_s
        if record.status != "done":
            raise InternalError(f"{record.id}: {record.reason}")
        self.made |= {self.work.root / each.path: each.identity for each in record.outputs.values()}
        return spent_s

    def model_s(self) -> float:
        """Return the processor time of reading the model of a subject, as the first of its clips in a process does.

        Not the subject that was scaled last: its model is still in memory.
        """
        path = next(path for path in self.made if path.suffix == ".osim")
        with sound_files({path: file_stamp(path)}):
            before_s = _processor_s()
            read_scaled_model(path)
            return _processor_s() - before_s


def _processor_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
