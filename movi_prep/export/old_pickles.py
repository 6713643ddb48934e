"""Files of pickled arrays for released codes, which run with the numpy and torch of their time.

| file | layout |
|---|---|
| `.npz` | zip of `NAME.npy`, each an object array of shape () that holds a dictionary |
| `.pkl` | one pickle |
| `.pth.tar` | what `torch.save` wrote before 1.6, and every torch loads: five pickles, the fourth the object |

Arrays carry module names that every numpy from 1.17 on knows.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from movi_prep.formats.array_pickle import dump_array_pickle

_TORCH_MAGIC, _TORCH_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TORCH_SYSTEM = {
    "protocol_version": _TORCH_PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time stamp of each member of the zip, fixed so that equal inputs give equal bytes."""


def object_npz(entries: Mapping[str, Any]) -> bytes:
    """Return an `.npz` whose entries are objects, as `numpy.load(..., allow_pickle=True)` reads them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            member = io.BytesIO()
            np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": ()})
            # Assigned, because `np.array(value)` would make an array of a list.
            holder = np.empty((), dtype=object)
            holder[()] = value
            member.write(dump_array_pickle(holder))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def torch_file(value: Any) -> bytes:
    """Return a file that `torch.load` reads as `value`: plain containers and numpy arrays, no tensors."""
    head = (pickle.dumps(part, protocol=2) for part in (_TORCH_MAGIC, _TORCH_PROTOCOL, _TORCH_SYSTEM))
    # The last pickle lists the storages of tensors.
    return b"".join((*head, dump_array_pickle(value), pickle.dumps([], protocol=2)))
