"""Label tables and splits (YAML).

| key                    | content                                                                          |
|------------------------|----------------------------------------------------------------------------------|
| `format`, `version`    | `movi-prep labels`, 1                                                            |
| `label_smplh_joints`   | SMPL joints by marker name                                                       |
| `label_markers`        | markers                                                                          |
| `label_coordinates`    | coordinates                                                                      |
| `label_bodies`         | bodies with scales                                                               |
| `label_opensim_joints` | joints of the model, `leaf_joints` following them                                |
| `label_surface_points` | points of the skin that no model tracks, by marker name                          |
| `mirror_sign`          | coordinate -> 1 or -1                                                            |
| `body_scale_means`     | body -> mean scale along x, y, z in D3KE's data                                  |
| `body_scale_reach`     | body -> how far from that D3KE's network can predict, along x, y, z              |
| `split`                | `train`, `validation`, `test`: lists of subjects; a user's split file holds nothing else   |
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from movi_prep.errors import InputError, list_names, suggest
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.yaml_file import read_yaml_file
from movi_prep.records.base_model import Triple
from movi_prep.records.bmlmovi_names import movi_subject
from movi_prep.records.label_tables import LabelTables

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.records.label_tables import Split

PARTS = ("train", "validation", "test")


def default_label_tables_path() -> Path:
    """Return the packaged label tables: D3KE's."""
    return packaged_path("opensim_models", "labels_d3ke.yaml")


def read_label_tables(path: Path | None = None, *, split: Path | None = None) -> LabelTables:
    """Read the label tables, the packaged ones unless `path` is given, and the split of `split` where that is given.

    Raises:
        MissingError, InputError: a file is not there, or does not hold what it should.
    """
    source = path or default_label_tables_path()
    content = _read_mapping(source)
    if content.get("format") != "movi-prep labels":
        raise InputError(
            source, expected="format 'movi-prep labels'", got=f"{content.get('format')!r}", remedy="check the file"
        )
    # A user's file of splits may hold the parts at its top, without the key `split`.
    split_content = content if split is None else _read_mapping(split)
    return LabelTables(
        joints=_names(content, "label_smplh_joints", source),
        markers=_names(content, "label_markers", source),
        coordinates=_names(content, "label_coordinates", source),
        bodies=_names(content, "label_bodies", source),
        opensim_joints=_names(content, "label_opensim_joints", source) + _names(content, "leaf_joints", source),
        surface=_names(content, "label_surface_points", source),
        split=_split(split_content.get("split", split_content), split or source),
        source=str(source),
    )


def _read_mapping(path: Path) -> dict[str, Any]:
    # Several readers ask for parts of one table, and stages for all of them: parsing it takes 40 ms.
    return _cached_mapping(path, file_stamp(path))


@lru_cache(maxsize=8)
def _cached_mapping(path: Path, stamp: FileStamp) -> dict[str, Any]:  # noqa: ARG001 - part of the key
    content = read_yaml_file(path, expected="a YAML file")
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InputError(path, expected="a YAML mapping", got=f"a {kind}", remedy="correct the file")
    return content


def _names(content: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    names = content.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(path, expected=f"a list of names {key!r}", got=f"{names!r}", remedy="correct the file")
    return tuple(names)


def _split(content: Any, path: Path) -> dict[str, Split]:
    """Return subject -> part; refuse unknown parts, and a subject in two parts."""
    if not isinstance(content, dict) or not content:
        raise InputError(path, expected="parts with lists of subjects", got=f"{content!r}", remedy="correct the file")
    found: dict[str, Split] = {}
    for part, subjects in content.items():
        if part not in PARTS:
            raise InputError(
                path,
                expected=f"parts {list_names(PARTS)}",
                got=f"{part!r}{suggest(str(part), PARTS)}",
                remedy="rename it",
            )
        # YAML makes None of a part without subjects.
        for subject in subjects or ():
            # YAML makes a truth value of a subject called `on`, `yes` or `no`.
            if isinstance(subject, bool) or not isinstance(subject, int | str):
                expected = "names of subjects, or BML-MoVi's numbers"
                raise InputError(path, expected=expected, got=f"{subject!r}", remedy="correct the file")
            name = movi_subject(subject) if isinstance(subject, int) else subject
            if name in found:
                got = f"subject {subject} in {found[name]} and {part}"
                raise InputError(
                    path, expected="each subject in one part", got=got, remedy="remove it from one of them"
                )
            found[name] = cast("Split", part)
    return found


def read_mirror_signs(path: Path | None = None) -> dict[str, int]:
    """Return what each label coordinate is multiplied by in a mirror image, 1 or -1."""
    content = _read_mapping(path or default_label_tables_path())
    return {str(name): int(sign) for name, sign in content["mirror_sign"].items()}


def read_body_scale_means(path: Path | None = None) -> dict[str, Triple]:
    """Return the mean scale of each label body, along x, y, z, in the data that D3KE's network was made for."""
    return _triples("body_scale_means", path)


def read_body_scale_reach(path: Path | None = None) -> dict[str, Triple]:
    """Return how far from its mean D3KE's network can predict the scale of each label body, along x, y, z."""
    return _triples("body_scale_reach", path)


def _triples(key: str, path: Path | None) -> dict[str, Triple]:
    content = _read_mapping(path or default_label_tables_path())
    return {str(name): (float(x), float(y), float(z)) for name, (x, y, z) in content[key].items()}
