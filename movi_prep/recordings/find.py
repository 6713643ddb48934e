"""Find the data in the folders of a configuration, restricted to its subjects and clips."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from movi_prep.errors import UsageError, list_names, suggest
from movi_prep.names import natural_order
from movi_prep.recordings.amass import find_amass
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.folders import Folders
from movi_prep.recordings.manifest import find_manifest
from movi_prep.recordings.pose_results import find_pose_results
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.choice import choose_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings

_NAMES_TOLD = 20
_KEYS_TOLD = 8


def find_recordings(config: Config) -> Recordings:
    """Return the data that a configuration names, restricted to its subjects and clips.

    Raises:
        UsageError: a folder does not exist or cannot be listed, or the choice matches nothing.
    """
    folders = Folders(**{item.name: getattr(config, item.name) for item in fields(Folders)})
    check_folders(folders)
    _check_subset(config)
    there = _find(folders, config)
    # The same for every reader: the setting belongs to the world, not to the layout.
    there = replace(there, motion_up=config.markers.motion_up)
    return select_clips(there, subjects=config.subjects, clips=config.clips, exclude=config.exclude)


def _find(folders: Folders, config: Config) -> Recordings:
    if config.manifest is not None:
        _check_manifest_only(config)
        return find_manifest(config.manifest, config.body_models)
    if config.reader is not None:
        return find_pose_results(folders, config.reader)
    return find_bmlmovi(folders) if config.subset is None else find_amass(folders, config.subset)


def _check_subset(config: Config) -> None:
    """Raise UsageError if flags combine subsets of AMASS with data of BMLmovi, which would have no effect."""
    if config.reader is not None and config.subset is not None:
        raise UsageError(f"reader: expected --subset or --reader {config.reader}, but got both; leave out one")
    # Refused, not passed over: a user who names videos expects them to be used.
    useless = [part for part in ("v3d", "videos", "calibration") if getattr(config, part) is not None]
    if config.subset is not None and useless:
        raise UsageError(
            f"subset: expected AMASS and body models only, but got {', '.join(useless)}, too; leave them out, or leave "
            "--subset out for BMLmovi with its videos"
        )
    if config.reader is not None and useless:
        raise UsageError(
            f"reader: expected motion and body models only, but got {', '.join(useless)}, too; leave them out"
        )


def _check_manifest_only(config: Config) -> None:
    """Raise UsageError where other data are named beside a manifest, or a layout that only BMLmovi has."""
    beside = [
        part
        for part in ("amass", "v3d", "videos", "calibration", "subset", "reader")
        if getattr(config, part) is not None
    ]
    if beside:
        raise UsageError(f"manifest: expected a manifest only, but got {', '.join(beside)}, too; leave them out")
    if config.shard.layout != "native":
        raise UsageError(
            f"shard.layout: expected native, but got {config.shard.layout}: D3KE's layout holds one video of 800 x 600 "
            "pixels for each subject and camera, cameras PG1 and PG2 that stand still, and clips by V3D's numbers, "
            "which recordings of a manifest need not have; leave --layout out, and train on native shards with "
            "ShardDataset(..., scales='d3ke'), whose samples are D3KE's"
        )


def check_folders(folders: Folders) -> None:
    """Raise one UsageError for all folders that do not exist, so that users can correct them together."""
    named = {item.name: getattr(folders, item.name) for item in fields(folders)}
    wrong = {name: folder for name, folder in named.items() if folder is not None and not folder.is_dir()}
    if wrong:
        faults = "; ".join(f"{name}: expected a folder, but {folder} is not one" for name, folder in wrong.items())
        raise UsageError(f"{faults}; correct the path{'s' if len(wrong) > 1 else ''}")


def select_clips(
    recordings: Recordings,
    *,
    subjects: Collection[str] | None,
    clips: Collection[str] | None,
    exclude: Collection[str] = (),
) -> Recordings:
    """Return the recordings cut to some subjects and clips; None means all that are found.

    Raises:
        UsageError: a subject has no clips, or no clip is left.
    """
    known = recordings.subjects
    wanted, absent = (set(known), []) if subjects is None else choose_names(subjects, known)
    if absent:
        remedy = f"say {_ranges(wanted)}" if wanted else f"choose among them{suggest(absent[0], known)}"
        raise UsageError(
            f"subjects: expected subjects with AMASS clips ({_ranges(known)}), but got {_ranges(absent)}; "
            f"{remedy}, or check the folder `amass`"
        )
    names = {clip.clip for clip in recordings.motions if clip.subject in wanted}
    named = names if clips is None else _named_clips(clips, names)
    absent_keys = _absent_keys(exclude, recordings)
    left = {
        clip: path
        for clip, path in recordings.motions.items()
        if clip.subject in wanted and clip.clip in named and not {str(clip), clip.subject} & set(exclude)
    }
    if recordings.motions and not left:
        raise UsageError("subjects, clips, exclude: expected at least one clip, but none is left; widen the choice")
    # Kept, not dropped: the clips that were not chosen still hold the shape of their subject.
    others = {clip: path for clip, path in recordings.motions.items() if clip not in left}
    return replace(recordings, motions=left, others=others, findings=(*recordings.findings, *absent_keys))


def _named_clips(clips: Collection[str], names: Collection[str]) -> set[str]:
    """Return the clips that `--clips` names; raise UsageError where it names none."""
    named, absent = choose_names(clips, names)
    if names and not named:
        raise UsageError(
            f"clips: expected clips that the chosen subjects have ({_ranges(names)}), but got "
            f"{list_names(absent)}{suggest(absent[0], names)}; correct --clips"
        )
    return named


def _absent_keys(exclude: Collection[str], recordings: Recordings) -> list[str]:
    """Return a sentence on keys of `exclude` that match nothing, because they may be typing errors.

    Raises:
        UsageError: an entry cannot be a key of these data.
    """
    keys = {*map(str, recordings.motions), *recordings.subjects}
    absent = []
    for entry in exclude:
        # A subject of BMLmovi that is not there need not be an error: one list serves any part of the data.
        parts = entry.split("/")
        numbered = number_of(parts[0]) is not None and len(parts) <= 2
        if recordings.motions and entry not in keys and not numbered:
            example = next(iter(recordings.motions))
            raise UsageError(
                f"exclude: expected a key like {example.subject!r} or {str(example)!r}, but got {entry!r}"
                f"{suggest(entry, keys)}"
            )
        absent += [f"{entry}{suggest(entry, keys)}"] if recordings.motions and entry not in keys else []
    return [f"exclude: no clip or subject of these data is {', or '.join(absent[:_KEYS_TOLD])}"] if absent else []


def _ranges(names: Collection[str]) -> str:
    """Return names as `--subjects` takes them, BML-MoVi's as `1-6,8`: a range with a gap as its parts."""
    numbers = {number: name for name in names if (number := _number(name)) is not None}
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    ranges = [f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts]
    others = sorted(set(names) - set(numbers.values()), key=natural_order)
    return ",".join([*ranges, *others[:_NAMES_TOLD], *(["..."] if len(others) > _NAMES_TOLD else [])]) or "none"


def _number(name: str) -> int | None:
    return int(name) if name.isdecimal() else number_of(name)
