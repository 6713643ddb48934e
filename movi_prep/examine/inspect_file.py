"""What a file holds, for any file that the project reads or writes: dims, units, rate, names, provenance.

| suffix | shown |
|---|---|
| `.npz` | which of AMASS clip, shape, SMPL+H, DMPL or calibration it is; every array |
| `.mat` | V3D: subject, sex, clips and their frames, markers; others: every variable |
| `.h5`, `.hdf5` | format, version, provenance; every dataset with dims, unit and frame; D3KE's layout by its names |
| `.trc`, `.c3d`, `.mot`, `.sto` | rate, rows, time span, names, unit |
| `.osim` | bodies, joints, coordinates, markers |
| `.xml` | OpenSim's set-ups: weights, tasks, measurements, time range, files and whether they are there |
| `.avi`, `.mp4`, `.mov`, `.mkv` | size, rate, frames, codec |
| `.json`, `.yaml`, `.yml` | keys; records of units: how they ended; cameras of OpenCV (`.xml`, too) |
| `.toml`, `.csv` | cameras of Pose2Sim; a manifest of recordings (`.yaml`, too) |
| `.pt` | poses of persons |
| `.npy`, `.pkl` | arrays; D3KE's boxes, frames and base model; body models; persons of 3DPW and EMDB, no code is run |
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np

from movi_prep.errors import InputError, MissingError, cut, list_names
from movi_prep.examine.file_facts import ArrayFacts, FileFacts
from movi_prep.examine.inspect_recordings import (
    inspect_manifest,
    inspect_opencv,
    inspect_other_pickle,
    inspect_pose2sim,
    inspect_poses,
    is_opencv,
)
from movi_prep.formats.reading import reads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.npz import ArrayHeader
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.setups import IkSetup, ScaleSetup
    from movi_prep.video.reader import VideoReader


_AMASS = {
    "poses": ("(n_samples, 156) axis angles of 52 joints", "rad", "AMASS: z up"),
    "trans": ("(n_samples, 3) translation", "m", "AMASS: z up"),
    "betas": ("(16) shape", "1", ""),
    "dmpls": ("(n_samples, 8) soft tissue", "1", ""),
    "mocap_framerate": ("sampling rate", "Hz", ""),
    "mocap_frame_rate": ("sampling rate", "Hz", ""),
    "mocap_time_length": ("duration", "s", ""),
    "root_orient": ("(n_samples, 3) axis angle of the pelvis", "rad", "AMASS: z up"),
    "pose_body": ("(n_samples, 63) axis angles of 21 joints", "rad", ""),
    "pose_hand": ("(n_samples, 90) axis angles of 30 joints", "rad", ""),
}
_BODY = {
    "v_template": ("(n_vertices, 3) mean shape", "m", "SMPL: y up"),
    "shapedirs": ("(n_vertices, 3, 16) shape directions", "m", "SMPL: y up"),
    "posedirs": ("(n_vertices, 3, 459) pose directions", "m", "SMPL: y up"),
    "J_regressor": ("(52, n_vertices) joints from vertices", "1", ""),
    "weights": ("(n_vertices, 52) skinning weights", "1", ""),
    "kintree_table": ("(2, 52) parents", "1", ""),
    "f": ("(n_faces, 3) triangles", "1", ""),
    "eigvec": ("(n_vertices, 3, >= 8) soft tissue directions", "m", "SMPL: y up"),
}
_CALIBRATION = {
    "IntrinsicMatrix": ("(3, 3) MATLAB's transposed matrix, 1-based", "px", ""),
    "RadialDistortion": ("(2) k1, k2", "1", ""),
    "rotationMatrix": ("(3, 3) MATLAB's transposed rotation", "1", "MoVi: z up"),
    "translationVector": ("(3) translation", "mm", "camera"),
}
_ROWS, _WORLD = "(row)", "AMASS world: z up"
_D3KE = {
    "ImgList": (_ROWS, "", ""),
    "cameraType": (_ROWS, "", ""),
    **dict.fromkeys(("subjectID", "videoID", "frame", "hflipUsage", "seed", "usedFrame"), (_ROWS, "1", "")),
    **dict.fromkeys(("globalFrame", "startFrame", "globalStartFrame", "globalEndFrame"), (_ROWS, "1", "video, from 0")),
    **dict.fromkeys(("pos3d", "sim_pos3d"), ("(row, joint, 3)", "m", _WORLD)),
    **dict.fromkeys(("marker_pos3d", "sim_marker_pos3d"), ("(row, marker, 3)", "m", _WORLD)),
    "pos3d_mask": ("(row, joint)", "1", ""),
    "marker_pos3d_mask": ("(row, marker)", "1", ""),
    "bbox": ("(row, 4) column, row, width, height", "px", "video image"),
    "openSimJointPos": ("(row, joint, 3)", "m", _WORLD),
    "coordinateAngle": ("(row, coordinate)", "rad", ""),
    "coordinateMask": ("(row, coordinate)", "1", ""),
    "rootRot": ("(row, 4, 4) moving frame of the root joint", "1, m", _WORLD),
    "boneScale": ("(body, 3) scale factors", "1", ""),
    "images": ("(frame, row, column, BGR)", "1", "video image"),
}
"""Datasets of D3KE's layout (see `formats.d3ke`), which carry no description of their own."""
_LARGEST_FACT_BYTES = 4096
"""Room for a rate or a gender, several times over."""

