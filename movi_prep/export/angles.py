"""Joint angles as tables, for plots: one file for each clip.

| column | content |
|---|---|
| `time_s`, `frame` | seconds since the first mocap sample of the clip; frame of the clip (video) or mocap sample |
| `pose_valid` | 1 where inverse kinematics solved the frame |
| `NAME_deg` | joint angle, degrees; empty where the frame is not solved (`NAME_m` for coordinates that are lengths) |
| `NAME_std_deg` | its standard deviation, where the solver gives one; empty where the markers do not see it |
| `NAME_valid` | 1 where no landmark of the body misses by more than the bound |

`S001_C01.csv`, and `.parquet` beside it where pyarrow is installed, with null for an empty cell.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_attribute, read_clip_ids, read_moments
from movi_prep.geometry.moments import SAME_MOMENT
from movi_prep.records.identity import ClipId

SAMPLES_PER_FRAME = 4
"""BML-MoVi's mocap samples in a video frame, where a clip is a single frame and cannot say."""


@dataclass(frozen=True, eq=False)
class AngleTable:
    """The coordinates of one clip.

    Attributes:
        clip: the clip.
        times_s: (n,) seconds since its first mocap sample.
        moments: (n,) the same in mocap samples.
        frames: (n,) int64.
        pose_valid: (n,) bool.
        names: (c,) coordinates.
        is_rotation: (c,) bool, radians, else metres.
        values: (n, c) radians or metres.
        valid: (n, c) bool.
        std: (n, c) in the unit of the values; None where there is none.
    """

    clip: ClipId
    times_s: NDArray[np.float64]
    moments: NDArray[np.float64]
    frames: NDArray[np.int64]
    pose_valid: NDArray[np.bool_]
    names: tuple[str, ...]
    is_rotation: NDArray[np.bool_]
    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    std: NDArray[np.float64] | None

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the module's table."""
        solved = self.pose_valid[:, None]
        factor = np.where(self.is_rotation, 180.0 / np.pi, 1.0)
        # Zeros stand in shards where a frame was not solved; in a table they would look like angles.
        values = np.where(solved, self.values, np.nan) * factor
        # Infinite means "not seen by the markers": an empty cell says that in a table.
        std = None if self.std is None else np.where(solved & np.isfinite(self.std), self.std, np.nan) * factor
        found: dict[str, NDArray[Any]] = {"time_s": self.times_s, "frame": self.frames, "pose_valid": self.pose_valid}
        for at, name in enumerate(self.names):
            unit = "deg" if self.is_rotation[at] else "m"
            found[f"{name}_{unit}"] = values[:, at]
            if std is not None:
                found[f"{name}_std_{unit}"] = std[:, at]
            # A frame without a solution has no label, whatever its mask says.
            found[f"{name}_valid"] = self.valid[:, at] & self.pose_valid
        return found


def read_solution_table(path: Path, clip: ClipId) -> AngleTable:
    """Return the table of one solution of inverse kinematics: one row for each sample."""
    solution = read_ik_solution(path)
    return AngleTable(
        clip=clip,
        times_s=solution.times_s,
        moments=solution.sample_indices.astype(np.float64),
        frames=solution.sample_indices,
        pose_valid=solution.usable(),
        names=solution.coordinate_names,
        is_rotation=solution.coordinate_is_rotation,
        values=solution.coordinates,
        valid=solution.coordinate_valid,
        std=solution.std,
    )


def read_shard_tables(path: Path) -> Iterator[AngleTable]:
    """Yield the table of each clip of a shard."""
    with ShardFile(path) as shard:
        clips, frames = shard.read("frames/clip"), shard.read("frames/clip_frame").astype(np.int64)
        moments, names = read_moments(shard), shard.names("names/coordinates")
        seconds_per_frame = 1.0 / float(shard.attribute("frame_rate_hz"))
        for number, clip in read_clip_ids(shard).items():
            rows = np.flatnonzero(clips == number)
            std = read_attribute(shard, "labels.coordinates.std_rad", rows)
            yield AngleTable(
                clip=clip,
                times_s=moments[rows] * _seconds_per_sample(frames[rows], moments[rows], seconds_per_frame),
                moments=moments[rows],
                frames=frames[rows],
                pose_valid=read_attribute(shard, "labels.root.valid", rows),
                names=names,
                # Label coordinates are rotations, all of them.
                is_rotation=np.ones(len(names), dtype=np.bool_),
                values=read_attribute(shard, "labels.coordinates.angles_rad", rows).astype(np.float64),
                valid=read_attribute(shard, "labels.coordinates.valid", rows),
                std=None if std is None else std.astype(np.float64),
            )


