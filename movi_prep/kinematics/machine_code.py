"""The kernels' machine code in a file of its own, loaded through llvmlite: numba itself takes 0.7 s to load.

| bytes | content |
|---|---|
| first line | SHA-256 of all that follows, hexadecimal |
| second line | JSON: kernel -> its arguments ([type, axes], -1 axes for a scalar; a list of them for a tuple), bytes |
| the rest | object code of one kernel after the other |

Where this numba's code cannot be taken out, the first line is `numba`, and the rest are numba's own files with their
hashes, JSON: numba loads damaged ones unseen.

The code is emitted from numba's own optimised module, so that both ways to call a kernel give the same bytes. Only the
wrapper for Python is left out, which needs numba. In its place stands a door: it takes the address of a row of words
of 8 bytes, and passes them on as the arguments that numba's functions take.

| argument | words |
|---|---|
| array | 0, 0 (no owner), number of elements, bytes of an element, address, shape, strides |
| whole number, truth value, number | the value |
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from movi_prep.formats.atomic import atomic_path
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.kinematics.cache_place import machine_code_file
from movi_prep.kinematics.workspace import Rules, Tasks, allocate_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

KERNELS = ("track", "certify")
"""The kernels that Python calls."""

_OF_NUMBA = b"numba"
_SCALAR = -1
_SCALARS = {"int64": "i64", "float64": "double", "bool": "i8"}
"""LLVM's types of numba's."""
_NOTHING = ctypes.c_char * 0
_RAISED = -(2**63)
"""What a door returns where its kernel raised; kernels return frames, or nothing."""


class Kind(NamedTuple):
    """What an argument is, or a part of one.

    Attributes:
        number: tells it from all others of its kernel.
        name: of an array NumPy's type (`<f8`), of a scalar numba's, of a tuple nothing.
        n_dims: axes of an array; -1 for a scalar.
        parts: what a tuple holds.
        packed: how its words are packed; nothing for a tuple that holds more than scalars.
    """

    number: int
    name: str
    n_dims: int
    parts: tuple[Kind, ...]
    packed: struct.Struct


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel that is called by its address, with the arguments of its function in `kernels`.

    Attributes:
        name: of the function.
        kinds: of its arguments.
        door: the machine code.
        owner: what keeps the code in memory.
    """

    name: str
    kinds: tuple[Kind, ...]
    door: Callable[[bytes], int]
    owner: object
    # The parts of the last call with their words.
    _known: dict[int, tuple[Any, bytes]] = field(init=False, repr=False, default_factory=dict)

    def __call__(self, *arguments: Any) -> int:
        """Run the kernel; arrays that it writes change in place."""
        result = self.door(self._row(arguments, self.kinds))
        if result == _RAISED:
            raise RuntimeError(f"kernel {self.name}: expected no exception, but it raised one")
        return result

    def _row(self, values: tuple[Any, ...], kinds: tuple[Kind, ...]) -> bytes:
        # A solve calls thousands of times with nearly the same arrays. The same array is the same words, because it is
        # held here: nobody else gets its address.
        known, words = self._known, []
        for value, kind in zip(values, kinds, strict=True):
            before = known.get(kind.number)
            if before is None or before[0] is not value:
                before = known[kind.number] = (value, self._words(value, kind))
            words.append(before[1])
        return b"".join(words)

    def _words(self, value: Any, kind: Kind) -> bytes:
        if kind.n_dims != _SCALAR:
            if value.dtype.str != kind.name or value.ndim != kind.n_dims:
                raise TypeError(
                    f"kernel {self.name}: expected {kind.name}, {kind.n_dims} axes, but got {value.dtype.str}"
                )
            # Of three ways to an array's address the fastest. It refuses what the code does not expect: arrays that are
            # read-only, or not C contiguous.
            place = ctypes.addressof(_NOTHING.from_buffer(value))
            return kind.packed.pack(0, 0, value.size, value.itemsize, place, *value.shape, *value.strides)
        if not kind.parts:
            return kind.packed.pack(value)
        return kind.packed.pack(*value) if kind.packed.size else self._row(value, kind.parts)