_KNOWN = {**_AMASS, **_BODY, **_CALIBRATION}
_PROVENANCE = ("format", "format_version", "provenance")


@reads("a file of the kind that its name says", "check which file this is, or fetch it again")
def inspect_file(path: Path) -> FileFacts:
    """Return the content of a file.

    Raises:
        MissingError: the file does not exist.
        InputError: it is of no kind that the project knows, or is damaged.
    """
    if path.is_dir():
        raise MissingError(path, expected="a file", got="a folder", remedy="name a file in it")
    if not path.is_file():
        raise MissingError(path, expected="a file", got="none", remedy="check the path")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            path,
            expected=f"one of {list_names(_READERS, at_most=30)}",
            got=path.suffix or "no suffix",
            remedy="name a file of one of these kinds",
        )
    if path.suffix.lower() in (".xml", ".yaml", ".yml") and is_opencv(path):
        return inspect_opencv(path)
    return reader(path)


def _inspect_npz(path: Path) -> FileFacts:
    from movi_prep.formats.npz import NpzArchive

    arrays, small = [], {}
    # Our own reader, because it checks an array without keeping it in memory.
    with NpzArchive(path) as archive:
        names = archive.names
        for name in names:
            try:
                # Read through, not kept: damage shows, and memory does not grow with the file.
                header = archive.check(name)
            except InputError as error:
                # Unpickling can run code in the file, which inspecting a file must not do.
                arrays.append(ArrayFacts(name, (), "not read", description=f"{error.got}"))
                continue
            arrays.append(_array_facts(name, header))
            # Rates and genders are arrays of one entry in .npz files; they are shown as facts.
            if prod(header.shape) == 1 and header.n_bytes <= _LARGEST_FACT_BYTES:
                small[name] = _say(archive.read(name).reshape(())[()])
    return FileFacts(path, _kind_of_npz(set(names)), {**small, **_clip_facts(arrays, small)}, tuple(arrays))


def _kind_of_npz(names: set[str]) -> str:
    if {"poses", "trans"} <= names:
        return "AMASS clip, new release" if "mocap_frame_rate" in names else "AMASS clip, old release"
    if "v_template" in names:
        return "SMPL+H body model"
    if "eigvec" in names:
        return "DMPL soft tissue directions"
    if names & set(_CALIBRATION):
        return "camera calibration"
    return "AMASS subject shape" if "betas" in names else "arrays"


def _clip_facts(arrays: list[ArrayFacts], small: Mapping[str, str | float | int]) -> dict[str, str | float | int]:
    poses = next((array for array in arrays if array.name == "poses" and array.shape), None)
    rate_hz = small.get("mocap_framerate", small.get("mocap_frame_rate"))
    if poses is None or not isinstance(rate_hz, int | float) or not rate_hz:
        return {}
    return {"n_samples": poses.shape[0], "duration_s": round(poses.shape[0] / rate_hz, 3)}


def _inspect_mat(path: Path) -> FileFacts:
    from movi_prep.formats.v3d import load_mat, read_v3d

    # The content of a V3D file does not name itself; its file name does.
    if "v3d" not in path.name.lower():
        content = {name: value for name, value in load_mat(path).items() if not name.startswith("__")}
        arrays = [_array_facts(name, np.asarray(value)) for name, value in content.items()]
        return FileFacts(path, "MATLAB variables", {}, tuple(arrays))
    subject = read_v3d(path)
    ranges = subject.video_ranges.tolist()
    facts: dict[str, str | float | int] = {
        "subject": subject.subject,
        "sex": subject.sex,
        "height_m": subject.height_m if subject.height_m is not None else "not stated",
        "mass_kg": subject.mass_kg if subject.mass_kg is not None else "not stated",
        "clips": subject.n_clips,
        "motions": ", ".join(subject.motions),
        "video frames (first, past the last)": ", ".join(f"{first}-{end}" for first, end in ranges),
        "markers": len(subject.marker_names),
        "findings": "; ".join(subject.findings) or "none",
    }
    arrays = []
    for name, values in (("virtual_markers", subject.virtual_markers_m), ("markers", subject.markers_m)):
        if values is not None:
            arrays.append(
                ArrayFacts(name, values.shape, str(values.dtype), "(n_samples, marker, 3)", "m as read", "MoVi: z up")
            )
    return FileFacts(path, "V3D subject", facts, tuple(arrays))


