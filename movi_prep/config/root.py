"""The whole configuration: where the data are, and one section per stage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from movi_prep.config.base import Settings
from movi_prep.config.ik import IkSettings
from movi_prep.config.markers import MarkerSettings
from movi_prep.config.run import RunSettings
from movi_prep.config.scaling import ScalingSettings
from movi_prep.config.shard import ShardSettings

_KEY = re.compile(r"^S\d{3,}(/C\d{2,})?$")
_RANGE = re.compile(r"^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$")


def parse_numbers(value: object) -> object:
    """Return a tuple of ints for "1,15" or "1-5,9"; leave everything else to pydantic."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, str):
        return value
    numbers: list[int] = []
    for part in value.split(","):
        match = _RANGE.match(part)
        if match is None:
            raise ValueError(f"expected numbers like '1,15' or '1-5', but got {value!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"expected a range that counts up, but got {part.strip()!r}")
        numbers.extend(range(first, last + 1))
    return tuple(dict.fromkeys(numbers))


def check_key(key: str) -> str:
    """Return a key that can meet a subject or a clip; any other would leave nothing out, and nobody would notice."""
    if _KEY.match(key) is None:
        raise ValueError(f"expected a key like 'S007' or 'S012/C03', but got {key!r}")
    return key


Numbers = Annotated[tuple[int, ...], BeforeValidator(parse_numbers)]


class Config(Settings):
    """Everything that a run is told. Paths that are relative count from the configuration file's folder."""

    work: Path = Path("work")
    """Work folder: everything that is written goes here."""

    amass: Path | None = None
    """Folder with AMASS BMLmovi clips, however it was unpacked."""

    body_models: Path | None = None
    """Folder with `smplh/{male,female,neutral}/model.npz` and, if there, `dmpls/.../model.npz`."""

    v3d: Path | None = None
    """Folder with `F_v3d_Subject_N.mat`."""

    videos: Path | None = None
    """Folder with `F_PG1_Subject_N_L.avi` and PG2."""

    calibration: Path | None = None
    """Folder with `cameraParams_PG1`, `Extrinsics_PG1` and PG2's (.npz, .pkl, .mat)."""

    subjects: Numbers | None = None
    """Subjects to work on, `1,15` or `1-5`; none means all that are found."""

    clips: Numbers | None = None
    """Clips to work on; none means all that are found."""

    exclude: tuple[Annotated[str, AfterValidator(check_key)], ...] = ()
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
