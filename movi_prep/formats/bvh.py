"""Biovision hierarchy (.bvh): a skeleton with fixed bones and its motion, as animation programs exchange it.

| part | what it is |
|---|---|
| HIERARCHY | bones with their offset from the parent, centimetres; ends of the last ones |
| channels | three positions of each root, and three rotations of each bone: Z, X, Y, degrees, in this order |
| MOTION | number of frames, time of a frame, one line of channels for each |

With all rotations 0 every bone is parallel to the world: OpenSim's neutral pose. The format has no bones that change
their length. A joint that slides (a knee on its condyles) stands at its mean; `bvh_text` returns how far it slides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from movi_prep.records.rig import Rig

_CM = 100.0
_ORDER = "ZXY"


def bvh_text(rig: Rig) -> tuple[str, float]:
    """Return the file of a rig as text, and how far a joint slides from its place in the file at most, metres."""
    # A root has no parent to be offset from: its place comes from its own position channels.
    offsets_m = np.where(rig.parents[:, None] < 0, 0.0, rig.positions_m.mean(axis=0))
    slides_m = np.linalg.norm(rig.positions_m - offsets_m, axis=-1)[:, rig.parents >= 0]
    lines = ["HIERARCHY"]
    order: list[int] = []
    # The recursion fixes the order of the channels: the rows of MOTION have no names, only places.
    for root in np.flatnonzero(rig.parents < 0).tolist():
        lines += _bone(rig, offsets_m, root, order, depth=0)
    # The mean, because the format has one frame time; a single frame may have any, but not 0.
    frame_s = float(np.diff(rig.times_s).mean()) if len(rig.times_s) > 1 else 1.0
    lines += ["MOTION", f"Frames: {len(rig.times_s)}", f"Frame Time: {frame_s:.8f}"]
    # A ten-millionth of a metre and a hundred-thousandth of a degree: finer than any viewer shows.
    lines += [" ".join(f"{value:.5f}" for value in row) for row in _channels(rig, order)]
    return "\n".join(lines) + "\n", float(slides_m.max(initial=0.0))


def _bone(rig: Rig, offsets_m: NDArray[np.float64], bone: int, order: list[int], *, depth: int) -> Iterator[str]:
    """Yield the lines of a bone and all below it; `order` takes the bones in the order of their channels."""
    order.append(bone)
    indent, is_root = "\t" * depth, bool(rig.parents[bone] < 0)
    positions = "Xposition Yposition Zposition " if is_root else ""
    rotations = " ".join(f"{axis}rotation" for axis in _ORDER)
    # Names end at a space in this format.
    yield f"{indent}{'ROOT' if is_root else 'JOINT'} {'_'.join(rig.names[bone].split())}"
    yield f"{indent}{{"
    yield f"{indent}\tOFFSET {_vector(offsets_m[bone])}"
    yield f"{indent}\tCHANNELS {6 if is_root else 3} {positions}{rotations}"
    children = np.flatnonzero(rig.parents == bone).tolist()
    for child in children:
        yield from _bone(rig, offsets_m, child, order, depth=depth + 1)
    if not children:
        yield f"{indent}\tEnd Site"
        yield f"{indent}\t{{"
        # A bone without a known end gets one of length 0: the format asks for an End Site.
        yield f"{indent}\t\tOFFSET {_vector(rig.ends_m.get(rig.names[bone], np.zeros(3)))}"
        yield f"{indent}\t}}"
    yield f"{indent}}}"


def _channels(rig: Rig, order: list[int]) -> NDArray[np.float64]:
    """Return (n, channels) centimetres and degrees."""
    columns = []
    for bone in order:
        if rig.parents[bone] < 0:
            columns.append(_CM * rig.positions_m[:, bone])
        # Capital letters turn about axes that turn along (scipy, Rotation.as_euler), as this format has it.
        columns.append(Rotation.from_matrix(rig.rotations[:, bone]).as_euler(_ORDER, degrees=True))
    return np.concatenate(columns, axis=1)


def _vector(values_m: NDArray[np.float64]) -> str:
    return " ".join(f"{_CM * value:.5f}" for value in values_m.tolist())
