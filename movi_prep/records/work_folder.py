"""The paths in a work folder: pure functions that read and write nothing.

WORK/markers/S001/static.h5  static.trc  C01.h5  C01.trc
WORK/models/S001/scaled.osim  scale.json
WORK/ik/S001/C01.h5  C01.mot
WORK/alignment/S001.json
WORK/shards/S001_PG1.h5            WORK/shards-d3ke/subject_1.hdf5 ...
WORK/records/...                   WORK/logs/...                       WORK/report/index.html
WORK/view/index.html  S001/C03.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movi_prep.records.identity import ClipId


@dataclass(frozen=True)
class WorkFolder:
    """The layout of one work folder."""

    root: Path

    @property
    def title(self) -> str:
        """What pages call it: its name, after that of the folder it lies in, because most are called `work`."""
        return f"work folder {'/'.join(self.root.parts[-2:])}"

    def embedded(self) -> Path:
        """Folder of the embedded data set, which is data, not a result."""
        return self.root / "embedded"

    def is_made(self, path: Path) -> bool:
        """Whether a file is made by units, not a part of the data."""
        # `demo` puts its data into the work folder: they lie inside, but no unit makes them.
        return path.is_relative_to(self.root) and not path.is_relative_to(self.embedded())

    def static_trial(self, subject: str) -> Path:
        """Static trial with height, mass and sex (.h5)."""
        return self.root / "markers" / subject / "static.h5"

    def static_trc(self, subject: str) -> Path:
        """Static trial for OpenSim's own tools (.trc)."""
        return self.root / "markers" / subject / "static.trc"

    def markers(self, clip: ClipId) -> Path:
        """Marker trajectories of a clip (.h5)."""
        return self.root / "markers" / clip.subject / f"{clip.clip}.h5"

    def markers_trc(self, clip: ClipId) -> Path:
        """Marker trajectories of a clip (.trc)."""
        return self.root / "markers" / clip.subject / f"{clip.clip}.trc"

    def scaled_model(self, subject: str) -> Path:
        """Scaled OpenSim model."""
        return self.root / "models" / subject / "scaled.osim"

    def scale_result(self, subject: str) -> Path:
        """Factors, residuals and audit of scaling (.json)."""
        return self.root / "models" / subject / "scale.json"

    def ik_solution(self, clip: ClipId) -> Path:
        """IK solution of a clip (.h5)."""
        return self.root / "ik" / clip.subject / f"{clip.clip}.h5"

    def ik_motion(self, clip: ClipId) -> Path:
        """Coordinates for OpenSim's own tools (.mot)."""
        return self.root / "ik" / clip.subject / f"{clip.clip}.mot"

    def alignment(self, subject: str) -> Path:
        """Measured alignment of a subject's clips with V3D and video (.json)."""
        return self.root / "alignment" / f"{subject}.json"

    def shards(self) -> Path:
        """Folder of native shards."""
        return self.root / "shards"

    def shard(self, subject: str, camera: str) -> Path:
        """Native shard of one subject and camera (.h5)."""
        return self.shards() / f"{subject}_{camera}.h5"

    def shard_index(self) -> Path:
        """Index of the folder of native shards (.json)."""
        return self.shards() / "index.json"

    def data_card(self) -> Path:
        """The index for people to read (.md)."""
        return self.shards() / "README.md"

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

    def view(self) -> Path:
        """Folder of the pages that show clips."""
        return self.root / "view"
