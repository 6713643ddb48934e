"""Parts of an HDF5 file that lie outside it. Files written here never have them, and HDF5 follows them silently.

| part | refused, because |
|---|---|
| soft and external links | another name or another file answers in place of the field |
| virtual datasets, external raw storage | their values are those of other files |
| references, in datasets and attributes | they point anywhere |
| values that take no room in the file | a header of a few bytes would ask for any amount of memory |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDY = "the file was changed after it was written: make it again, and do not train from it"


def holds(file: h5py.File, name: str) -> bool:
    """Return whether a file itself holds something of this name, without following a link."""
    group: Any = file
    *groups, last = name.split("/")
    for part in groups:
        if not isinstance(group, h5py.Group) or part not in group.keys() or _link_fault(group, part):  # noqa: SIM118 - `in group` follows links
            return False
        group = group[part]
    return isinstance(group, h5py.Group) and group.get(last, getlink=True, default=None) is not None


def own_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return a dataset whose values are in this file; raise InputError for anything else of its name."""
    group: Any = file
    *groups, last = name.split("/")
    # Every group on the way is checked: a link in the middle of a path leads away as well.
    for part in groups:
        fault = _link_fault(group, part)
        if fault:
            raise _refusal(path, f"{name!r} in the file itself", fault)
        group = group[part]
        if not isinstance(group, h5py.Group):
            raise _refusal(path, f"a group that holds {name!r}", "a dataset")
    fault = _link_fault(group, last)
    found = None if fault else group[last]
    if not isinstance(found, h5py.Dataset):
        raise _refusal(path, f"a dataset {name!r} in the file itself", fault or "a group")
    fault = _storage_fault(found)
    if fault:
        raise _refusal(path, f"the values of {name!r} in the file itself", fault)
    return found


def foreign_parts(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Yield every part of a file that lies outside it: its name, and what it is in words."""
    seen: set[Any] = set()
    yield from _attribute_faults(file, "/")
    # A list, not a recursion: a damaged file may nest groups deeper than Python's stack.
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        where, group = waiting.pop()
        # A group may hold itself; each is looked through once.
        if (address := h5py.h5o.get_info(group.id).addr) in seen:
            continue
        seen.add(address)
        for key in group.keys():  # noqa: SIM118 - only the keys: values would follow links
            name = f"{where}{key}"
            fault = _link_fault(group, key)
            if fault:
                yield name, fault
                continue
            item = group[key]
            yield from _attribute_faults(item, name)
            if isinstance(item, h5py.Group):
                waiting.append((f"{name}/", item))
            elif isinstance(item, h5py.Dataset) and (fault := _storage_fault(item)):
                yield name, fault


def _link_fault(group: h5py.Group, key: str) -> str:
    """Describe the link under a name of a group; "" where there is no link."""
    link = group.get(key, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"a link to {link.path} in the file {link.filename}"
    return f"a link to {link.path}" if isinstance(link, h5py.SoftLink) else ""


def _storage_fault(dataset: h5py.Dataset) -> str:
    # One look at the properties: each of h5py's own makes them anew, and shards have a hundred datasets.
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL:
        return f"a virtual dataset, made of {', '.join(sorted({part.file_name for part in dataset.virtual_sources()}))}"
    if properties.get_external_count():
        return f"values in the file {dataset.external[0][0]}"
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        return "references to other objects"
    # Packed data may be smaller than the values, unpacked data cannot be.
    if not properties.get_nfilters() and dataset.id.get_storage_size() < dataset.nbytes:
        return f"{dataset.id.get_storage_size()} bytes for {dataset.nbytes} bytes of values"
    return ""


def _attribute_faults(item: h5py.Group | h5py.Dataset, name: str) -> Iterator[tuple[str, str]]:
    for key in item.attrs:
        if h5py.check_ref_dtype(item.attrs.get_id(key).dtype) is not None:
            yield name, f"an attribute {key!r} that refers to other objects"


def _refusal(path: Path, expected: str, got: str) -> InputError:
    return InputError(path, expected=expected, got=got, remedy=_REMEDY)
