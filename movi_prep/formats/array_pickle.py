"""Pickles of numpy arrays: read without running code, written for any numpy.

A pickle may name any function to be called while it is read. This reader knows only what numpy needs to rebuild an
array; whatever else a file names is refused before anything is called. numpy itself sees no byte of the file before
shape, dtype and length agree. Classes of packages that a caller lists are data: an instance is what its attributes
are (`plain_pickle.Foreign`), and nothing of the package is imported.
"""

from __future__ import annotations

import pickle
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.plain_pickle import Foreign, check_opcodes
from movi_prep.formats.reading import check_real, reading
from movi_prep.formats.trial_load import Limits, load_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

Taken = TypeVar("Taken")

_BYTES = {("_codecs", "encode"), ("__builtin__", "bytes"), ("builtins", "bytes")}
# The functions that numpy writes for an array (protocols 0 to 4), an array (protocol 5) and a single number.
_ARRAY_PARTS = {"_reconstruct", "_frombuffer", "scalar"}
_OBJECT_PARTS = {
    **{(module, name): name for module in ("__builtin__", "builtins") for name in ("object", "set")},
    **{(module, "_reconstructor"): "_reconstructor" for module in ("copy_reg", "copyreg")},
    ("collections", "OrderedDict"): "OrderedDict",
}
"""Names in a pickle of an instance besides its class: (module, name) -> kind."""

_LIMITS = Limits(longest_s=120, processor_s=60, memory_bytes=4 * 2**30)
"""Limits for reading one file: the largest body models are a few hundred megabytes, several times in memory."""


