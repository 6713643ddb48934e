"""3DPW, EMDB and results of networks: files of poses, without video.

| reader | files below the folder | subject | clip |
|---|---|---|---|
| `3dpw` | `*.pkl` (`sequenceFiles/train/NAME.pkl`) | `NAME_p0`, `NAME_p1`: the persons of a file | `NAME` |
| `emdb` | `*_data.pkl` (`P3/NAME/NAME_data.pkl`) | `P3` | `NAME` |
| `results` | `*.npz`, `*.pkl`, `*.pt` | `NAME`, or `NAME_p0`, ... of several persons | `NAME` |

Files without poses are passed over, with a finding. Characters that cannot stand in a path become `_`
(`names.clean_name`). Two clips that would share a name are left out, with a finding. Bodies: see `recordings.bodies`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.config.footage import MotionChoice
from movi_prep.errors import InputError
from movi_prep.formats.pose_results import TORCH_SUFFIXES, read_posed_persons
from movi_prep.names import clean_name
from movi_prep.recordings.bodies import find_body_models
from movi_prep.recordings.folders import first_few, list_files, packed
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.recordings.folders import Folders, Listing
    from movi_prep.records.recordings import ReaderName

_ENDS: Mapping[ReaderName, tuple[str, ...]] = {
    "3dpw": (".pkl",),
    "emdb": ("_data.pkl",),
    "results": (".npz", ".pkl", *TORCH_SUFFIXES),
}


def find_pose_results(folders: Folders, reader: ReaderName) -> Recordings:
    """Return the clips that a folder of such files holds."""
    listing, models = list_files(folders.amass), list_files(folders.body_models)
    findings = [*listing.findings, *models.findings]
    places: dict[ClipId, list[tuple[Path, int]]] = defaultdict(list)
    passed_over: list[str] = []
    for path in listing.files:
        # By its ending: EMDB calls its sequences NAME_data.pkl.
        if not path.name.lower().endswith(_ENDS[reader]):
            continue
        try:
            # Read, not guessed: only the content tells how many people a file holds, and whether it holds poses at all.
            n_persons = len(read_posed_persons(path))
        except InputError as error:
            passed_over.append(f"{path} was passed over: {error}")
            continue
        for person in range(n_persons):
            places[_name(path, listing, reader, person=person, n_persons=n_persons)].append((path, person))
    clashes = [
        f"{' and '.join(str(path) for path, _ in files)} would both be {clip} and are left out: rename one"
        for clip, files in places.items()
        if len(files) > 1
    ]
    findings += first_few(passed_over, "more hold no poses") + first_few(clashes, "more clash in the same way")
    chosen = {clip: files[0] for clip, files in sorted(places.items()) if len(files) == 1}
    body_models, dmpl_models = find_body_models(models, findings)
    return Recordings(
        motions={clip: path for clip, (path, _) in chosen.items()},
        choices={clip: MotionChoice(person=person) for clip, (_, person) in chosen.items() if person},
        body_models=body_models,
        dmpl_models=dmpl_models,
        video_rate_hz=None,
        reader=reader,
        findings=tuple(dict.fromkeys([*findings, *packed(listing)])),
    )


def _name(path: Path, listing: Listing, reader: ReaderName, *, person: int, n_persons: int) -> ClipId:
    clip = clean_name(path.name[: -len("_data.pkl")] if reader == "emdb" else path.stem)
    if reader == "emdb":
        above = listing.parts_below(path)
        # P3/NAME/NAME_data.pkl: the subject is the folder above that of the clip.
        return ClipId(clean_name(above[-2] if len(above) > 1 else clip), clip)
    numbered = reader == "3dpw" or n_persons > 1
    return ClipId(clean_name(f"{clip}_p{person}") if numbered else clip, clip)
