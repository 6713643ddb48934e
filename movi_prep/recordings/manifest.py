"""Recordings that a manifest lists: subjects, clips, motions, cameras and videos, wherever the files lie.

Subjects, clips and cameras have their names in the manifest; characters that cannot stand in a path become `_`
(`names.clean_name`). An entry that cannot be used is left out and reported; the others are used.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.config.base import narrow
from movi_prep.config.footage import NO_CHOICE, MotionChoice
from movi_prep.errors import InputError, UsageError, list_names
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.names import clean_name
from movi_prep.recordings.bodies import find_body_models
from movi_prep.recordings.folders import first_few, list_files
from movi_prep.recordings.manifest_footage import distinct_names, find_footage, is_there
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.manifest import ClipEntry, Manifest


def find_manifest(path: Path, body_models: Path | None) -> Recordings:
    """Return the recordings in a manifest.

    Args:
        path: the manifest.
        body_models: folder with body models; None for the manifest's.

    Raises:
        UsageError: the manifest cannot be read, or an entry in it is wrong.
    """
    try:
        manifest = read_manifest(path)
    except InputError as error:
        # A manifest is part of the command: its faults end the run before any unit, as those of a flag do.
        raise UsageError(str(error)) from error
    findings: list[str] = []
    clips = _named_clips(manifest, findings)
    motions = {
        clip: entry.motion for clip, entry in clips.items() if is_there(entry.motion, f"motion of {clip}", findings)
    }
    # Clips without motion are left out already: their videos need no finding of their own.
    footage = find_footage(manifest, {clip: clips[clip] for clip in motions}, findings)
    models = list_files(body_models or manifest.body_models)
    bodies, tissues = find_body_models(models, findings)
    return Recordings(
        motions={clip: motions[clip] for clip in sorted(motions)},
        choices={clip: choice for clip in motions if (choice := narrow(clips[clip], MotionChoice)) != NO_CHOICE},
        body_models=bodies,
        dmpl_models=tissues,
        footage=footage,
        video_rate_hz=None,
        reader="manifest",
        findings=tuple(dict.fromkeys([*models.findings, *findings])),
    )


def _named_clips(manifest: Manifest, findings: list[str]) -> dict[ClipId, ClipEntry]:
    """Return the clips by their names; those that would share one are left out."""
    subjects = distinct_names((entry.subject for entry in manifest.recordings), "subjects", findings)
    groups: dict[ClipId, list[ClipEntry]] = defaultdict(list)
    for entry in manifest.recordings:
        if entry.subject in subjects:
            groups[ClipId(subjects[entry.subject], clean_name(entry.clip))].append(entry)
    alike = [
        f"{clip} is listed {len(group)} times alike: one is used" for clip, group in groups.items() if _same(group)
    ]
    clashes = [
        f"{clip}: {list_names({item.clip for item in group})} are {len(group)} entries: none is used, name them apart"
        for clip, group in groups.items()
        if len(group) > 1 and not _same(group)
    ]
    findings += [*first_few(alike, "more are listed twice"), *first_few(clashes, "more clips clash")]
    return {clip: group[0] for clip, group in groups.items() if len(group) == 1 or _same(group)}


def _same(group: list[ClipEntry]) -> bool:
    return len(group) > 1 and all(entry == group[0] for entry in group)