def read_array_pickle(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the dict of numeric arrays that a pickle holds.

    Raises:
        InputError: the file is not a pickle, names anything but numpy's array parts, or holds something else.
    """
    remedy = "fetch the file again, or use the .npz of the same camera"
    content = load_array_pickle(path.read_bytes(), where=str(path), remedy=remedy)
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InputError(path, expected="a pickled dict of arrays", got=f"a {kind}", remedy=remedy)
    # Names may be bytes or numbers in files of Python 2; all other readers have them as text.
    arrays = {str(name): np.asarray(value) for name, value in content.items()}
    for name, array in arrays.items():
        check_real(array.dtype, where=path, name=name, remedy=remedy)
    return arrays


def load_array_pickle(content: bytes, *, where: str, remedy: str, data_of: Collection[str] = ()) -> Any:
    """Return the content of a pickle of plain containers and numpy arrays; text of Python 2 is read as latin1.

    Args:
        content: the pickle.
        where: its file, for messages.
        remedy: what to do where it cannot be read.
        data_of: packages whose instances count as data; they come back as `Foreign`.

    Raises:
        InputError: it is not a pickle, or names anything but numpy's array parts and those packages.
    """
    with reading(where, expected="a pickle of plain numpy arrays", remedy=remedy):
        # Before the unpickler: it looks at the opcodes only, so that a damaged file cannot make
        # pickle ask for memory.
        check_opcodes(content)
        return built(ArrayUnpickler(BytesIO(content), data_of).load())


def take_from_pickle(path: Path, take: Callable[[Any], Taken], *, remedy: str, data_of: Collection[str] = ()) -> Taken:
    """Return what `take` takes out of a pickle, read in a process of limited time and memory.

    Args:
        path: the file; `load_array_pickle` says what it may hold.
        take: function from the content of the pickle to the needed part; raises InputError where that is missing.
        remedy: what to do where it cannot be read.
        data_of: packages whose instances count as data.

    Raises:
        MissingError: there is no such file.
        InputError: it cannot be read, or lacks what is needed.
    """

    def load(content: bytes) -> Any:
        return load_array_pickle(content, where=str(path), remedy=remedy, data_of=data_of)

    return take_apart(path, load, take, remedy=remedy)


def take_apart(path: Path, load: Callable[[bytes], Any], take: Callable[[Any], Taken], *, remedy: str) -> Taken:
    """Return what `take` takes out of what `load` makes of a file's bytes, in a process of limited time and memory.

    Raises:
        MissingError: there is no such file.
        InputError: it cannot be read, or lacks what is needed.
    """

    # The error is returned, not raised: `load_apart` gives None, without a reason, where its child raises.
    def in_child() -> tuple[Taken | None, InputError | None]:
        try:
            with reading(path, expected="a pickle of plain numpy arrays", remedy=remedy):
                return take(load(path.read_bytes())), None
        except InputError as error:
            return None, error

    came = load_apart(path, in_child, limits=_LIMITS, remedy=remedy)
    taken, error = came if came is not None else (None, None)
    if taken is None:
        raise error or InputError(path, expected="a pickle of plain numpy arrays", got="another file", remedy=remedy)
    return taken


def dump_array_pickle(value: Any) -> bytes:
    """Return a pickle of plain containers and arrays that every numpy loads.

    numpy 2 calls its core `numpy._core`, which numpy before 1.26 does not have; all of them know the old name.
    """
    # Protocol 3 names a function in a line of text of its own, so that nothing around it counts its length.
    return pickle.dumps(value, protocol=3).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that finds the parts of numpy arrays, under both names of numpy's core, and nothing else."""

    def __init__(self, stream: BytesIO, data_of: Collection[str] = ()) -> None:
        """Read a stream; instances of the packages `data_of` count as data."""
        # latin1: Python 2 wrote the bytes of an array as text, and only latin1 gives each byte
        # back.
        super().__init__(stream, encoding="latin1")
        self._data_of = data_of

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a class or function; refuse names that are not listed, because they could run code."""
        parts = module.split(".")
        if parts[0] in self._data_of:
            # A class of its own for each name: pickle makes instances of it, and nothing more.
            return type(name, (_Instance,), {"module": module, "name": name, "__slots__": ()})
        if self._data_of and (module, name) in _OBJECT_PARTS:
            return _Maker(_OBJECT_PARTS[module, name])
        # Protocols 0 to 2 of Python 3 write bytes as an encoded string.
        if (module, name) in _BYTES or (module == "numpy" and name in ("ndarray", "dtype")):
            return _Maker(name)
        if parts[0] == "numpy" and parts[-1] in ("multiarray", "numeric") and name in _ARRAY_PARTS:
            return _Maker(name)
        raise pickle.UnpicklingError(f"a call of {module}.{name}, which an array does not need")


class _Part:
    """The stand-in of a numpy object while its pickle is read: numpy itself crashes on states that it never writes."""

    __slots__ = ("state",)

    def __init__(self, state: tuple[Any, ...] = ()) -> None:
        self.state = state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Keep the state as it is; `_value` looks at it."""
        # No check here: pickle calls this before the parts of the state are themselves complete.
        self.state = state


class _Dtype(_Part):
    """A dtype: its kind and size, and later the state that numpy would restore."""

    __slots__ = ("spec",)

    def __init__(self, spec: str) -> None:
        super().__init__()
        self.spec = spec

    def build(self) -> np.dtype[Any]:
        """Return the dtype; raise ValueError for any but plain ones."""
        # Without a state there is no byte order: numpy means the machine's own.
        order = self.state[1] if self.state else "="
        # Numbers in structures, with a metadata or of a size that the state contradicts: none of ours has them.
        plain = re.fullmatch(r"[biufcSUO]\d{1,6}", self.spec) and order in ("<", ">", "|", "=")
        if not plain or any(part is not None for part in self.state[2:5]):
            raise ValueError(f"a dtype {self.spec[:20]!r} with a state that is none of it")
        return np.dtype("O") if self.spec[0] == "O" else np.dtype(f"{order}{self.spec}")


class _Scalar(_Part):
    """One number: (dtype, bytes)."""


class Buffer(_Part):
    """An array of protocol 5: (bytes, dtype, shape, order)."""


class _Instance(_Part):
    """An instance of a class that counts as data: its state is what it holds, whatever arguments made it."""

    __slots__ = ()
    module = name = ""

    def __new__(cls, *_: Any) -> _Instance:
        """Make an empty one."""
        # `__new__` sets the state: pickle's protocol 2 makes instances without calling `__init__`.
        made = super().__new__(cls)
        made.state = ()
        return made

    def __init__(self, *_: Any) -> None:
        """Keep nothing of the arguments."""

    def attributes(self) -> dict[str, Any]:
        """Return its attributes; empty where its state is not that of a plain instance."""
        return {str(key): value for key, value in self.state.items()} if isinstance(self.state, dict) else {}


class _Maker:
    """The stand-in of a function or a class that a pickle names."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Refuse a state: a function has none."""
        raise pickle.UnpicklingError(f"a state of {self.name}")

    def __call__(self, *args: Any) -> Any:
        """Return the stand-in of the result."""
        if self.name in ("encode", "bytes"):
            # Without arguments: how they write no bytes at all.
            return _encode_latin1(*args) if args else b""
        if self.name == "_reconstructor":
            return _reconstructed(args[0])
        if self.name in ("set", "OrderedDict"):
            # A set becomes a list here, because stand-ins of values cannot be hashed.
            return list(args[0]) if self.name == "set" else dict(args[0] if args else ())
        if self.name == "dtype":
            return _Dtype(str(args[0]))
        kinds = {"_reconstruct": _Part, "scalar": _Scalar, "_frombuffer": Buffer}
        # `_reconstruct` begins with an empty array: shape, dtype and values come as its state.
        return kinds[self.name](() if self.name == "_reconstruct" else args)


def _reconstructed(kind: Any) -> _Instance:
    """Return an empty instance, as Python's protocols 0 and 1 begin one."""
    if not (isinstance(kind, type) and issubclass(kind, _Instance)):
        raise pickle.UnpicklingError("an instance of something that is not data")
    return kind()


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def built(tree: Any) -> Any:
    """Return the values of an unpickled tree: arrays and numbers in place of their stand-ins."""
    return _value(tree, {})


def _value(item: Any, seen: dict[int, Any]) -> Any:
    """Return the values of an unpickled tree; parts that occur twice are built once."""
    # Plain values need no memory of what was seen: nothing in them refers to anything else.
    if not isinstance(item, _Part | list | tuple | dict):
        return item
    # `id` is safe as a key: the unpickled tree is kept alive until all of it is built.
    if id(item) not in seen:
        seen[id(item)] = _build(item, seen)
    return seen[id(item)]


def _build(item: Any, seen: dict[int, Any]) -> Any:
    if isinstance(item, _Instance):
        # Remembered before its attributes are built: instances may refer to each other in circles.
        foreign = seen[id(item)] = Foreign(item.module, item.name)
        foreign.attributes.update({key: _value(value, seen) for key, value in item.attributes().items()})
        return foreign
    if isinstance(item, dict):
        return {_value(key, seen): _value(value, seen) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return type(item)(_value(value, seen) for value in item)
    if isinstance(item, _Dtype):
        return item.build()
    if isinstance(item, _Scalar):
        dtype, raw = item.state
        return _array((1,), dtype.build(), raw, "C", seen)[0]
    if isinstance(item, Buffer):
        raw, dtype, shape, order = item.state
    else:
        _, shape, dtype, is_fortran, raw = item.state
        order = "F" if is_fortran else "C"
    return _array(shape, dtype.build(), raw, order, seen)


def _array(shape: tuple[int, ...], dtype: np.dtype[Any], raw: Any, order: Any, seen: dict[int, Any]) -> Any:
    """Return the array of a state whose parts agree; raise ValueError for any other."""
    # reshape takes -1 as "whatever is left": a damaged shape must not be mended by it.
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError("an array whose lengths are not whole numbers of 0 or more")
    if dtype.kind == "O":
        values = np.empty(len(raw), dtype=object)
        for index, value in enumerate(raw):
            values[index] = _value(value, seen)
    else:
        # Python 2 wrote the bytes as text (see `ArrayUnpickler`).
        content = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        values = np.frombuffer(content, dtype=dtype)
    # A copy: `frombuffer` gives an array that cannot be written and keeps the whole file in memory.
    return values.reshape(shape, order=order).copy(order)
