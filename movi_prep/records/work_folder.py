"""Where things stand in the work folder: pure path functions, nothing is touched.

WORK/markers/S001/static.h5  static.trc  C01.h5  C01.trc
WORK/models/S001/scaled.osim  scale.json
WORK/ik/S001/C01.h5  C01.mot
WORK/alignment/S001.json
WORK/shards/S001_PG1.h5            WORK/shards-d3ke/subject_1.hdf5 ...
WORK/records/...                   WORK/logs/...                       WORK/report/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from movi_prep.records.identity import ClipId, clip_key, subject_key


@dataclass(frozen=True)
class WorkFolder:
    """The layout of one work folder."""

    root: Path

    def static_trial(self, subject: int) -> Path:
        """Static trial with height, mass and sex (.h5)."""
        return self.root / "markers" / subject_key(subject) / "static.h5"

    def static_trc(self, subject: int) -> Path:
        """Static trial for OpenSim's own tools (.trc)."""
        return self.root / "markers" / subject_key(subject) / "static.trc"

    def markers(self, clip: ClipId) -> Path:
        """Marker trajectories of a clip (.h5)."""
        return self.root / "markers" / subject_key(clip.subject) / f"{clip_key(clip.clip)}.h5"

    def markers_trc(self, clip: ClipId) -> Path:
        """Marker trajectories of a clip (.trc)."""
        return self.markers(clip).with_suffix(".trc")

    def scaled_model(self, subject: int) -> Path:
        """Scaled OpenSim model."""
        return self.root / "models" / subject_key(subject) / "scaled.osim"

    def scale_result(self, subject: int) -> Path:
        """Factors, residuals and audit of scaling (.json)."""
        return self.root / "models" / subject_key(subject) / "scale.json"

    def ik_solution(self, clip: ClipId) -> Path:
        """IK solution of a clip (.h5)."""
        return self.root / "ik" / subject_key(clip.subject) / f"{clip_key(clip.clip)}.h5"

    def ik_motion(self, clip: ClipId) -> Path:
        """Coordinates for OpenSim's own tools (.mot)."""
        return self.ik_solution(clip).with_suffix(".mot")

    def alignment(self, subject: int) -> Path:
        """Measured alignment of a subject's clips with V3D and video (.json)."""
        return self.root / "alignment" / f"{subject_key(subject)}.json"

    def shards(self) -> Path:
        """Folder of native shards."""
        return self.root / "shards"

    def shard(self, subject: int, camera: str) -> Path:
        """Native shard of one subject and camera (.h5)."""
        return self.shards() / f"{subject_key(subject)}_{camera}.h5"

    def d3ke_shards(self) -> Path:
        """Folder of shards in D3KE's layout."""
        return self.root / "shards-d3ke"

    def records(self) -> Path:
        """Folder of the records of runs."""
        return self.root / "records"

    def logs(self) -> Path:
        """Folder of log files."""
        return self.root / "logs"

    def report(self) -> Path:
        """The report page."""
        return self.root / "report" / "index.html"