def _inspect_hdf5(path: Path) -> FileFacts:
    from movi_prep.formats.hdf5_outline import read_hdf5_outline

    outline = read_hdf5_outline(path)
    attributes = outline.attributes
    arrays = tuple(
        ArrayFacts(
            item.name,
            item.shape,
            item.dtype,
            f"({', '.join(item.dims)})" if item.dims else "",
            item.unit,
            item.frame,
            item.description,
        )
        for item in outline.datasets
    )
    ordered = [name for name in _PROVENANCE if name in attributes]
    facts = {name: _say(attributes[name]) for name in (*ordered, *sorted(set(attributes) - set(ordered)))}
    if "format" in attributes:
        return FileFacts(path, str(attributes["format"]), facts, arrays)
    # `N_boneScale` bears the subject's number.
    known = {item.name: _D3KE.get(item.name.lstrip("0123456789").lstrip("_")) for item in outline.datasets}
    if not arrays or not any(known.values()):
        return FileFacts(path, "HDF5 of another program", facts, arrays)
    described = tuple(_with_dims(item, known[item.name] or ("", "", "")) for item in arrays)
    return FileFacts(path, "D3KE's layout", facts, described)


def _with_dims(item: ArrayFacts, described: tuple[str, str, str]) -> ArrayFacts:
    dims, unit, frame = described
    return replace(item, dims=dims, unit=unit, frame=frame)


def _inspect_trc(path: Path) -> FileFacts:
    from movi_prep.formats.trc import read_trc

    return _inspect_markers(path, read_trc(path), kind="TRC", frame="as stored (OpenSim: y up)")


def _inspect_c3d(path: Path) -> FileFacts:
    from movi_prep.formats.c3d import read_c3d

    return _inspect_markers(
        path, read_c3d(path, up="z"), kind="C3D", frame="OpenSim: y up (z up where it is not stated)"
    )


def _inspect_markers(path: Path, markers: MarkerTrajectories, *, kind: str, frame: str) -> FileFacts:
    facts: dict[str, str | float | int] = {
        "markers": len(markers.names),
        "names": ", ".join(markers.names),
        "rows": len(markers.times_s),
        "rate_hz": markers.rate_hz,
        "first_s": float(markers.times_s[0]),
        "last_s": float(markers.times_s[-1]),
        "absent points": int(np.isnan(markers.positions_m).any(axis=2).sum()),
        **{f"finding {number}": finding for number, finding in enumerate(markers.findings, 1)},
    }
    positions = ArrayFacts("positions", markers.positions_m.shape, "float64", "(row, marker, 3)", "m as read", frame)
    return FileFacts(path, f"marker trajectories ({kind})", facts, (positions,))


def _inspect_storage(path: Path) -> FileFacts:
    from movi_prep.formats.storage import read_storage

    table = read_storage(path)
    times_s = table.times_s
    facts: dict[str, str | float | int] = {
        "name": table.name,
        "columns": len(table.labels),
        "labels": ", ".join(table.labels),
        "rows": len(times_s),
        "rotations in": "degrees" if table.in_degrees else "radians",
    }
    if len(times_s) > 1:
        # Over the whole file: times are rounded to the digits that are printed.
        rate_hz = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
        facts |= {"first_s": float(times_s[0]), "last_s": float(times_s[-1]), "rate_hz": round(rate_hz, 4)}
    return FileFacts(path, "OpenSim storage", facts)


def _inspect_osim(path: Path) -> FileFacts:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - a model file of the user, no network, no entities used
    except ET.ParseError as error:
        raise InputError(path, expected="an OpenSim document", got=str(error), remedy="write it again") from error
    model = root.find("Model")
    if model is None:
        return _inspect_document(path, root)
    facts: dict[str, str | float | int] = {"name": model.get("name", ""), "version": root.get("Version", "not stated")}
    for what, where in (
        ("bodies", "BodySet/objects"),
        ("joints", "JointSet/objects"),
        ("constraints", "ConstraintSet/objects"),
        ("markers", "MarkerSet/objects"),
        ("muscles and forces", "ForceSet/objects"),
    ):
        found = model.find(where)
        facts[what] = 0 if found is None else len(found)
    coordinates = [item.get("name", "") for item in model.iter("Coordinate")]
    return FileFacts(path, "OpenSim model", {**facts, "coordinates": len(coordinates), "names": ", ".join(coordinates)})


