"""Reads a work folder for the report: all files that exist; a damaged file is reported and never an error.

| part | from |
|---|---|
| outcomes of units | `records/STAGE/KEY.json` |
| static trial, scaling, model | `markers/S001/static.h5`, `models/S001/scale.json`, `models/S001/scaled.osim` |
| alignment | `alignment/S001.json` |
| shards | `shards/S001_PG1.h5` |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from movi_prep.errors import InputError, MoviPrepError
from movi_prep.formats.alignment_file import read_alignment
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.marker_file import read_static_trial
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_attribute, read_clip_ids, read_left_out
from movi_prep.formats.unit_outcome import read_outcome
from movi_prep.names import ALL_SUBJECTS, natural_order
from movi_prep.records.identity import ClipId
from movi_prep.stages.order import ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.formats.unit_outcome import Outcome
    from movi_prep.records.alignment import SubjectAlignment
    from movi_prep.records.markers import StaticTrial
    from movi_prep.records.outdated import OutdatedShards
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.work_folder import WorkFolder

T = TypeVar("T")


@dataclass(frozen=True)
class PictureFacts:
    """How well the pictures of one clip agree with the projected body; NaN where it was not measured.

    Attributes:
        clip: which clip.
        camera: before which camera.
        agreement: correlation of where the picture changes with where the body moves.
        on_body, by_chance: share of the change that lies on the body, and of the picture that the body covers.
        lag_ms: how late the picture is.
        offset_px: how far it lies right of and below the body.
        other_camera, other_agreement: the other camera whose calibration agrees best, and how well.
        state: "", "doubted" or "suspect".
    """

    clip: ClipId
    camera: str
    agreement: float
    on_body: float
    by_chance: float
    lag_ms: float
    offset_px: tuple[float, float]
    other_camera: str
    other_agreement: float
    state: str


@dataclass(frozen=True)
class ShardFacts:
    """A shard in numbers.

    Attributes:
        path: the file.
        camera: name of the camera.
        n_rows: frames with labels.
        n_used: frames that moved far enough since the last used one.
        n_clips: clips.
        n_bytes: size of the file.
        picture: encoding and median size, in words.
        refused: (first frame, last frame, reason) of frames without a row.
        left_out: (clip, reason) of clips without any row; empty for files of earlier releases.
        valid_percent: share of coordinate labels that are valid.
        pictures: how well pictures agree with the body, clip by clip; empty for files of earlier releases.
    """

    path: Path
    camera: str
    n_rows: int
    n_used: int
    n_clips: int
    n_bytes: int
    picture: str
    refused: tuple[tuple[int, int, str], ...]
    valid_percent: float
    pictures: tuple[PictureFacts, ...] = ()
    left_out: tuple[tuple[ClipId, str], ...] = ()

    @property
    def n_refused(self) -> int:
        """Number of refused frames."""
        return sum(last - first + 1 for first, last, _ in self.refused)


@dataclass(frozen=True)
class PlanFacts:
    """What the plan of the work folder says. The report makes no plan: it must do without the data.

    Attributes:
        left_out: stages and cameras that were chosen but cannot run, each with its reason.
        data: sentences on data that were passed over, or that a subject lacks and others have.
        outdated: shards that are out of date.
    """

    left_out: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    outdated: tuple[OutdatedShards, ...] = ()


@dataclass(frozen=True)
class SubjectFiles:
    """Files of one subject; None for a file that is absent, `problems` for one that is damaged."""

    subject: str
    trial: StaticTrial | None
    scale: ScaleResult | None
    model: ModelOutline | None
    alignment: SubjectAlignment | None
    clips: tuple[ClipId, ...]
    shards: tuple[ShardFacts, ...]
    problems: tuple[str, ...]


def read_outcomes(work: WorkFolder) -> tuple[tuple[Outcome, ...], tuple[str, ...]]:
    """Return how every unit ended, by stage and key; `problems` get a sentence on each unreadable record."""
    outcomes, problems = [], []
    # Beside the records of stages the folder holds what runs were asked for.
    folders = (work.records() / entry.name for entry in ORDER)
    for path in sorted(path for folder in folders for path in folder.rglob("*.json")):
        try:
            outcomes.append(read_outcome(path))
        except InputError as error:
            problems.append(str(error))
    return tuple(outcomes), tuple(problems)


def find_subjects(work: WorkFolder, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """Return every subject with any file in the work folder."""
    folders = [folder for part in ("markers", "models", "ik") for folder in (work.root / part).glob("*/")]
    alignments = (work.root / "alignment").glob("*.json")
    named = {path.stem if path.suffix == ".json" else path.name for path in (*folders, *alignments)}
    # Split at the last underscore: names of subjects may hold underscores.
    named |= {path.stem.rpartition("_")[0] for path in work.shards().glob("*_*.h5")}
    named |= {outcome.subject for outcome in outcomes} - {ALL_SUBJECTS}
    # Names with a dot in front are of folders that are being written.
    return tuple(sorted((name for name in named if name and name[0] != "."), key=natural_order))


def read_subject_files(work: WorkFolder, subject: str) -> SubjectFiles:
    """Return the files of one subject, except its solutions."""
    problems: list[str] = []
    shards = sorted(work.shards().glob(f"{subject}_*.h5"))
    facts = (read_if_there(path, read_shard_facts, problems) for path in shards)
    return SubjectFiles(
        subject=subject,
        trial=read_if_there(work.static_trial(subject), read_static_trial, problems),
        scale=read_if_there(work.scale_result(subject), read_scale_result, problems),
        model=read_if_there(work.scaled_model(subject), read_model_outline, problems),
        alignment=read_if_there(work.alignment(subject), read_alignment, problems),
        clips=_solved_clips(work, subject),
        shards=tuple(shard for shard in facts if shard is not None),
        problems=tuple(problems),
    )


def read_if_there(path: Path, reader: Callable[[Path], T], problems: list[str]) -> T | None:
    """Return the content of a file; None if it is absent or damaged, and damage is added to `problems`."""
    if not path.is_file():
        return None
    try:
        return reader(path)
    except MoviPrepError as error:
        problems.append(str(error))
        return None


def read_shard_facts(path: Path) -> ShardFacts:
    """Read the numbers of a shard; pictures are not decoded."""
    check_hdf5(path)
    with ShardFile(path) as shard:
        sides = np.median(shard.read("crops/size_px"), axis=0) if shard.n_rows else np.zeros(2)
        quality = shard.attribute("image_quality")
        words = f"{shard.attribute('image_format')}{f' {quality}' if quality else ''}"
        # Small labels only: a page over hundreds of shards must not read their pictures.
        valid = read_attribute(shard, "labels.coordinates.valid")
        return ShardFacts(
            path=path,
            camera=str(shard.attribute("camera")),
            n_rows=shard.n_rows,
            n_used=int(read_attribute(shard, "frames.used").sum()),
            n_clips=len(shard.read("clips/number")),
            n_bytes=path.stat().st_size,
            picture=f"{words}, median {sides[0]:.0f} x {sides[1]:.0f} px",
            refused=tuple((int(first), int(last), str(reason)) for first, last, reason in shard.attribute("refused")),
            valid_percent=100.0 * float(valid.mean()) if valid.size else float("nan"),
            pictures=_picture_facts(shard) if "clips/picture_agreement" in shard else (),
            left_out=read_left_out(shard),
        )


def _picture_facts(shard: ShardFile) -> tuple[PictureFacts, ...]:
    cameras = shard.names("clips/other_camera")
    read = {
        name: shard.read(f"clips/{name}").tolist()
        for name in (
            *("picture_agreement", "picture_on_body", "picture_by_chance", "picture_lag_s", "picture_offset_px"),
            *("other_agreement", "suspect", "doubted"),
        )
    }
    return tuple(
        PictureFacts(
            clip=clip,
            camera=str(shard.attribute("camera")),
            agreement=read["picture_agreement"][row],
            on_body=read["picture_on_body"][row],
            by_chance=read["picture_by_chance"][row],
            lag_ms=1e3 * read["picture_lag_s"][row],
            offset_px=tuple(read["picture_offset_px"][row]),
            other_camera=cameras[row],
            other_agreement=read["other_agreement"][row],
            state="suspect" if read["suspect"][row] else "doubted" if read["doubted"][row] else "",
        )
        for row, clip in enumerate(read_clip_ids(shard).values())
    )


def _solved_clips(work: WorkFolder, subject: str) -> tuple[ClipId, ...]:
    return tuple(sorted(ClipId(subject, path.stem) for path in (work.root / "ik" / subject).glob("*.h5")))
