"""Files as joblib writes them: a pickle in which the bytes of each array follow the wrapper that describes it."""

from __future__ import annotations

import pickle
import sys
import types
from io import BytesIO
from typing import Any, ClassVar

import numpy as np

_ALIGNED_TO = 16


class NumpyArrayWrapper:
    """Joblib's wrapper; its attributes are what joblib stores."""

    def __init__(self, array: np.ndarray) -> None:
        """Describe an array."""
        self.subclass = np.ndarray
        self.shape = array.shape
        self.order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        self.dtype = array.dtype
        self.allow_mmap = not array.dtype.hasobject
        self.numpy_array_alignment_bytes = _ALIGNED_TO


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"


class _Pickler(pickle._Pickler):
    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def __init__(self, stream: BytesIO, protocol: int) -> None:
        super().__init__(stream, protocol)
        self._stream = stream

    def _save_array(self, array: np.ndarray) -> None:
        wrapper = NumpyArrayWrapper(array)
        self.save(wrapper)
        if self.proto >= 4:
            self.framer.commit_frame(force=True)
        if array.dtype.hasobject:
            pickle.dump(array, self._stream, protocol=2)
            return
        padding = _ALIGNED_TO - (self._stream.tell() + 1) % _ALIGNED_TO
        self._stream.write(bytes([padding]) + b"\xff" * padding)
        self._stream.write(array.tobytes(wrapper.order))

    dispatch[np.ndarray] = _save_array


def joblib_bytes(value: Any, *, protocol: int = 4) -> bytes:
    """Return the bytes of `joblib.dump(value, path, protocol=protocol)`."""
    stream, module = BytesIO(), types.ModuleType("joblib.numpy_pickle")
    module.NumpyArrayWrapper = NumpyArrayWrapper  # type: ignore[attr-defined]
    before = dict(sys.modules)
    # pickle looks a class up under its module's name before it writes that name.
    sys.modules |= {"joblib": types.ModuleType("joblib"), "joblib.numpy_pickle": module}
    try:
        _Pickler(stream, protocol).dump(value)
    finally:
        for name in ("joblib", "joblib.numpy_pickle"):
            sys.modules.pop(name)
        sys.modules |= {name: module for name, module in before.items() if name.startswith("joblib")}
    return stream.getvalue()
