"""`alignment/S001.json`: which video frames of each clip have a mocap sample, and how well the recordings agree.

| key                             | content                                                                        |
|---------------------------------|--------------------------------------------------------------------------------|
| `format`, `version`             | `movi-prep alignment`, 3                                                       |
| `subject`, `findings`           | name (version 1: number); sentences on the subject's files                     |
| `clips[]`                       | one entry per clip                                                             |
| `  clip`, `motion`              | name (version 1: number); what was performed                                   |
| `  first_video_frame`, `n_video_frames` | by flags30, from 0                                                     |
| `  video_frames`, `mocap_samples` | the overlap, as runs [first, count, step]                                    |
| `  after_sample`                | how far each frame is after its sample, in samples; null where all fall on one |
| `  camera`, `video_rate_hz`     | camera of a video that is the clip's own; "" and null: all cameras (version 2) |
| `  refused`                     | [first frame, last frame, reason]                                              |
| `  lag_s`, `mismatch`, `rotation_deg`, `offset_m`, `rms_m` | measured, null where they could not be              |
| `  suspicions`, `findings`      | bounds that are exceeded; what else to read                                    |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep._version import __version__
from movi_prep.formats.atomic import write_text
from movi_prep.formats.described_json import read_described_json
from movi_prep.formats.reading import reads
from movi_prep.records.alignment import ClipAlignment, SubjectAlignment
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject, require_number
from movi_prep.records.checks import frozen_array
from movi_prep.records.identity import ClipId
from movi_prep.records.timeline import ClipTimeline, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "movi-prep alignment"
VERSION = 3

_MEASURED = ("lag_s", "mismatch", "rotation_deg", "offset_m", "rms_m")


def write_alignment(path: Path, alignment: SubjectAlignment, *, provenance: Mapping[str, Any]) -> None:
    """Write a subject's alignment as JSON, atomically."""
    content = {
        # Provenance stands last: a person who opens the file sees the clips first.
        "format": FORMAT,
        "version": VERSION,
        "subject": alignment.subject,
        "findings": list(alignment.findings),
        "clips": [_clip_content(clip) for clip in alignment.clips],
        "provenance": {"movi_prep": __version__, **provenance},
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


@reads("an alignment", "run the stage again")
def read_alignment(path: Path) -> SubjectAlignment:
    """Read a subject's alignment.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not an alignment, or of another version.
    """
    content = read_described_json(
        path, kind=FORMAT, version=VERSION, older=(1, 2), what="an alignment", remedy="run 'movi-prep shard'"
    )
    subject = _subject(content["subject"])
    clips = tuple(_clip(subject, entry) for entry in content["clips"])
    return SubjectAlignment(subject=subject, clips=clips, findings=tuple(content["findings"]))


def _clip_content(clip: ClipAlignment) -> dict[str, Any]:
    timeline = clip.timeline
    return {
        "clip": timeline.clip.clip,
        "motion": timeline.motion,
        "first_video_frame": clip.first_video_frame,
        "n_video_frames": clip.n_video_frames,
        "video_frames": _runs(timeline.video_frames),
        "mocap_samples": _runs(timeline.mocap_samples),
        # None, not a list of zeros: most recordings have a sample at every frame, and the file
        # stays short.
        "after_sample": None if timeline.after_sample is None else timeline.after_sample.tolist(),
        "camera": clip.camera,
        "video_rate_hz": clip.video_rate_hz,
        "refused": [[refusal.first_frame, refusal.last_frame, refusal.reason] for refusal in timeline.refused],
        # Names in the file are those of the record, so that a new measurement needs no second list.
        **{name: getattr(clip, name) for name in _MEASURED},
        "suspicions": list(clip.suspicions),
        "findings": list(clip.findings),
    }


def _clip(subject: str, entry: dict[str, Any]) -> ClipAlignment:
    timeline = ClipTimeline(
        clip=_clip_id(subject, entry["clip"]),
        motion=str(entry["motion"]),
        video_frames=_from_runs(entry["video_frames"]),
        mocap_samples=_from_runs(entry["mocap_samples"]),
        # int() refuses what JSON may hold in place of a number (null, a list); `reads` turns that into an InputError.
        refused=tuple(Refusal(int(first), int(last), str(reason)) for first, last, reason in entry["refused"]),
        # `get`, because versions 1 and 2 do not have this key.
        after_sample=None if entry.get("after_sample") is None else frozen_array(entry["after_sample"]),
    )
    return ClipAlignment(
        timeline=timeline,
        first_video_frame=int(entry["first_video_frame"]),
        n_video_frames=int(entry["n_video_frames"]),
        **{name: entry[name] for name in _MEASURED},
        suspicions=tuple(entry["suspicions"]),
        camera=str(entry.get("camera", "")),
        video_rate_hz=entry.get("video_rate_hz"),
        findings=tuple(entry["findings"]),
    )


def _subject(stored: int | str) -> str:
    """Return the name of a subject; version 1 counted subjects and clips, as BML-MoVi does."""
    return movi_subject(stored) if isinstance(stored, int) else stored


def _clip_id(subject: str, stored: int | str) -> ClipId:
    if isinstance(stored, int):
        return movi_clip(require_number(subject, wanted_by="version 1 of this file"), stored)
    return ClipId(subject, stored)


def _runs(numbers: NDArray[np.int64]) -> list[list[int]]:
    """Return increasing numbers as runs of even steps: [first, count, step]."""
    # A clip has a thousand frames and, as a rule, one run: the file stays readable.
    runs: list[list[int]] = []
    for number in numbers.tolist():
        # Any two numbers make a run: the second one sets the step.
        if runs and runs[-1][1] == 1:
            runs[-1][1:] = [2, number - runs[-1][0]]
        elif runs and number == runs[-1][0] + runs[-1][1] * runs[-1][2]:
            runs[-1][1] += 1
        else:
            runs.append([number, 1, 1])
    return runs


def _from_runs(runs: list[list[int]]) -> NDArray[np.int64]:
    parts = [first + step * np.arange(count) for first, count, step in runs]
    return frozen_array(np.concatenate(parts) if parts else [], np.int64)
