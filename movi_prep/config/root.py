"""The whole configuration: where the data are, and one section per stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from movi_prep.config.base import Settings
from movi_prep.config.fields import Before
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
    longest = 2 * LONGEST_NAME + 1  # two names and the hyphen between them
    if not all(0 < len(entry) <= longest for entry in entries):
        raise ValueError(f"expected names or numbers like '1,15' or '1-5', but got {cut(repr(value), at_most=80)}")
    for entry in entries:
        # Called for its error: a range that runs backwards is refused here, not when data are looked for.
        range_of(entry)
    # Twice the same name is one; the order is the user's.
    return tuple(dict.fromkeys(entries))


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


Names = Annotated[tuple[str, ...], Before(parse_names)]


class Config(Settings):
    """All settings of a run. Relative paths start at the configuration file's folder."""

    work: Path = Path("work")
    """Work folder: all results go there."""

    amass: Path | None = None
    """Folder with AMASS, as you unpacked it."""

    body_models: Path | None = None
    """Folder with `smplh/{male,female,neutral}/model.npz` and, optionally, `dmpls/.../model.npz`."""

    v3d: Path | None = None
    """Folder with `F_v3d_Subject_N.mat`."""

    videos: Path | None = None
    """Folder with the videos, `F_PG1_Subject_N_L.avi` and `F_PG2_Subject_N_L.avi`."""

    calibration: Path | None = None
    """Folder with the cameras' calibration, `cameraParams_PG1`, `Extrinsics_PG1` and PG2's (.npz, .pkl, .mat)."""

    manifest: Path | None = None
    """Manifest of recordings (.yaml, .csv) instead of BMLmovi's folders; `movi-prep init` writes one."""

    subset: Names | None = None
    """Subsets of AMASS to use, by the names of their folders (`ACCAD,KIT`), or `all`; none means BMLmovi, with videos.
    Subsets have no videos; their labels keep each clip's own mocap rate."""

    reader: Literal["3dpw", "emdb", "results"] | None = None
    """What `amass` holds where it is not AMASS: files of 3DPW, of EMDB, or results of networks (`.npz`, `.pkl`)."""

    subjects: Names | None = None
    """Subjects to work on: names (`S001`, `KIT_*`), or BMLmovi's numbers, `1,15` or `1-5`; none means all."""

    clips: Names | None = None
    """Clips to work on, written as subjects are; none means all."""

    exclude: Names = ()
    """Subjects and clips to leave out, by the keys in tables and records: `S007`, `S012/C03`."""

    embedded: bool = False
    """Whether to use the embedded data set; the first run writes it to `WORK/embedded`."""

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
