"""The whole configuration: where the data are, and one section per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from movi_prep.config.base import Settings
from movi_prep.config.ik import IkSettings
from movi_prep.config.markers import MarkerSettings
from movi_prep.config.run import RunSettings
from movi_prep.config.scaling import ScalingSettings
from movi_prep.config.shard import ShardSettings
from movi_prep.errors import cut
from movi_prep.names import LONGEST_NAME, range_of


def parse_names(value: object) -> object:
    """Return a tuple of names and ranges for "1,15", "1-5,S009", 7 or a list of them; leave the rest to pydantic."""
    if isinstance(value, str):
        entries = [part.strip() for part in value.split(",")]
    elif isinstance(value, list | tuple | range) and all(_is_name(item) for item in value):
        entries = [str(item).strip() for item in value]
    elif _is_name(value):
        entries = [str(value)]
    else:
        return value
    longest = 2 * LONGEST_NAME + 1  # two names and what parts them
    if not all(0 < len(entry) <= longest for entry in entries):
        raise ValueError(f"expected names or numbers like '1,15' or '1-5', but got {cut(repr(value), at_most=80)}")
    for entry in entries:
        range_of(entry)
    return tuple(dict.fromkeys(entries))


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]


class Config(Settings):
    """All settings of a run. Paths that are relative count from the configuration file's folder."""

    work: Path = Path("work")
    """Work folder: everything that is written goes here."""

    amass: Path | None = None
    """Folder with AMASS, however it was unpacked."""

    body_models: Path | None = None
    """Folder with `smplh/{male,female,neutral}/model.npz` and, if there, `dmpls/.../model.npz`."""

    v3d: Path | None = None
    """Folder with `F_v3d_Subject_N.mat`."""

    videos: Path | None = None
    """Folder with `F_PG1_Subject_N_L.avi` and PG2."""

    calibration: Path | None = None
    """Folder with `cameraParams_PG1`, `Extrinsics_PG1` and PG2's (.npz, .pkl, .mat)."""

    subset: Names | None = None
    """Subsets of AMASS to take, as their folders are called (`ACCAD,KIT`), or `all`; none means BMLmovi, with videos.
    Without videos, labels are at each clip's own mocap rate."""

    subjects: Names | None = None
    """Subjects to work on: names (`S001`, `KIT_*`), or BMLmovi's numbers, `1,15` or `1-5`; none means all there are."""

    clips: Names | None = None
    """Clips to work on, as subjects; none means all there are."""

    exclude: Names = ()
    """Subjects and clips to leave out, by the keys that tables and records show: `S007`, `S012/C03`."""

    embedded: bool = False
    """Whether the embedded data set is used; it is written into `WORK/embedded` where it is not there yet."""

    markers: MarkerSettings = MarkerSettings()
    """The marker stage."""

    scaling: ScalingSettings = ScalingSettings()
    """Scaling."""

    ik: IkSettings = IkSettings()
    """Inverse kinematics."""

    shard: ShardSettings = ShardSettings()
    """Alignment, boxes, crops and shards."""

    run: RunSettings = RunSettings()
    """How units are executed."""