def _inspect_document(path: Path, root: ET.Element) -> FileFacts:
    """Return a set-up as movi-prep reads it; for other documents, only their kind."""
    from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup

    kinds = {root.tag, *(child.tag for child in root)} - {"OpenSimDocument"}
    facts: dict[str, str | float | int] = {"version": root.get("Version", "not stated")}
    if "InverseKinematicsTool" in kinds:
        ik = read_ik_setup(path)
        facts |= _facts_of_tasks(ik) | {
            "time range, s": _range(ik.time_range_s),
            "files": _file_names(model=ik.model_file, markers=ik.marker_file, coordinates=ik.coordinate_file),
        }
    if "ScaleTool" in kinds:
        scale = read_scale_setup(path)
        facts |= _facts_of_tasks(scale) | {
            "measurements": ", ".join(item.name for item in scale.measurements) or "none",
            "manual factors": ", ".join(scale.manual_factors) or "none",
            "order": " ".join(scale.order) or "switched off",
            "markers are placed": "yes" if scale.place_markers else "no",
            "mass_kg": "not stated" if scale.mass_kg is None else scale.mass_kg,
            "time range, s": _range(scale.placement_time_range_s),
            "files": _file_names(model=scale.model_file, marker_set=scale.marker_set_file, static=scale.static_file),
        }
    return FileFacts(path, f"OpenSim document: {list_names(kinds)}", facts)


def _facts_of_tasks(setup: ScaleSetup | IkSetup) -> dict[str, str | float | int]:
    weighted = [f"{name} {weight:g}" for name, weight in setup.marker_weights.items() if weight > 0]
    return {
        "name": setup.name,
        "weighted markers": len(weighted),
        "weights": ", ".join(weighted) or "none",
        "coordinate tasks": ", ".join(task.name for task in setup.coordinate_tasks) or "none",
    }


def _range(range_s: tuple[float, float]) -> str:
    return "all" if np.isinf(range_s).all() else f"{range_s[0]:g} to {range_s[1]:g}"


def _file_names(**files: Path | None) -> str:
    """Return the files that a document names, and which of them do not exist."""
    described = [
        f"{what} {path}{'' if path.is_file() else ' (not there)'}" for what, path in files.items() if path is not None
    ]
    return "; ".join(described) or "none"


def _inspect_video(path: Path) -> FileFacts:
    from movi_prep.video.footage import frame_clock, open_footage
    from movi_prep.video.reader import VideoReader

    # As the shards read it: by its packets, where the container has their times.
    reader = open_footage(path)
    header = reader.header
    clock = frame_clock(reader, None) if header.rate_hz or not isinstance(reader, VideoReader) else None
    described = (*reader.damage(), *reader.notes())
    reader.close()
    facts: dict[str, str | float | int] = {
        "size_px": f"{header.size_px[0]} x {header.size_px[1]}",
        "rate_hz": clock.rate_hz if clock else header.rate_hz,
        **({} if clock is None or clock.is_even else {"clock": "the rate varies; this is its mean"}),
        "n_frames": header.n_frames,
        "duration_s": round(header.n_frames / clock.rate_hz, 3) if clock and clock.rate_hz else "not stated",
        "codec": header.codec,
        **(_facts_of_avi(reader) if isinstance(reader, VideoReader) else {}),
        "findings": "; ".join(text.removeprefix(f"{path.name}: ") for text in described) or "none",
    }
    return FileFacts(path, "video", facts)


def _facts_of_avi(reader: VideoReader) -> dict[str, str | float | int]:
    """Return what the structure of an .avi says about its frames; {} for other videos."""
    table = reader.table
    if table is None:
        return {}
    return {
        "frames by header": table.head.n_frames,
        "frames by index": "no index" if table.index is None else f"{len(table.index.lengths)} ({table.index.kind})",
        "frames in the file": table.n_frames - int(table.is_lost.sum()),
    }


def _inspect_json(path: Path) -> FileFacts:
    content = json.loads(path.read_text(encoding="utf-8"))
    kind = str(content.get("format", "JSON")) if isinstance(content, dict) else "JSON"
    return FileFacts(path, kind, _keys(content))


def _inspect_yaml(path: Path) -> FileFacts:
    from movi_prep.formats.yaml_file import read_yaml_file

    content = read_yaml_file(path, expected="YAML", remedy="correct it")
    if isinstance(content, dict) and "recordings" in content:
        return inspect_manifest(path)
    return FileFacts(path, "YAML", _keys(content))