@dataclass(frozen=True)
class MachineCode:
    """The kernels that Python calls, and what else `Tracker` takes of the module `kernels`."""

    track: Kernel
    certify: Kernel
    Rules = Rules
    Tasks = Tasks
    allocate_workspace = staticmethod(allocate_workspace)


def engine() -> ModuleType | MachineCode:
    """Return the kernels: their machine code where it is kept, else the functions that numba compiles on first use."""
    path = machine_code_file()
    kept = load(path, file_stamp(path))
    if kept is not None:
        # New kernels around the same code: what a kernel holds of its last call goes with whoever called it.
        return MachineCode(replace(kept.track), replace(kept.certify))
    from movi_prep.kinematics import kernels

    return kernels


@lru_cache(maxsize=1)
def load(path: Path, stamp: FileStamp) -> MachineCode | None:
    """Return the machine code of a file; None where it holds none, or where the file is not whole."""
    if not any(stamp):
        return None
    digest, _, content = path.read_bytes().partition(b"\n")
    if sha256(content).hexdigest().encode() != digest:
        return None
    header, _, code = content.partition(b"\n")
    found, start, loader = {}, 0, _Loader()
    for name, (arguments, size) in json.loads(header).items():
        door = loader.door(f"door_{name}", code[start : start + size])
        number = count()
        found[name] = Kernel(name, tuple(_kind(each, number) for each in arguments), door, loader)
        start += size
    return MachineCode(**found)


def _kind(described: list[Any], number: Iterator[int]) -> Kind:
    """Return the kind of an argument as the file describes it."""
    if described and isinstance(described[0], str):
        name, n_dims = described
        packed = "d" if name == "float64" else "q" if n_dims == _SCALAR else f"{5 + 2 * n_dims}q"
        return Kind(next(number), name, n_dims, (), struct.Struct(packed))
    parts = tuple(_kind(part, number) for part in described)
    are_scalars = all(part.n_dims == _SCALAR and not part.parts for part in parts)
    # Words of 8 bytes each, which is what `q` and `d` align to: nothing comes between them.
    packed = "".join(part.packed.format for part in parts) if are_scalars else ""
    return Kind(next(number), "", _SCALAR, parts, struct.Struct(packed))


class _Loader:
    """Loads object code into this process; the code is there as long as the loader is."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self._llvm, self._engine = llvm, llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)

    def door(self, symbol: str, code: bytes) -> Callable[[bytes], int]:
        """Return the function of that name."""
        self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        # CFUNCTYPE lets other threads run meanwhile, as `nogil` does.
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)(self._engine.get_function_address(symbol))


def keep(path: Path, kernels: ModuleType) -> None:
    """Write the machine code of the kernels that this process has compiled; nothing where it has not called them all.

    Raises:
        RuntimeError: this numba's code cannot be taken out; the file says so then, and nobody tries again.
    """
    functions = {name: getattr(kernels, name) for name in KERNELS}
    if not all(function.overloads for function in functions.values()):
        return
    header, codes = {}, []
    try:
        for name, function in functions.items():
            arguments, code = _emit(name, function)
            header[name] = (arguments, len(code))
            codes.append(code)
    # numba's inner side is not promised to stay: an attribute may have gone, a signature may be another.
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        _keep(path, _OF_NUMBA, json.dumps({str(file): _digest(file) for file in numba_files(kernels)}).encode())
        raise RuntimeError(f"machine code without numba: {error}") from error
    content = json.dumps(header).encode() + b"\n" + b"".join(codes)
    _keep(path, sha256(content).hexdigest().encode(), content)


def serves_numba(path: Path) -> bool:
    """Return whether a file says that there is no machine code to be had, and numba's own files are as they were."""
    first, _, content = path.read_bytes().partition(b"\n") if path.is_file() else (b"", b"", b"")
    if first != _OF_NUMBA:
        return False
    try:
        known: dict[str, str] = json.loads(content)
        return all(_digest(Path(file)) == digest for file, digest in known.items())
    except (OSError, ValueError, AttributeError):
        return False


