"""glTF 2.0 in one binary file (.glb): an animated skeleton with a surface that it carries.

Layout (Khronos, "glTF 2.0 Specification", section 4.4): a header of 12 bytes (`glTF`, version, length), then chunks of
length, kind and content: JSON, padded with spaces, and BIN, padded with zeros.

| in the file | what it is |
|---|---|
| nodes | `model`, below it one node for each bone, and `surface` |
| skin | bones, and the inverse of their poses in the first frame, in which the surface stands |
| mesh | positions, normals; each vertex carried by one bone |
| animation `motion` | rotation (quaternion x, y, z, w) and translation of each bone, linear between frames |

Metres, y up, as in OpenSim.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from movi_prep._version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.rig import Rig

# Numbers of OpenGL, which glTF took over.
_FLOAT, _USHORT, _UINT = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_COMPONENTS = {"float32": _FLOAT, "uint16": _USHORT, "uint32": _UINT}
_BONE_COLOUR = [0.75, 0.67, 0.55, 1.0]


class _Buffer:
    """The binary part: arrays one after the other, each with the accessor that finds it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], dtype: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Append an array and return the number of its accessor."""
        # glTF is little-endian on every machine.
        values = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.content), "byteLength": values.nbytes}
        if target is not None:
            view["target"] = target
        self.content += values.tobytes()
        # Every view begins at a multiple of four bytes.
        self.content += b"\0" * (-len(self.content) % 4)
        self.views.append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": _COMPONENTS[dtype],
            "count": len(values),
            "type": _KINDS[values.shape[1:]],
        }
        # The specification demands bounds of POSITION and of the times of an animation.
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(axis=0).tolist(), "max": flat.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def glb_bytes(rig: Rig, *, name: str) -> bytes:
    """Return the file of a rig; `name` is that of its scene."""
    buffer, n_bones = _Buffer(), len(rig.names)
    document = {
        "asset": {"version": "2.0", "generator": f"movi-prep {__version__}"},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [0]}],
        "nodes": _nodes(rig),
        "skins": [
            {
                "name": "skeleton",
                "joints": list(range(1, n_bones + 1)),
                "skeleton": 0,
                "inverseBindMatrices": buffer.add(_inverse_bind(rig), "float32"),
            }
        ],
        "meshes": [{"name": "surface", "primitives": [_surface(rig, buffer)]}],
        "materials": [
            {
                "name": "bone",
                "pbrMetallicRoughness": {
                    "baseColorFactor": _BONE_COLOUR,
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.7,
                },
            }
        ],
        "animations": [_animation(rig, buffer)],
    }
    document |= {
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    # Chunks begin at multiples of four bytes, JSON's filled up with spaces.
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(buffer.content), b"BIN\0") + buffer.content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _nodes(rig: Rig) -> list[dict[str, Any]]:
    """Return the root, the bones and the surface; the bones stand as in the first frame."""
    turns = Rotation.from_matrix(rig.rotations[0]).as_quat()
    bones: list[dict[str, Any]] = [
        {"name": bone, "rotation": turn, "translation": place}
        for bone, turn, place in zip(rig.names, turns.tolist(), rig.positions_m[0].tolist(), strict=True)
    ]
    root: dict[str, Any] = {"name": "model"}
    nodes = [root, *bones, {"name": "surface", "mesh": 0, "skin": 0}]
    for bone, parent in enumerate(rig.parents.tolist()):
        # Node 0 is the root `model`; a bone without a parent has parent -1 and so hangs from it.
        nodes[parent + 1].setdefault("children", []).append(bone + 1)
    root["children"] = [*root.get("children", []), len(nodes) - 1]
    return nodes


def _inverse_bind(rig: Rig) -> NDArray[np.float64]:
    """Return (b, 4, 4) matrices world to bone of the first frame, columns first as glTF stores them."""
    rotations, positions_m = (poses[0] for poses in rig.world_poses())
    inverse = np.zeros((len(rig.names), 4, 4))
    inverse[:, :3, :3] = rotations.transpose(0, 2, 1)
    inverse[:, :3, 3] = -(rotations.transpose(0, 2, 1) @ positions_m[:, :, None])[..., 0]
    inverse[:, 3, 3] = 1.0
    return np.asarray(inverse.transpose(0, 2, 1))


def _surface(rig: Rig, buffer: _Buffer) -> dict[str, Any]:
    rotations, positions_m = (poses[0] for poses in rig.world_poses())
    bones = rig.vertex_bones
    # The surface stands in world space in the first frame; the inverse bind matrices take it back
    # to the bones.
    vertices = (rotations[bones] @ rig.vertices_m[:, :, None])[..., 0] + positions_m[bones]
    # Four influences are the format's smallest number; three of them weigh nothing.
    joints = np.zeros((len(bones), 4))
    joints[:, 0] = bones
    weights = np.zeros((len(bones), 4))
    weights[:, 0] = 1.0
    return {
        "attributes": {
            "POSITION": buffer.add(vertices, "float32", target=_ARRAY_BUFFER, bounds=True),
            "NORMAL": buffer.add(_normals(vertices, rig.faces), "float32", target=_ARRAY_BUFFER),
            "JOINTS_0": buffer.add(joints, "uint16", target=_ARRAY_BUFFER),
            "WEIGHTS_0": buffer.add(weights, "float32", target=_ARRAY_BUFFER),
        },
        "indices": buffer.add(rig.faces.reshape(-1), "uint32", target=_ELEMENT_BUFFER),
        "material": 0,
    }


def _normals(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    corners = vertices[faces]
    # Not normalised before the sum: large faces weigh more.
    of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], of_faces)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    # `where` computes both sides: without the maximum, a vertex of no face divides 0 by 0.
    return np.where(lengths > 0, normals / np.maximum(lengths, 1e-30), [0.0, 1.0, 0.0])


def _animation(rig: Rig, buffer: _Buffer) -> dict[str, Any]:
    times = buffer.add(rig.times_s - rig.times_s[0], "float32", bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for bone in range(len(rig.names)):
        turns = _steady(Rotation.from_matrix(rig.rotations[:, bone]).as_quat())
        for path, values in (("rotation", turns), ("translation", rig.positions_m[:, bone])):
            # A bone that does not move has its pose in its node.
            if np.ptp(values, axis=0).max() == 0.0:
                continue
            channels.append({"sampler": len(samplers), "target": {"node": bone + 1, "path": path}})
            samplers.append({"input": times, "output": buffer.add(values, "float32"), "interpolation": "LINEAR"})
    # An animation without channels is not valid glTF; one that stands still is.
    if not channels:
        channels.append({"sampler": 0, "target": {"node": 1, "path": "translation"}})
        samplers.append({"input": times, "output": buffer.add(rig.positions_m[:, 0], "float32")})
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _steady(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 4) quaternions, each on the side of the one before: programs go the short way between them."""
    # q and -q are one rotation, but the way from q to -q is a full turn.
    turned = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0.0
    signs = np.where(np.concatenate([[0], np.cumsum(turned)]) % 2, -1.0, 1.0)
    return np.asarray(quaternions * signs[:, None])
