"""Counts the data and says what is missing, before anything runs."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import list_names
from movi_prep.plain_text import count_of
from movi_prep.recordings.wanted import WANTED
from movi_prep.records.bmlmovi_names import number_of

if TYPE_CHECKING:
    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings

N_MOTIONS = 21
"""Motions that every subject of BMLmovi was asked to perform."""


@dataclass(frozen=True)
class Part:
    """One part of the data.

    Attributes:
        name: name of the part of the data.
        folder: where it was looked for, None where the configuration names no folder.
        found: what was found, one line.
        missing: what is missing and what follows from it, one line; empty if nothing is.
    """

    name: str
    folder: Path | None
    found: str
    missing: str = ""


def describe_recordings(recordings: Recordings, config: Config) -> tuple[Part, ...]:
    """Return for each part of the data what was found and what is missing."""
    parts = _describe_parts(recordings, config)
    if config.manifest is None:
        return parts
    # A manifest has no V3D files, and is where everything else is named.
    return tuple(replace(part, folder=part.folder or config.manifest) for part in parts if part.name != "V3D")


def _describe_parts(recordings: Recordings, config: Config) -> tuple[Part, ...]:
    return (
        _describe_motions(recordings, config),
        _describe_bodies(recordings, config),
        Part(
            "soft tissue",
            config.body_models,
            list_names(recordings.dmpl_models),
            "no DMPL model: needed by markers.soft_tissue"
            if config.markers.soft_tissue and not recordings.dmpl_models
            else "",
        ),
        Part(
            "V3D",
            config.v3d,
            count_of(len(recordings.sessions), "subject"),
            _lacking(recordings, set(recordings.sessions), config.v3d),
        ),
        _describe_videos(recordings, config),
        _describe_calibration(recordings, config),
    )


def describe_space(work: Path) -> str:
    """Return how much space is free where the work folder is or will be."""
    there = next(folder for folder in (work, *work.parents) if folder.exists())
    return f"{shutil.disk_usage(there).free / 1e9:.0f} GB free"


def _describe_motions(recordings: Recordings, config: Config) -> Part:
    n_clips = len(recordings.motions)
    missing = ""
    if not n_clips:
        missing = f"no AMASS clip ({WANTED[recordings.reader].motions}): nothing can run"
    elif recordings.reader == "bmlmovi":
        gaps = [
            f"{subject} {','.join(map(str, absent))}"
            for subject in recordings.subjects
            if (absent := _absent_clips(recordings, subject))
        ]
        if gaps:
            missing = f"clips not there: {list_names(gaps, at_most=8)}"
    found = f"{count_of(n_clips, 'clip')} of {count_of(len(recordings.subjects), 'subject')}"
    return Part("AMASS clips", config.amass, found, missing)


def _absent_clips(recordings: Recordings, subject: str) -> list[int]:
    """Return the clips up to BMLmovi's 21st (or the subject's last, in smaller sets) that a subject lacks."""
    clips = [clip.clip for clip in (*recordings.motions, *recordings.others) if clip.subject == subject]
    there = {number for clip in clips if (number := number_of(clip)) is not None}
    most = max(Counter(clip.subject for clip in (*recordings.motions, *recordings.others)).values())
    # A whole download has subjects with (nearly) all motions; in a small set the last clip there is tells how many
    # belong.
    last = N_MOTIONS if most >= N_MOTIONS - 1 else max(there, default=0)
    return [number for number in range(1, last + 1) if number not in there]


def _describe_bodies(recordings: Recordings, config: Config) -> Part:
    there = {sex for _, sex in recordings.body_models}
    missing = [] if "neutral" in there else [sex for sex in ("female", "male") if sex not in there]
    said = f"no {' or '.join(missing)} body model" if missing else ""
    return Part("body models", config.body_models, list_names(map(" ".join, recordings.body_models)), said)


def _describe_videos(recordings: Recordings, config: Config) -> Part:
    per_camera = Counter(camera for _, camera in recordings.filmed)
    found = ", ".join(f"{camera}: {count}" for camera, count in sorted(per_camera.items())) or "none"
    lacking = [
        f"{camera}: {said}"
        for camera in recordings.cameras_wanted(config.shard.cameras)
        if (said := _lacking(recordings, {n for n, name in recordings.filmed if name == camera}, config.videos))
    ]
    return Part("videos", config.videos, found, "; ".join(lacking))


def _describe_calibration(recordings: Recordings, config: Config) -> Part:
    whole = recordings.whole_cameras
    lacking = [camera for camera in recordings.cameras_wanted(config.shard.cameras) if camera not in whole]
    said = f"no calibration of {', '.join(lacking)}: no shards of it" if lacking and config.calibration else ""
    return Part("calibration", config.calibration, list_names(whole), said)


def _lacking(recordings: Recordings, there: set[str], folder: Path | None) -> str:
    """Return which subjects with motion lack a part; () if no folder is named for it."""
    lacking = [subject for subject in recordings.subjects if subject not in there]
    return f"none of {list_names(lacking, at_most=8)}: no shards of them" if lacking and folder else ""