def _inspect_npy(path: Path) -> FileFacts:
    try:
        # A pickle inside could run code of its own.
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        # numpy has no exception of its own for this.
        if "Object arrays cannot be loaded" in str(error):
            return _inspect_dictionary(path)
        raise InputError(
            path, expected="a whole .npy file", got="a damaged or cut one", remedy="make it again"
        ) from error
    if path.stem.endswith("_bbox") and values.ndim == 2:
        boxes = _with_dims(
            _array_facts(path.stem, values), ("(frame, 4) column, row, width, height", "px", "video image")
        )
        return FileFacts(path, "D3KE's layout: boxes of a video", {}, (boxes,))
    return FileFacts(path, "array", {}, (_array_facts(path.stem, values),))


def _inspect_dictionary(path: Path) -> FileFacts:
    """`all_bbox.npy`: subject, camera -> boxes; `videoIdx.npy`: subject -> first and last video frame of each clip."""
    from movi_prep.formats.d3ke import read_dictionary

    arrays = []
    for subject, entry in read_dictionary(path).items():
        if isinstance(entry, dict):
            described = ("(frame, 4) column, row, width, height", "px", "video image")
            arrays += [
                _with_dims(_array_facts(f"{subject} {camera}", np.asarray(boxes)), described)
                for camera, boxes in entry.items()
            ]
        else:
            described = ("(first and last, clip)", "1", "video, from 1")
            arrays.append(_with_dims(_array_facts(str(subject), np.asarray(entry)), described))
    return FileFacts(path, "D3KE's layout: dictionary by subject, read without running code", {}, tuple(arrays))


def _inspect_pickle(path: Path) -> FileFacts:
    from movi_prep.formats.array_pickle import read_array_pickle
    from movi_prep.formats.d3ke import read_base_model

    if path.name == "pyBaseModel.pkl":
        model = read_base_model(path)
        coordinates = [coordinate.name for joint in model.joints for coordinate in joint.coordinates]
        facts: dict[str, str | float | int] = {
            "bodies": len(model.bodies),
            "joints": len(model.joints),
            "markers": len(model.markers),
            "couplers": len(model.couplers),
            "coordinates": len(coordinates),
            "names": ", ".join(coordinates),
        }
        return FileFacts(path, "D3KE's layout: the unscaled model, read without running code", facts)
    try:
        content = read_array_pickle(path)
    except InputError as error:
        return inspect_other_pickle(path, error)
    arrays = [_array_facts(str(name), np.asarray(value)) for name, value in content.items()]
    return FileFacts(path, "pickle of arrays, read without running code", {}, tuple(arrays))


def _keys(content: object) -> dict[str, str | float | int]:
    if not isinstance(content, dict):
        return {"holds": f"{type(content).__name__} of {len(content)}" if isinstance(content, list) else _say(content)}
    return {str(name): _say(value) for name, value in content.items()}


def _say(value: Any) -> str | float | int:
    """Return a value short enough for one line of a table."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if value is None:
        return "none"
    # Before numbers: a bool is an int in Python.
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return f"{len(value)} entries: {list_names(map(str, value), at_most=6)}"
    if isinstance(value, list | tuple) and len(value) > 6:
        return f"{len(value)} entries"
    return cut(str(value))


def _array_facts(name: str, values: NDArray[Any] | ArrayHeader) -> ArrayFacts:
    dims, unit, frame = _KNOWN.get(name, ("", "", ""))
    return ArrayFacts(name, values.shape, str(values.dtype), dims, unit, frame)


_READERS: dict[str, Callable[[Path], FileFacts]] = {
    ".npz": _inspect_npz,
    ".mat": _inspect_mat,
    ".h5": _inspect_hdf5,
    ".hdf5": _inspect_hdf5,
    ".trc": _inspect_trc,
    ".c3d": _inspect_c3d,
    ".toml": inspect_pose2sim,
    ".csv": inspect_manifest,
    ".mot": _inspect_storage,
    ".sto": _inspect_storage,
    ".osim": _inspect_osim,
    ".xml": _inspect_osim,
    ".avi": _inspect_video,
    **dict.fromkeys((".mp4", ".mov", ".mkv", ".m4v", ".webm"), _inspect_video),
    ".json": _inspect_json,
    ".yaml": _inspect_yaml,
    ".yml": _inspect_yaml,
    ".npy": _inspect_npy,
    ".pkl": _inspect_pickle,
    ".pt": inspect_poses,
    ".pth": inspect_poses,
}
