"""Body models below a folder: its arrays say what a file is, the names nearest to it say which sex.

| arrays | what it is |
|---|---|
| `J_regressor` of 52 joints | SMPL+H |
| `eigvec` | DMPL soft tissue |
| `J_regressor` of 24, 55, 16 joints | SMPL, SMPL-X, MANO: passed over, and said |

`SEX/model.npz`, `SMPLH_MALE.npz`, `smplh_female.npz`: the file's own name tells the sex, else the nearest folder's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InputError, list_names
from movi_prep.formats.npz import NpzArchive
from movi_prep.recordings.folders import first_few, one_each, packed, without_marks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from movi_prep.recordings.folders import Listing

Kind = Literal["SMPL+H", "DMPL", "SMPL", "SMPL-X", "MANO", "other"]

_JOINTS: dict[int, Kind] = {52: "SMPL+H", 24: "SMPL", 55: "SMPL-X", 16: "MANO"}
_SEX = re.compile(r"(?<![a-z])(female|male|neutral)(?![a-z])", re.IGNORECASE)
_NO_MODEL = re.compile(r"(_poses|_stagei|_stageii|^shape)\.npz$", re.IGNORECASE)
_OTHER_FORM = re.compile(r"^(SMPL|SMPLH|SMPLX|DMPL|DMPLS|basicmodel|model).*\.(pkl|npz|json|tf)$", re.IGNORECASE)
_LIKE_DMPL = re.compile(r"dmpl", re.IGNORECASE)
_WANTED = "smplh/{male,female,neutral}/model.npz of 'Extended SMPL+H' for AMASS is needed"


def find_body_models(listing: Listing, findings: list[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return SMPL+H and DMPL models by sex; findings say what else looked like a model and why it was passed over."""
    found: dict[Kind, dict[str, list[Path]]] = {"SMPL+H": defaultdict(list), "DMPL": defaultdict(list)}
    others: list[str] = []
    unread: list[tuple[str, Path, str]] = []
    for path in listing.files:
        sex = _sex_of(path, listing)
        if path.suffix.lower() != ".npz" or sex is None or _NO_MODEL.search(path.name):
            others += _other_form(path)
            continue
        try:
            kind, arrays = body_model_kind(path)
        except InputError as error:
            unread.append((sex, path, str(error)))
            continue
        if kind in found:
            found[kind][sex].append(path)
        elif kind != "other":
            findings.append(f"{path} is a {kind} model and was passed over: SMPL+H is needed")
        elif _OTHER_FORM.match(path.name):
            others.append(f"{path} holds no body model ({arrays}): {_WANTED}")
    for sex, path, why in unread:
        kind = "DMPL" if _LIKE_DMPL.search("/".join((*listing.parts_below(path), path.name))) else "SMPL+H"
        if sex not in found[kind] and path.exists():
            # The only one of its sex fails the units that need it, by its name; `check` opens it.
            found[kind][sex].append(path)
        else:
            findings.append(f"{path} cannot be read and was passed over: {why}")
    findings += _tissue_alone(found)
    # Beside models that are there, an archive or another release is no matter.
    if not found["SMPL+H"]:
        findings += [*packed(listing), *first_few(others, "more such files")]
    bodies, tissues = (dict(sorted(found[kind].items())) for kind in ("SMPL+H", "DMPL"))
    return one_each(bodies, findings), one_each(tissues, findings)


def _tissue_alone(found: Mapping[Kind, Mapping[str, Sequence[Path]]]) -> list[str]:
    """Return a sentence on each DMPL model beside which no body of its sex lies: it may have been taken for one."""
    alone = [path for sex, paths in found["DMPL"].items() if sex not in found["SMPL+H"] for path in paths]
    return [f"{path} is a DMPL model, soft tissue without a body: {_WANTED}, too" for path in alone]


def body_model_kind(path: Path) -> tuple[Kind, str]:
    """Return what a file's arrays make it, and their names; only names and shapes are read.

    Raises:
        InputError: it is no archive of arrays, or its joint regressor is no plain array.
    """
    with NpzArchive(path) as archive:
        names = list_names(archive.names)
        if "eigvec" in archive and "J_regressor" not in archive:
            return "DMPL", names
        joints = archive.shape("J_regressor")[0] if "J_regressor" in archive else 0
    return _JOINTS.get(joints, "other"), names


def _sex_of(path: Path, listing: Listing) -> str | None:
    """Return the sex in the file's name, or in that of the nearest folder below the one that was named."""
    # The named folder itself may be `male/`; what lies above it says nothing.
    root = () if listing.root is None else (listing.root.name,)
    for name in (path.stem, *reversed((*root, *listing.parts_below(path)))):
        match = _SEX.search(name.replace("_", " "))
        if match is not None:
            return match[1].lower()
    return None


def _other_form(path: Path) -> list[str]:
    """Return what a person should know of a file that looks like a body model and is none that can be read."""
    name = without_marks(path.name)
    if not _OTHER_FORM.match(name) or _NO_MODEL.search(name):
        return []
    if path.suffix.lower() == ".npz":
        return [f"{path} is {_what(path)}, and says nowhere of which sex: put it into a folder male, female or neutral"]
    return [f"{path} is another release of the body model, or unfinished: {_WANTED}"]


def _what(path: Path) -> str:
    """Return what a model is by its arrays, for a sentence."""
    try:
        kind, arrays = body_model_kind(path)
    except InputError:
        return "a file that cannot be read"
    return f"no body model ({arrays})" if kind == "other" else f"a {kind} model"
