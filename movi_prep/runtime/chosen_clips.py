"""Remembers which clips the runs in a work folder chose, so that a later choice never shrinks existing files.

| file | content |
|---|---|
| `WORK/records/choice/S001.json` | clips of one subject: `asked` by any run, `gathered` in files of the whole subject |
| `WORK/records/choice.json` | there once a run was asked for every subject |

`null` means all clips that are there. What concerns a whole subject (its alignment, its shards) keeps the clips that it
holds: a run of other clips adds them. Commands that only look take the choice of all runs so far.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from movi_prep.errors import list_names
from movi_prep.formats.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from movi_prep.records.identity import ClipId
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder

FORMAT = "movi-prep-choice"
VERSION = 1

Clips = frozenset[str] | None
"""Keys of clips, `S001/C01`; None for all that are there."""


@dataclass(frozen=True)
class ChosenClips:
    """The clips that runs were asked for, by subject.

    Attributes:
        asked: by any run, for any stage.
        gathered: by runs that write files of a whole subject.
        every_subject: whether a run was asked for every subject, also for those that come later.
    """

    asked: Mapping[str, Clips] = field(default_factory=dict)
    gathered: Mapping[str, Clips] = field(default_factory=dict)
    every_subject: bool = False

    def was_asked(self, clip: ClipId) -> bool:
        """Whether a run was asked for this clip."""
        return _covers(self.asked, clip) if clip.subject in self.asked else self.every_subject

    def is_gathered(self, clip: ClipId) -> bool:
        """Return whether this clip belongs into the files of its subject: it is in them, or a run chose it."""
        return _covers(self.gathered, clip) if clip.subject in self.gathered else self.was_asked(clip)


def read_choice(work: WorkFolder) -> ChosenClips | None:
    """Return the choice of all runs so far; None where none is kept, which means all that is there."""
    files = {path.stem: _read(path) for path in sorted(_folder(work).glob("*.json"))}
    contents = {subject: content for subject, content in files.items() if content}
    every_subject = bool(_read(_marker(work)))
    if not contents and not every_subject:
        return None
    asked, gathered = (
        {subject: _clips(content[part]) for subject, content in contents.items() if part in content}
        for part in ("asked", "gathered")
    )
    return ChosenClips(asked=asked, gathered=gathered, every_subject=every_subject)


def keep_choice(
    work: WorkFolder, recordings: Recordings, *, all_subjects: bool, all_clips: bool, is_gathering: bool
) -> None:
    """Add a run's choice to the earlier ones.

    Args:
        work: the work folder.
        recordings: the data, restricted to those of the run.
        all_subjects: whether it was asked for every subject.
        all_clips: whether it was asked for every clip of them.
        is_gathering: whether it writes files of whole subjects.
    """
    before = read_choice(work) or ChosenClips()
    header: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    for subject in recordings.subjects:
        now: Clips = None if all_clips else frozenset(map(str, recordings.clips_of(subject)))
        old = {"asked": before.asked, "gathered": before.gathered}
        new = {"asked": _joined(before.asked, subject, now)}
        if is_gathering:
            new["gathered"] = _joined(before.gathered, subject, now)
        # All of AMASS has hundreds of subjects, so entries that have not changed are not written again.
        if any(subject not in old[part] or old[part][subject] != clips for part, clips in new.items()):
            kept = {part: chosen[subject] for part, chosen in old.items() if subject in chosen} | new
            # Sorted, so that the same choice gives the same bytes and is not written again.
            listed = {part: None if clips is None else sorted(clips) for part, clips in kept.items()}
            write_text(_folder(work) / f"{subject}.json", json.dumps(header | listed) + "\n")
    if all_subjects and not before.every_subject:
        write_text(_marker(work), json.dumps(header | {"subjects": "all"}) + "\n")


def with_gathered(recordings: Recordings, choice: ChosenClips | None, *, exclude: Collection[str]) -> Recordings:
    """Return the recordings with the clips that files of their subjects hold already, and a finding on each subject."""
    if choice is None:
        return recordings
    subjects = set(recordings.subjects)
    widened = take_clips(
        recordings,
        lambda clip: (
            clip in recordings.motions
            or (clip.subject in subjects & choice.gathered.keys() and choice.is_gathered(clip))
        ),
        exclude=exclude,
    )
    added = [clip for clip in widened.motions if clip not in recordings.motions]
    told = [
        f"{subject}: {list_names(clip.clip for clip in added if clip.subject == subject)} of earlier runs stay in its "
        "files and are kept up to date with them; `exclude` leaves a clip out"
        for subject in dict.fromkeys(clip.subject for clip in added)
    ]
    return replace(widened, findings=(*recordings.findings, *told))


def take_clips(recordings: Recordings, is_wanted: Callable[[ClipId], bool], *, exclude: Collection[str]) -> Recordings:
    """Return the recordings cut to the clips that are wanted and not left out."""
    found = {**recordings.others, **recordings.motions}
    wanted = {
        clip: path
        for clip, path in sorted(found.items())
        if is_wanted(clip) and not {str(clip), clip.subject} & set(exclude)
    }
    return replace(recordings, motions=wanted, others={clip: found[clip] for clip in found if clip not in wanted})


def _covers(chosen: Mapping[str, Clips], clip: ClipId) -> bool:
    clips = chosen[clip.subject]
    return clips is None or str(clip) in clips


def _joined(before: Mapping[str, Clips], subject: str, now: Clips) -> Clips:
    earlier = before.get(subject, frozenset())
    # None means all clips, which no list can narrow again.
    return None if now is None or earlier is None else now | earlier


def _clips(listed: Any) -> Clips:
    return frozenset(map(str, listed)) if isinstance(listed, list) else None


def _read(path: Path) -> dict[str, Any]:
    """Return a file's content; nothing where it is absent, or damaged: its subject then counts as never asked for."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    is_ours = isinstance(content, dict) and (content.get("format"), content.get("version")) == (FORMAT, VERSION)
    return content if is_ours else {}


def _folder(work: WorkFolder) -> Path:
    return work.records() / "choice"


def _marker(work: WorkFolder) -> Path:
    return work.records() / "choice.json"