def numba_files(kernels: ModuleType) -> list[Path]:
    """Return the files of numba's own cache that hold the kernels, compiled by this Python."""
    place = kernels.track.stats.cache_path
    python = f".py{sys.version_info.major}{sys.version_info.minor}."
    found = sorted(Path(place).glob("kernels.*.nb[ci]")) if place else []
    return [path for path in found if python in path.name]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _keep(path: Path, first: bytes, content: bytes) -> None:
    with atomic_path(path) as partial:
        partial.write_bytes(first + b"\n" + content)


def _emit(name: str, kernel: Any) -> tuple[list[Any], bytes]:
    """Return a description of a kernel's arguments, and its object code behind a door."""
    import llvmlite.binding as llvm

    ((signature, compiled),) = kernel.overloads.items()
    arguments = [_describe(each) for each in signature]
    symbol, library = compiled.fndesc.llvm_func_name, compiled.library
    # numba has no public way to the optimised module that also serves code from its cache; so do its own linkers.
    module, machine = library._get_module_for_linking().clone(), library.codegen._tm
    taken = [str(argument.type) for argument in module.get_function(symbol).arguments]
    words = [kind for each in arguments for kind in _word_types(each)]
    if taken != ["ptr", "ptr", *words]:
        raise RuntimeError(f"kernel {name}: expected arguments {words}, but numba takes {taken}")
    module.link_in(llvm.parse_assembly(_door(name, symbol, words, module)))
    # Internal: of two kernels that hold one function, each calls its own. And what nobody calls is left out: the
    # wrapper for Python.
    for function in module.functions:
        if not function.is_declaration and function.name != f"door_{name}":
            function.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    return arguments, machine.emit_object(module)


def _door(name: str, symbol: str, words: Sequence[str], module: Any) -> str:
    """Return the source of a function that reads words and calls a function of numba's (numba/core/callconv.py)."""
    passed = [f"{kind} %v{index}" for index, kind in enumerate(words)]
    lines = [
        f'target triple = "{module.triple}"',
        f'target datalayout = "{module.data_layout}"',
        f'declare i32 @"{symbol}"({", ".join(["ptr", "ptr", *words])})',
        f"define i64 @door_{name}(ptr %words) {{",
        "%result = alloca i64",
        "%exception = alloca ptr",
        "store i64 0, ptr %result",
        "store ptr null, ptr %exception",
    ]
    for index, kind in enumerate(words):
        lines += [f"%p{index} = getelementptr i64, ptr %words, i64 {index}", f"%v{index} = load {kind}, ptr %p{index}"]
    return "\n".join(
        [
            *lines,
            f'%status = call i32 @"{symbol}"({", ".join(["ptr %result", "ptr %exception", *passed])})',
            "%value = load i64, ptr %result",
            # 0 is a result, -2 is None; all else is an exception.
            "%whole = icmp eq i32 %status, 0",
            "%none = icmp eq i32 %status, -2",
            "%fine = or i1 %whole, %none",
            f"%returned = select i1 %fine, i64 %value, i64 {_RAISED}",
            "ret i64 %returned",
            "}",
        ]
    )


def _describe(kind: Any) -> list[Any]:
    """Return a type of numba's as the file describes it."""
    if hasattr(kind, "types"):
        return [_describe(part) for part in kind.types]
    return [np.dtype(str(kind.dtype)).str, kind.ndim] if hasattr(kind, "ndim") else [str(kind), _SCALAR]


def _word_types(described: list[Any]) -> list[str]:
    """Return LLVM's types of the words of an argument."""
    if not isinstance(described[0], str):
        return [word for part in described for word in _word_types(part)]
    name, n_dims = described
    return [_SCALARS[name]] if n_dims == _SCALAR else ["ptr", "ptr", "i64", "i64", "ptr", *["i64"] * (2 * n_dims)]