def _seconds_per_sample(frames: NDArray[np.int64], moments: NDArray[np.float64], seconds_per_frame: float) -> float:
    """Return the time between mocap samples: shards hold only the rate of the video."""
    if len(frames) < 2:
        return seconds_per_frame / SAMPLES_PER_FRAME
    return float(seconds_per_frame * (frames[-1] - frames[0]) / (moments[-1] - moments[0]))


def join_cameras(tables: Sequence[AngleTable]) -> AngleTable:
    """Return one table of a clip filmed by several cameras; angles agree, but each camera may lack moments."""
    first = tables[0]
    moments = np.concatenate([table.moments for table in tables])
    # Stable: of the cameras that have a moment, the first gives its row.
    order = np.argsort(moments, kind="stable")
    at = order[np.diff(moments[order], prepend=-np.inf) > SAME_MOMENT]

    def rows(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate(list(values))[at]

    std = [table.std for table in tables if table.std is not None]
    return AngleTable(
        clip=first.clip,
        times_s=rows([table.times_s for table in tables]),
        moments=moments[at],
        frames=rows([table.frames for table in tables]),
        pose_valid=rows([table.pose_valid for table in tables]),
        names=first.names,
        is_rotation=first.is_rotation,
        values=rows([table.values for table in tables]),
        valid=rows([table.valid for table in tables]),
        # A column must hold for all rows.
        std=rows(std) if len(std) == len(tables) else None,
    )


def csv_bytes(table: AngleTable) -> bytes:
    """Return a table as CSV, empty cells where there is no value."""
    columns = table.columns()
    text = io.StringIO()
    text.write(",".join(columns) + "\n")
    cells = [_cells(values) for values in columns.values()]
    text.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))
    return text.getvalue().encode()


def _cells(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind != "f":
        return [str(int(value)) for value in values.tolist()]
    # Six digits are finer than any label.
    return ["" if math.isnan(value) else f"{value:.6g}" for value in values.tolist()]


def parquet_bytes(table: AngleTable) -> bytes | None:
    """Return a table as Parquet; None where pyarrow is not installed."""
    try:
        # Not a dependency: Parquet is a convenience beside the CSV.
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        return None
    content = arrow.BufferOutputStream()
    # Null, as an empty cell of the CSV: readers other than pandas tell it from NaN.
    columns = {name: arrow.array(values, from_pandas=True) for name, values in table.columns().items()}
    parquet.write_table(arrow.table(columns), content)
    return bytes(content.getvalue())


def files(tables: Sequence[AngleTable]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    for table in tables:
        stem = f"{table.clip.subject}_{table.clip.clip}"
        yield f"{stem}.csv", csv_bytes(table)
        packed = parquet_bytes(table)
        if packed is not None:
            yield f"{stem}.parquet", packed


def define_tables(tables: Sequence[AngleTable], left_out: Sequence[str]) -> Mapping[str, Any]:
    """Return the description of the export."""
    return {
        "format": "movi-prep export",
        "version": 1,
        "target": "csv",
        "columns": {
            "time_s": "seconds since the first mocap sample of the clip",
            "frame": "frame of the clip (from shards), or mocap sample (from inverse kinematics)",
            "pose_valid": "1 where inverse kinematics solved the frame",
            "NAME_deg": "joint angle, degrees; empty where the frame is not solved (NAME_m: metres)",
            "NAME_std_deg": "standard deviation; empty where the markers do not see the coordinate",
            "NAME_valid": "1 where no landmark of the body misses by more than the bound",
        },
        "clips": [str(table.clip) for table in tables],
        "left_out": list(left_out),
    }


README = """# Joint angles as tables

One file for each clip. `pandas.read_csv("S001_C01.csv")` reads it; empty cells are no labels. Columns:

- `time_s`, `frame`: seconds since the clip's first mocap sample; frame of the clip, or mocap sample.
- `pose_valid`: 1 where inverse kinematics solved the frame.
- `NAME_deg`, `NAME_std_deg`, `NAME_valid`: a joint angle in degrees, its standard deviation (empty where the
  markers do not see it), and 1 where no landmark of its body misses by more than the bound.

Plot only rows whose `NAME_valid` is 1. `.parquet` files stand beside the tables where pyarrow was installed: the same
columns, null instead of an empty cell, true and false instead of 1 and 0.
"""
