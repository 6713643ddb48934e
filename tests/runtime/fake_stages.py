"""Stages that only count and copy: small enough to run by the hundred, real enough to be planned, killed and cached.

`grow` makes one file per clip out of the clip's motion file; `blend` makes one per subject out of all of them.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from movi_prep.config.base import Settings
from movi_prep.config.root import Config
from movi_prep.config.scaling import ScalingSettings
from movi_prep.errors import InputError
from movi_prep.formats.atomic import write_bytes
from movi_prep.records.advance import Advance, advancing
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import AnyUnit, InSteps, Stage, StageReport, Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.worker_setup import RETIRE_AT


class GrowSettings(Settings):
    copies: int = 3


@dataclass(frozen=True)
class GrowInputs:
    motion: Path


@dataclass(frozen=True)
class GrowOutputs:
    grown: Path
    note: Path


@dataclass(frozen=True)
class BlendInputs:
    grown: tuple[Path, ...]


@dataclass(frozen=True)
class BlendOutputs:
    blend: Path


def grown_path(work: WorkFolder, clip: ClipId) -> Path:
    return work.root / "grown" / f"{clip}.bin"


def plan_grow(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AnyUnit, ...]:
    return tuple(
        Unit(
            stage="grow",
            key=str(clip),
            inputs=GrowInputs(motion=path),
            outputs=GrowOutputs(grown=grown_path(work, clip), note=grown_path(work, clip).with_suffix(".txt")),
            settings=GrowSettings(copies=config.markers.batch_samples),
        )
        for clip, path in recordings.motions.items()
    )


def run_grow(inputs: GrowInputs, outputs: GrowOutputs, settings: GrowSettings) -> StageReport:
    """Copy the motion a few times.

    Its first bytes may order a mishap: `fail`, `die`, `slow`, `rest`, `long`, `ages`, `hold`, `late`,
    `mute`, `link`, `edit`, `full`.
    """
    content = inputs.motion.read_bytes()
    if content.startswith(b"fail"):
        raise InputError(inputs.motion, expected="a motion", got="a mishap", remedy="record it again")
    whole = content * settings.copies
    # Who is killed from here on leaves a file that is not whole.
    write_bytes(outputs.grown, whole[: len(whole) // 2])
    if content.startswith(b"die"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep({b"slow": 0.3, b"rest": 6.0, b"long": 15.0, b"ages": 600.0}.get(content[:4], 0.0))
    if content.startswith(b"hold"):
        wait_until(release_file(inputs.motion.parents[1]).exists)
    if content.startswith(b"late"):
        retire_at_s = float(os.environ[RETIRE_AT])
        wait_until(lambda: time.time() > retire_at_s + 2.0)
    write_bytes(outputs.grown, whole)
    if content.startswith(b"full"):
        raise OSError(errno.ENOSPC, "No space left on device", str(outputs.grown.parent))
    if content.startswith(b"link"):
        os.link(inputs.motion, inputs.motion.with_suffix(".backup"))
    if content.startswith(b"edit"):
        inputs.motion.write_bytes(content + b"!")
    if not content.startswith(b"mute"):
        outputs.note.write_text(f"{len(whole)} bytes")
    os.write(1, b"spoken on the way\n")
    return StageReport(numbers={"grown_bytes": len(whole)}, findings=("it grew",))


def release_file(amass: Path) -> Path:
    """Return the file whose appearance ends the units that a test holds."""
    return amass.parent / "released"


def wait_until(is_so: Callable[[], bool], *, guard_s: float = 120.0) -> None:
    """Wait for an event; the guard only keeps a suite from hanging, so it is far beyond what any machine takes."""
    until = time.monotonic() + guard_s
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {guard_s:.0f} s for what did not come")
        time.sleep(0.02)


def meeting_place(amass: Path) -> Path:
    """Return the folder where processes leave their number that have a unit of `run_meeting` in hand."""
    return amass.parent / "met"


def run_meeting(inputs: GrowInputs, outputs: GrowOutputs, settings: GrowSettings) -> StageReport:
    """Grow; whose motion begins with `meet` waits until another process had a unit in hand, too."""
    place = meeting_place(inputs.motion.parents[1])
    place.mkdir(exist_ok=True)
    (place / str(os.getpid())).touch()
    if inputs.motion.read_bytes().startswith(b"meet"):
        wait_until(lambda: len(list(place.iterdir())) >= 2)
    return run_grow(inputs, outputs, settings)


def run_step_by_step(inputs: GrowInputs, outputs: GrowOutputs, settings: GrowSettings, advance: Advance) -> StageReport:
    """Grow in four steps of a third of a second, each of which is reported."""
    for _ in advancing(range(4), advance, total=4):
        time.sleep(0.35)
    return run_grow(inputs, outputs, settings)


def plan_blend(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AnyUnit, ...]:
    return tuple(
        Unit(
            stage="blend",
            key=subject,
            inputs=BlendInputs(grown=tuple(grown_path(work, clip) for clip in recordings.clips_of(subject))),
            outputs=BlendOutputs(blend=work.root / "blend" / f"{subject}.bin"),
            settings=config.scaling,
        )
        for subject in recordings.subjects
    )


def plan_blend_elsewhere(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AnyUnit, ...]:
    """Plan the same units with outputs in another folder."""
    return tuple(
        replace(unit, outputs=BlendOutputs(blend=work.root / "mixed" / f"{unit.key}.bin"))
        for unit in plan_blend(recordings, work, config)
    )


def run_blend(inputs: BlendInputs, outputs: BlendOutputs, settings: ScalingSettings) -> StageReport:
    write_bytes(outputs.blend, b"".join(path.read_bytes() for path in inputs.grown))
    return StageReport()


GROW = Stage(name="grow", version=1, summary="copies of a motion", plan=plan_grow, run=run_grow)
STEP_BY_STEP = replace(GROW, run=InSteps(run_step_by_step))
BLEND = Stage(name="blend", version=1, summary="all copies of a subject", plan=plan_blend, run=run_blend, gathers=True)
STAGES = (GROW, BLEND)


def write_motions(folder: Path, contents: dict[ClipId, bytes]) -> None:
    """Write files that are named like AMASS clips."""
    for clip, content in contents.items():
        path = (
            folder
            / f"Subject_{number_of(clip.subject)}_F_MoSh"
            / f"Subject_{number_of(clip.subject)}_F_{number_of(clip.clip)}_poses.npz"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@dataclass(frozen=True)
class TolerantInputs:
    grown: tuple[Path | None, ...] = field(metadata={"optional": True})


def plan_tolerant_blend(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AnyUnit, ...]:
    return tuple(
        replace(unit, inputs=TolerantInputs(unit.inputs.grown)) for unit in plan_blend(recordings, work, config)
    )


def run_tolerant_blend(inputs: TolerantInputs, outputs: BlendOutputs, settings: ScalingSettings) -> StageReport:
    write_bytes(outputs.blend, b"".join(path.read_bytes() for path in inputs.grown if path is not None))
    return StageReport()
