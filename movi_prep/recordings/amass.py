"""AMASS, any subset, without video: subject folders and file names as they are.

| what | name of the file | folders above it |
|---|---|---|
| clip, old release | `NAME_poses.npz` | `.../SUBSET/SUBJECT` |
| clip, new release | `NAME_stageii.npz` | `.../SUBSET/SUBJECT` |
| body model, soft tissue | see `recordings.bodies` | any |

Subject `SUBJECT` of `SUBSET` is `SUBSET_SUBJECT`, clip `NAME` is `NAME`; other characters become `_`
(`names.clean_name`). Subjects or clips that would share a name are left out, with a finding. Where both releases of a
clip are there, the old one is taken: it has soft tissue. Labels are at each clip's own mocap rate.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.errors import UsageError, list_names, suggest
from movi_prep.names import clean_name
from movi_prep.recordings.bodies import find_body_models
from movi_prep.recordings.folders import first_few, list_files, one_each, packed
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from movi_prep.recordings.folders import Folders, Listing

ALL_SUBSETS = "all"
"""The value of `--subset` that stands for every subset."""

_CLIP = re.compile(r"^(?P<name>.+)_(?P<release>poses|stageii)\.npz$", re.IGNORECASE)

Place = tuple[str, str, str]
"""Subset, subject and clip as folders and files name them."""


def find_amass(folders: Folders, subsets: Collection[str]) -> Recordings:
    """Return the clips of some subsets.

    Raises:
        UsageError: a subset in `subsets` does not exist.
    """
    listing, models = list_files(folders.amass), list_files(folders.body_models)
    findings = [*listing.findings, *models.findings]
    places: dict[Place, list[Path]] = defaultdict(list)
    for path in listing.files:
        match = _CLIP.match(path.name)
        if match is not None:
            places[(*_subset_and_subject(path, listing), match["name"])].append(path)
    wanted = _wanted(subsets, {subset for subset, _, _ in places}, listing)
    chosen = {place: paths for place, paths in sorted(places.items()) if place[0] in wanted}
    files = one_each(chosen, findings, say="/".join, rank=lambda path: "stageii" in path.name.lower())
    motions = _named(files, findings)
    subset_of = {path: place[0] for place, path in files.items()}
    body_models, dmpl_models = find_body_models(models, findings)
    return Recordings(
        motions={clip: motions[clip] for clip in sorted(motions)},
        subsets={clip.subject: subset_of[path] for clip, path in motions.items()},
        body_models=body_models,
        dmpl_models=dmpl_models,
        video_rate_hz=None,
        reader="amass",
        # Without repeats: both listings may report the same folder.
        findings=tuple(dict.fromkeys([*findings, *packed(listing)])),
    )


def _subset_and_subject(path: Path, listing: Listing) -> tuple[str, str]:
    """Return the two folders that a clip lies in; the folder that the user names counts too."""
    above = [*([] if listing.root is None else [listing.root.name]), *listing.parts_below(path)]
    subject = above.pop()
    # Archives unpack to doubled folders: BMLmovi/BMLmovi/Subject_1_F_MoSh.
    return (above[-1] if above else subject), subject


def _wanted(subsets: Collection[str], there: set[str], listing: Listing) -> set[str]:
    # Without any clip the folder is at fault, not the choice: a finding says so later.
    if ALL_SUBSETS in subsets or not there:
        return there
    # Users type subsets in lower case, and some file systems do not tell cases apart.
    folded = {name.casefold(): name for name in there}
    absent = [name for name in subsets if name.casefold() not in folded]
    if absent:
        raise UsageError(
            f"subset: expected subsets that lie below {listing.root} ({list_names(there)}), but got "
            f"{list_names(absent)}{suggest(absent[0], there)}; name others, or unpack them there"
        )
    return {folded[name.casefold()] for name in subsets}


def _named(files: dict[Place, Path], findings: list[str]) -> dict[ClipId, Path]:
    """Return clips by name; two that would have one name are left out, with a finding."""
    subjects = _one_to_one({place[:2] for place in files}, findings)
    taken: dict[ClipId, list[Place]] = defaultdict(list)
    for place in files:
        subject = subjects.get(place[:2])
        if subject is not None:
            taken[ClipId(subject, clean_name(place[2]))].append(place)
    clashes = {clip: places for clip, places in taken.items() if len(places) > 1}
    findings += _say_clashes((str(clip), ["/".join(place) for place in places]) for clip, places in clashes.items())
    return {clip: files[places[0]] for clip, places in taken.items() if clip not in clashes}


def _one_to_one(subjects: set[tuple[str, str]], findings: list[str]) -> dict[tuple[str, str], str]:
    """Return the name of each subject, without subjects that would share a name."""
    taken: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for subset, subject in sorted(subjects):
        taken[clean_name(f"{subset}_{subject}")].append((subset, subject))
    findings += _say_clashes(
        (name, ["/".join(pair) for pair in pairs]) for name, pairs in taken.items() if len(pairs) > 1
    )
    return {pairs[0]: name for name, pairs in taken.items() if len(pairs) == 1}


def _say_clashes(clashes: Iterable[tuple[str, list[str]]]) -> list[str]:
    said = [f"{' and '.join(places)} would both be {name} and are left out: rename one" for name, places in clashes]
    return first_few(said, "more clash in the same way")
