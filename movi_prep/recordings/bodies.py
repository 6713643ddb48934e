"""Finds body models in a folder: the arrays in a file show the kind of model, the nearest name shows the sex.

| arrays | what it is |
|---|---|
| `J_regressor` of 24, 52, 55 joints | SMPL, SMPL+H, SMPL-X; .npz, or .pkl of Python 2 |
| `eigvec` | DMPL soft tissue |
| `J_regressor` of 16 joints | MANO: passed over, with a finding |

`SEX/model.npz`, `SMPLH_MALE.npz`, `SMPL_NEUTRAL.pkl`, `basicModel_f_...pkl`: the file's own name shows the sex, else
the nearest folder's. Of a model that is there as .npz and as .pkl, the .npz is taken.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InputError, list_names
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.model_pickle import model_pickle_shapes
from movi_prep.formats.npz import NpzArchive
from movi_prep.recordings.folders import first_few, one_each, packed, without_marks
from movi_prep.records.body_layout import LAYOUTS, BodyName

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from movi_prep.formats.file_stamp import FileStamp
    from movi_prep.recordings.folders import Listing

Kind = Literal["SMPL+H", "DMPL", "SMPL", "SMPL-X", "MANO", "other"]

_JOINTS: dict[int, Kind] = {**{layout.n_joints: name for name, layout in LAYOUTS.items()}, 16: "MANO"}
# Without letters around it: `female` holds `male`.
_SEX = re.compile(r"(?<![a-z])(female|male|neutral)(?![a-z])", re.IGNORECASE)
_LETTER = re.compile(r"^basicmodel_([fm])_", re.IGNORECASE)
_LETTERS = {"f": "female", "m": "male"}
_NO_MODEL = re.compile(r"(_poses|_stagei|_stageii|^shape)\.npz$", re.IGNORECASE)
_OTHER_FORM = re.compile(r"^(SMPL|SMPLH|SMPLX|DMPL|DMPLS|basicmodel|model).*\.(pkl|npz|json|tf)$", re.IGNORECASE)
_LIKE_DMPL = re.compile(r"dmpl", re.IGNORECASE)
_WANTED = "a model of SMPL, SMPL+H or SMPL-X is needed, as smplh/{male,female,neutral}/model.npz or SMPLX_NEUTRAL.npz"


def find_body_models(listing: Listing, findings: list[str]) -> tuple[dict[tuple[BodyName, str], Path], dict[str, Path]]:
    """Return body models by body and sex, and DMPL by sex; findings name other files that look like models, and why
    they are not used."""
    bodies: dict[tuple[BodyName, str], list[Path]] = defaultdict(list)
    tissues: dict[str, list[Path]] = defaultdict(list)
    others: list[str] = []
    unread: list[tuple[str, Path, str]] = []
    for path in listing.files:
        sex = _sex_of(path, listing)
        if not _may_be_model(path) or sex is None:
            others += _other_form(path)
            continue
        try:
            kind, arrays = body_model_kind(path)
        except InputError as error:
            unread.append((sex, path, str(error)))
            continue
        if kind == "DMPL":
            tissues[sex].append(path)
        elif kind in LAYOUTS:
            bodies[kind, sex].append(path)
        else:
            others += _no_model(path, kind, arrays)
    for sex, path, why in unread:
        # The file cannot be read: its path is all that tells a body from its tissue.
        is_tissue = _LIKE_DMPL.search("/".join((*listing.parts_below(path), path.name)))
        taken = sex in tissues if is_tissue else any(there == sex for _, there in bodies)
        if taken or not path.exists():
            findings.append(f"{path} cannot be read and was passed over: {why}")
        # The only one of its sex fails the units that need it, by its name; `check` opens it.
        elif is_tissue:
            tissues[sex].append(path)
        else:
            bodies[_named_body(path), sex].append(path)
    findings += _tissue_alone(tissues, {sex for _, sex in bodies})
    # If models were found, an archive or another release does not matter.
    if not bodies:
        findings += [*packed(listing), *first_few(others, "more such files")]
    return (
        one_each(dict(sorted(bodies.items())), findings, say=" ".join, rank=lambda path: path.suffix.lower() == ".pkl"),
        one_each(dict(sorted(tissues.items())), findings),
    )


def _tissue_alone(tissues: Mapping[str, Sequence[Path]], sexes: Collection[str]) -> list[str]:
    """Return a sentence on each DMPL model without a body model of its sex; users confuse the two."""
    lonely = [path for sex, paths in tissues.items() if sex not in sexes for path in paths]
    return [f"{path} is a DMPL model, soft tissue without a body: {_WANTED}, too" for path in lonely]


def body_model_kind(path: Path) -> tuple[Kind, str]:
    """Return the kind of a file by its arrays, and their names; only names and shapes of an archive are read.

    Raises:
        InputError: it is neither an archive of arrays nor a pickle of them, or its joint regressor is no plain array.
    """
    if path.suffix.lower() == ".pkl":
        shapes = _pickled_shapes(path, file_stamp(path))
        return _JOINTS.get((*shapes.get("J_regressor", ()), 0)[0], "other"), list_names(shapes)
    with NpzArchive(path) as archive:
        names = list_names(archive.names)
        # By the arrays: both kinds of file are called model.npz.
        if "eigvec" in archive and "J_regressor" not in archive:
            return "DMPL", names
        joints = archive.shape("J_regressor")[0] if "J_regressor" in archive else 0
    return _JOINTS.get(joints, "other"), names


# A pickle is read in a child process, seconds for a large model; the stamp tells whether it changed.
@lru_cache(maxsize=16)
def _pickled_shapes(path: Path, stamp: FileStamp) -> dict[str, tuple[int, ...]]:  # noqa: ARG001 - part of the key
    return model_pickle_shapes(path)


def _may_be_model(path: Path) -> bool:
    suffix = path.suffix.lower()
    # A pickle is read as a whole: only those that are called like body models are.
    return (suffix == ".npz" and not _NO_MODEL.search(path.name)) or (
        suffix == ".pkl" and _OTHER_FORM.match(path.name) is not None
    )


def _no_model(path: Path, kind: Kind, arrays: str) -> list[str]:
    """Return a sentence on a file that is named like a body model but holds other arrays."""
    if kind != "other":
        return [f"{path} is a {kind} model and was passed over: {_WANTED}"]
    return [f"{path} holds no body model ({arrays}): {_WANTED}"] if _OTHER_FORM.match(path.name) else []


def _named_body(path: Path) -> BodyName:
    """Return the body that the name of an unreadable file suggests."""
    name = path.name.lower()
    return "SMPL-X" if "smplx" in name else "SMPL" if name.startswith(("smpl_", "basicmodel")) else "SMPL+H"


def _sex_of(path: Path, listing: Listing) -> str | None:
    """Return the sex in the file's name, or else in the nearest folder inside the one that the user names."""
    # The released SMPL files name the sex by one letter.
    letter = _LETTER.match(path.name)
    if letter is not None:
        return _LETTERS[letter[1].lower()]
    # The folder that the user names may itself be `male/`; folders above it do not count.
    root = () if listing.root is None else (listing.root.name,)
    for name in (path.stem, *reversed((*root, *listing.parts_below(path)))):
        match = _SEX.search(name.replace("_", " "))
        if match is not None:
            return match[1].lower()
    return None


def _other_form(path: Path) -> list[str]:
    """Return a sentence on a file that looks like a body model but cannot be read as one."""
    name = without_marks(path.name)
    if not _OTHER_FORM.match(name) or _NO_MODEL.search(name):
        return []
    if path.suffix.lower() == ".npz":
        return [f"{path} is {_what(path)}, and says nowhere of which sex: put it into a folder male, female or neutral"]
    return [f"{path} is another release of the body model, or unfinished: {_WANTED}"]


def _what(path: Path) -> str:
    """Return the kind of a model by its arrays, as part of a sentence."""
    try:
        kind, arrays = body_model_kind(path)
    except InputError:
        return "a file that cannot be read"
    return f"no body model ({arrays})" if kind == "other" else f"a {kind} model"
