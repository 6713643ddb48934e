"""Pickles of instances whose classes live in somebody else's code, written without that code.

`pickle` can only write a class that it can import. A reader elsewhere may expect classes of its own package, so the
stream is written here, opcode by opcode (protocol 2, readable since Python 2.3):

| value | opcodes |
|---|---|
| None, bool | NONE, NEWTRUE, NEWFALSE |
| int, float, str | LONG1, BINFLOAT, BINUNICODE |
| list, dict | EMPTY_LIST .. APPENDS, EMPTY_DICT .. SETITEMS |
| Foreign | GLOBAL module class, EMPTY_TUPLE, NEWOBJ, its fields as a dict, BUILD |

Containers and instances that occur twice are written once and referred to (BINPUT, BINGET), as pickle does.
Source of the opcodes: Python's `pickletools` module.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from movi_prep.errors import InputError, InternalError
from movi_prep.formats.reading import reading


@dataclass(frozen=True, eq=False)
class Foreign:
    """An instance of a class of another package: `module`, `name`, and its attributes."""

    module: str
    name: str
    attributes: dict[str, Any] = field(default_factory=dict)


def dump_plain(value: Any) -> bytes:
    """Return a protocol 2 pickle of None, bool, int, float, str, list, dict and Foreign, nested as needed."""
    out = BytesIO()
    out.write(pickle.PROTO + b"\x02")
    _write(value, out, {})
    out.write(pickle.STOP)
    return out.getvalue()


def load_plain(content: bytes, *, package: str, where: str) -> Foreign:
    """Return the tree of a pickle whose classes all live below `package`; nothing of it is imported or run.

    Raises:
        InputError: the file is not a pickle, names other classes, or holds something else.
    """
    with reading(where, expected=f"a pickle of {package}", remedy="make it again"):
        return _load_plain(content, package=package, where=where)


def _load_plain(content: bytes, *, package: str, where: str) -> Foreign:
    check_opcodes(content)
    tree = _PlainReader(BytesIO(content), package).load()
    if not isinstance(tree, _Stand):
        raise InputError(
            where, expected=f"an instance of {package}", got=type(tree).__name__, remedy="check which file this is"
        )
    foreign: Foreign = _foreign_of(tree, {})
    return foreign


def check_opcodes(content: bytes) -> None:
    """Raise ValueError where a pickle is cut, or where a memo index is larger than the pickle is long."""
    # Python's unpickler takes memory for as many things as the highest number says.
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument is not None and argument > len(content):
            raise ValueError(f"thing number {argument} in a pickle of {len(content)} bytes")


class _Stand:
    """The stand-in of every class of the other package while its pickle is read."""

    module = name = ""


class _PlainReader(pickle.Unpickler):
    def __init__(self, stream: BytesIO, package: str) -> None:
        super().__init__(stream)
        self._package = package

    def find_class(self, module: str, name: str) -> type[_Stand]:
        """Return a stand-in; refuse everything that is not of the package, because it could be code."""
        # With the dot: a package of a longer name with the same beginning is another package.
        if not module.startswith(f"{self._package}."):
            raise pickle.UnpicklingError(f"a reference to {module}.{name}")
        # A class of its own for each name: pickle makes instances of it, and nothing more.
        return type(name, (_Stand,), {"module": module, "name": name})


def _foreign_of(value: Any, seen: dict[int, Any]) -> Any:
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, _Stand):
        foreign = Foreign(type(value).module, type(value).name)
        seen[id(value)] = foreign
        # Remembered before its attributes are read: instances may refer to each other in circles.
        foreign.attributes.update({key: _foreign_of(item, seen) for key, item in vars(value).items()})
        return foreign
    # Each once, as they stand in the file: lists of one list, nested, would double at every step.
    if isinstance(value, list):
        seen[id(value)] = [_foreign_of(item, seen) for item in value]
    elif isinstance(value, dict):
        seen[id(value)] = {key: _foreign_of(item, seen) for key, item in value.items()}
    return seen.get(id(value), value)


def _write(value: Any, out: BytesIO, memo: dict[int, int]) -> None:
    # `id` is safe as a key: the caller holds the whole tree while it is written.
    if id(value) in memo:
        out.write(pickle.LONG_BINGET + struct.pack("<I", memo[id(value)]))
    elif isinstance(value, Foreign):
        _write_foreign(value, out, memo)
    elif isinstance(value, dict):
        out.write(pickle.EMPTY_DICT)
        # Before its items: a dict may hold itself, and pickle memoises in this order.
        _remember(value, out, memo)
        _write_items([entry for pair in value.items() for entry in pair], pickle.SETITEMS, out, memo)
    elif isinstance(value, list):
        out.write(pickle.EMPTY_LIST)
        _remember(value, out, memo)
        _write_items(value, pickle.APPENDS, out, memo)
    else:
        out.write(_scalar(value))


def _write_foreign(value: Foreign, out: BytesIO, memo: dict[int, int]) -> None:
    out.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode("ascii"))
    # Without calling its constructor, as pickle restores instances.
    out.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
    _remember(value, out, memo)
    _write(value.attributes, out, memo)
    out.write(pickle.BUILD)


def _write_items(items: list[Any], opcode: bytes, out: BytesIO, memo: dict[int, int]) -> None:
    out.write(pickle.MARK)
    for item in items:
        _write(item, out, memo)
    out.write(opcode)


def _remember(value: Any, out: BytesIO, memo: dict[int, int]) -> None:
    memo[id(value)] = len(memo)
    out.write(pickle.LONG_BINPUT + struct.pack("<I", memo[id(value)]))


def _scalar(value: Any) -> bytes:
    if value is None:
        return pickle.NONE
    # Before int: True is one.
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    if isinstance(value, int):
        encoded = pickle.encode_long(value)
        # One byte counts up to 255 bytes of integer; no label is longer.
        return pickle.LONG1 + bytes([len(encoded)]) + encoded
    if isinstance(value, float):
        # The only number in a pickle that is big-endian.
        return pickle.BINFLOAT + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8")
        return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
    raise InternalError(f"expected a plain value to pickle, but got {type(value).__name__}")
