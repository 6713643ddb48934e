"""Fuzz of every reader: what is spoilt is refused in one line, or read as something that holds.

    python -m benchmarks.fuzz_readers [--reads 5000] [--seed 0]

Small sound files are spoilt (bits, bytes, cuts, runs of zeros, numbers in headers made huge, parts doubled) and read by
`inspect_file` and by their own reader, in processes with a limit of memory and time. Faults are a process that dies, a
read that takes too long, any other exception than the project's own, a message of more than a line or too long,
and a result that breaks what its record promises (numbers that are not finite where they must be).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from movi_prep.errors import MoviPrepError

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES = 4 * 2**30
LONGEST_READ_S = 20.0
"""Of the processor, children included: a damaged HDF5 file may take three, a C3D file ten."""

LONGEST_BATCH_S = 900.0
LONGEST_MESSAGE = 2500
BATCH = 250
_WORDS = (b"9999999999", b"-5", b"nan", b"<M8", b"|O", b"c16", b"[[[[", b"\t", b"1e999", b"'", b"\n")


def sound_files(folder: Path) -> dict[str, bytes]:
    """Write one small sound file of each kind below `folder`; return them by name."""
    from movi_prep.formats.array_pickle import dump_array_pickle
    from tests.builders.calibration_files import intrinsic_arrays, write_calibration

    rng = np.random.default_rng(0)
    n = 6
    clip = {
        "poses": rng.normal(0, 0.1, (n, 156)),
        "trans": rng.normal(0, 0.1, (n, 3)),
        "betas": np.zeros(16),
        "dmpls": np.zeros((n, 8)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
    }
    np.savez(folder / "Subject_1_F_1_poses.npz", **clip)
    np.savez_compressed(folder / "Subject_1_F_2_poses.npz", **clip)
    write_calibration(folder, "PG1")
    write_calibration(folder, "PG2", ".mat")
    (folder / "cameraParams_PG1.pkl").write_bytes(dump_array_pickle(intrinsic_arrays()))
    _write_v3d(folder, rng)
    _write_texts(folder)
    _write_hdf5(folder, rng)
    _write_opensim(folder)
    _write_built(folder)
    _write_results(folder)
    _write_d3ke(folder, rng)
    _write_cameras(folder)
    _write_poses(folder)
    np.save(folder / "array.npy", rng.normal(0, 1, (4, 3)))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _write_v3d(folder: Path, rng: np.random.Generator) -> None:
    from scipy.io import savemat

    names = np.empty((1, 3), dtype=object)
    names[0] = ["LFHD", "RFHD", "STRN"]
    motions = np.empty((2, 1), dtype=object)
    motions[:, 0] = ["walking", "jumping"]
    flags = np.array([[1.0, 5.0], [6.0, 9.0]])
    move = {
        "motions_list": motions,
        "flags30": flags,
        "flags120": 4 * flags - 3,
        "markerName": names,
        "markerLocation": rng.normal(0, 500, (40, 3, 3)),
        "virtualMarkerName": names,
        "virtualMarkerLocation": rng.normal(0, 500, (40, 3, 3)),
    }
    content = {"Subject_1_F": {"subject": {"sex": "female", "height": 168.0, "mass": 60.0}, "move": move}}
    savemat(folder / "F_v3d_Subject_1.mat", content)
    savemat(folder / "v3d_packed.mat", content, do_compression=True)


def _write_texts(folder: Path) -> None:
    from movi_prep.formats.label_tables import default_label_tables_path
    from movi_prep.formats.packaged import packaged_path
    from movi_prep.runtime.unit_record import UnitRecord, write_record

    head = "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\t"
    head += "OrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n60\t60\t3\t2\tmm\t60\t1\t3\n"
    head += "Frame#\tTime\tA\t\t\tB\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n\n"
    rows = "".join(f"{k + 1}\t{k / 60:.6f}\t100\t200\t300\t40\t950\t600\n" for k in range(3))
    (folder / "markers.trc").write_text(head + rows)
    storage = (
        "Coordinates\nversion=1\nnRows=2\nnColumns=3\ninDegrees=yes\nendheader\ntime\tknee\thip\n0\t1\t2\n0.1\t3\t4\n"
    )
    (folder / "motion.mot").write_text(storage)
    (folder / "marker_set.yaml").write_text(
        "format: movi-prep marker set\nversion: 1\nname: small\nmarkers:\n"
        "  - {name: A, vertex: 3}\n  - {name: B, joint: 0}\n  - {name: C, midpoint: [A, B]}\n"
    )
    (folder / "tracking.yaml").write_text(
        "format: movi-prep inverse kinematics\nversion: 1\nmarker_weights: {A: 1.0, B: 20.0}\n"
    )
    (folder / "labels.yaml").write_bytes(default_label_tables_path().read_bytes())
    (folder / "config.yaml").write_text("work: w\nsubjects: 1-3\nmarkers: {rate: video}\nrun: {workers: 2}\n")
    (folder / "noise.yaml").write_bytes(packaged_path("opensim_models", "marker_noise.yaml").read_bytes())
    record = UnitRecord("ik", "S001/C01", "done", 1, {}, numbers={"rows": 3}, findings=("a finding",))
    write_record(folder / "record.json", record, scratch=folder / "aside")
    (folder / "aside").rmdir()


def _write_hdf5(folder: Path, rng: np.random.Generator) -> None:
    from movi_prep.formats.marker_file import write_markers
    from movi_prep.records.markers import MarkerTrajectories

    markers = MarkerTrajectories(
        names=("A", "B", "C"),
        positions_m=rng.normal(0, 1, (5, 3, 3)),
        times_s=np.arange(5) / 30.0,
        sample_indices=np.arange(5) * 4,
        rate_hz=30.0,
        source="a clip",
    )
    write_markers(folder / "markers.h5", markers, provenance={})
    with h5py.File(folder / "other.h5", "w") as file:
        file.create_dataset("pos3d", data=rng.normal(0, 1, (4, 3, 3)), compression="gzip")


_MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><Model name="small">
<BodySet><objects><Body name="base"><mass>1</mass><mass_center>0 0 0</mass_center>
<inertia>0.1 0.1 0.1 0 0 0</inertia></Body></objects></BodySet>
<JointSet><objects><PinJoint name="hinge"><socket_parent_frame>/ground</socket_parent_frame>
<socket_child_frame>/bodyset/base</socket_child_frame>
<coordinates><Coordinate name="angle"><default_value>0.1</default_value></Coordinate></coordinates>
</PinJoint></objects></JointSet>
<MarkerSet><objects><Marker name="A"><socket_parent_frame>/bodyset/base</socket_parent_frame>
<location>0 0.1 0</location></Marker></objects></MarkerSet>
</Model></OpenSimDocument>
"""
_TOOL = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><InverseKinematicsTool name="small">
<model_file>model.osim</model_file><marker_file>markers.trc</marker_file><time_range>0 1</time_range>
<IKTaskSet><objects><IKMarkerTask name="A"><apply>true</apply><weight>2</weight></IKMarkerTask>
<IKCoordinateTask name="angle"><apply>true</apply><weight>1</weight><value_type>default_value</value_type>
</IKCoordinateTask></objects></IKTaskSet>
</InverseKinematicsTool></OpenSimDocument>
"""


def _write_opensim(folder: Path) -> None:
    (folder / "model.osim").write_text(_MODEL)
    (folder / "tracking.xml").write_text(_TOOL)


def _write_built(folder: Path) -> None:
    """Write what needs the builders of the tests, or another file first."""
    from movi_prep.formats.alignment_file import write_alignment
    from movi_prep.records.alignment import SubjectAlignment
    from tests.builders.avi_files import Layout, build_avi, encoded_frames
    from tests.builders.shard import write_small_shard

    write_small_shard(folder / "shard.h5")
    write_alignment(folder / "alignment.json", SubjectAlignment("S001", (), ("a finding",)), provenance={})
    (folder / "video.avi").write_bytes(build_avi(encoded_frames("MJPG"), Layout()).content)
    _write_body(folder / "body.npz")
    _write_body_pickle(folder / "body.pkl")


def _write_body(path: Path) -> None:
    """Write an SMPL+H model of the right shapes, most of it zeros, which deflate packs."""
    vertices = np.arange(6890)
    one_each = np.eye(52)[vertices % 52]
    np.savez_compressed(
        path,
        v_template=np.random.default_rng(3).normal(0, 0.5, (6890, 3)),
        f=np.stack([vertices, (vertices + 1) % 6890, (vertices + 2) % 6890], axis=1).astype(np.uint32),
        shapedirs=np.zeros((6890, 3, 16)),
        posedirs=np.zeros((6890, 3, 459), np.float32),
        J_regressor=one_each.T / one_each.sum(axis=0)[:, None],
        weights=one_each,
        kintree_table=np.stack([np.r_[2**32 - 1, np.arange(51)], np.arange(52)]),
    )


def _write_body_pickle(path: Path) -> None:
    """Write a small body model as SMPL's own files hold it: a pickle of Python 2, with parts of chumpy and scipy."""
    from tests.builders.python2_pickle import ch, csc, select, write_python2_pickle

    content = {
        "v_template": ch(np.ones((5, 3))),
        "shapedirs": select(np.ones((5, 3, 4)), 2),
        "J_regressor": csc(np.eye(2, 5)),
        "weights": np.ones((5, 2)),
        "bs_type": "lrotmin",
    }
    write_python2_pickle(path, content)


_SCALE = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><ScaleTool name="small"><mass>60</mass><height>1700</height>
<GenericModelMaker><model_file>model.osim</model_file></GenericModelMaker>
<ModelScaler><apply>true</apply><scaling_order>measurements manualScale</scaling_order>
<MeasurementSet><objects><Measurement name="trunk"><apply>true</apply>
<MarkerPairSet><objects><MarkerPair><markers>A B</markers></MarkerPair></objects></MarkerPairSet>
<BodyScaleSet><objects><BodyScale name="base"><axes>X Y Z</axes></BodyScale></objects></BodyScaleSet>
</Measurement></objects></MeasurementSet>
<ScaleSet><objects><Scale><scales>1.1 1 0.9</scales><segment>base</segment></Scale></objects></ScaleSet>
<marker_file>markers.trc</marker_file><time_range>0 1</time_range></ModelScaler>
<MarkerPlacer><apply>true</apply><IKTaskSet><objects><IKMarkerTask name="A"><apply>true</apply><weight>2</weight>
</IKMarkerTask></objects></IKTaskSet><marker_file>markers.trc</marker_file><time_range>0 1</time_range>
<max_marker_movement>20</max_marker_movement><output_model_file>placed.osim</output_model_file></MarkerPlacer>
</ScaleTool></OpenSimDocument>
"""


def _write_results(folder: Path) -> None:
    """Write what the stages of the project write of a subject, and set-ups of scaling."""
    from importlib.util import find_spec

    from movi_prep.formats.ik_file import write_ik_solution
    from movi_prep.formats.marker_file import write_static_trial
    from movi_prep.formats.scale_file import write_scale_result
    from tests.builders.c3d_files import write_c3d
    from tests.builders.quality_work import known_scale, known_solution
    from tests.builders.small_model import static_trial
    from tests.builders.small_world import SCALE_SETUP

    (folder / "scaling.xml").write_text(_SCALE)
    (folder / "scaling.yaml").write_text(SCALE_SETUP)
    write_scale_result(folder / "scale.json", known_scale(), provenance={"model": "x.osim"})
    write_ik_solution(folder / "solution.h5", known_solution(), provenance={})
    points_m = np.random.default_rng(1).normal(0, 1, (9, 3))
    write_static_trial(folder / "static.h5", static_trial(points_m), provenance={})
    if find_spec("ezc3d") is not None:
        points_mm = np.random.default_rng(2).normal(0, 900, (6, 3, 3))
        labels = {"UNITS": ["mm"], "LABELS": ["A", "B", "C"], "Y_SCREEN": ["+Z"]}
        write_c3d(folder / "trial.c3d", points_mm, np.full((6, 3), 0.2), rate_hz=60.0, **labels)


def _write_d3ke(folder: Path, rng: np.random.Generator) -> None:
    from movi_prep.formats import d3ke
    from movi_prep.formats.occluders import write_occluders
    from tests.formats.test_d3ke import SMALL_MODEL, small_rows

    d3ke.write_labels(folder / "subject_1.hdf5", small_rows())
    d3ke.write_images(folder / "1_PG1_img.hdf5", [(0, _noise(rng))], name="video", shape=(2, 24, 32))
    d3ke.write_boxes(folder / "1_PG1_bbox.npy", rng.uniform(0, 99, (3, 4)))
    d3ke.write_dictionary(folder / "all_bbox.npy", {1: {"PG1": np.ones((2, 4))}})
    write_occluders(folder / "occluders.h5", [(_noise(rng), np.ones((24, 32), np.float32))])
    d3ke.write_base_model(folder / "pyBaseModel.pkl", SMALL_MODEL)


def _noise(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    return rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)


def _write_cameras(folder: Path) -> None:
    """Write camera files as OpenCV, Pose2Sim and COLMAP do."""
    import cv2

    from tests.formats.test_camera_files import LENS, RVEC, TOML, TVEC, K

    for suffix in ("yaml", "xml", "json"):
        storage = cv2.FileStorage(str(folder / f"opencv.{suffix}"), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", 1280)
        storage.write("image_height", 720)
        names = ("camera_matrix", "distortion_coefficients", "rvec", "tvec")
        for name, value in zip(names, (K, LENS, RVEC, TVEC), strict=True):
            storage.write(name, value)
        storage.release()
    (folder / "Calib.toml").write_text(TOML)
    (folder / "cameras.txt").write_text("# cameras\n7 OPENCV 1280 720 980 970 641 361.75 -0.2 0.1 0.001 -0.002\n")
    (folder / "images.txt").write_text("# images\n1 0.8 0.1 0.5 -0.2 0.1 -0.4 4.0 7 frame_1.jpg\n\n")


def _write_poses(folder: Path) -> None:
    """Write motion as 3DPW, EMDB and networks do, and manifests of recordings."""
    import torch

    from tests.builders.joblib_file import joblib_bytes
    from tests.builders.pose_result_files import network_results, upright_poses, write_3dpw, write_emdb

    poses = upright_poses(6, up=np.array([0.0, 1.0, 0.0]))
    write_3dpw(folder / "3dpw.pkl", [poses, poses[::-1]], ["m", "f"])
    write_emdb(folder / "emdb.pkl", poses)
    np.savez(folder / "network.npz", **network_results(poses, matrices=True))
    track = {"pose": poses, "trans": np.zeros((len(poses), 3)), "betas": np.zeros((len(poses), 10))}
    (folder / "wham.pkl").write_bytes(joblib_bytes({0: track, 1: track}))
    (folder / "wham_packed.pkl").write_bytes(zlib.compress(joblib_bytes({0: track})))
    torch.save({"smpl_params_global": {name: torch.tensor(part) for name, part in track.items()}}, folder / "gvhmr.pt")
    np.savez(folder / "moving_camera.npz", world_to_camera=np.tile(np.eye(3, 4), (6, 1, 1)), frames=np.arange(6))
    (folder / "recordings.yaml").write_text(
        "cameras:\n  front: {calibration: front.toml, metres_per_unit: 1}\n"
        "recordings:\n  - {subject: A, clip: walk, motion: walk.npz, cameras: {front: {video: walk.mp4}}}\n"
    )
    (folder / "recordings.csv").write_text(
        "subject,clip,motion,camera,video,offset_s,calibration\nA,walk,walk.npz,front,walk.mp4,0.1,front.toml\n"
    )


def spoil(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a spoilt copy: one to four faults of one kind."""
    spoilt = bytearray(content)
    kind = rng.choice(["bit", "byte", "cut", "zeros", "huge", "double", "text"])
    if kind == "cut":
        return bytes(spoilt[: rng.integers(0, len(spoilt))])
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(spoilt)))
        if kind == "bit":
            spoilt[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == "byte":
            spoilt[at] = int(rng.integers(0, 256))
        elif kind == "zeros":
            # As long as what it replaces: near the end fewer than 16 bytes are left, and the length must stay.
            spoilt[at : at + 16] = bytes(len(spoilt[at : at + 16]))
        elif kind == "huge":
            spoilt[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x40"])
        elif kind == "double":
            spoilt[at:at] = spoilt[at : at + int(rng.integers(1, 200))]
        else:
            # Numbers, types and brackets, as they stand in headers and in text.
            word = rng.choice(_WORDS)
            spoilt[at : at + len(word)] = word
    return bytes(spoilt)


def readers_of(name: str) -> list[Callable[[Path], Any]]:
    """Return what reads a file of this name: `inspect_file`, and its own reader."""
    from movi_prep.examine.inspect_file import inspect_file
    from movi_prep.formats import d3ke
    from movi_prep.formats.alignment_file import read_alignment
    from movi_prep.formats.amass import read_motion, read_subject_shape
    from movi_prep.formats.array_pickle import read_array_pickle
    from movi_prep.formats.avi.structure import check_avi_ends
    from movi_prep.formats.camera_poses import read_camera_poses
    from movi_prep.formats.ik_file import read_ik_solution
    from movi_prep.formats.label_tables import read_label_tables
    from movi_prep.formats.manifest_file import read_manifest
    from movi_prep.formats.marker_file import read_markers, read_static_trial
    from movi_prep.formats.marker_set import read_marker_set
    from movi_prep.formats.model_outline import read_model_outline
    from movi_prep.formats.model_pickle import model_pickle_shapes
    from movi_prep.formats.noise_file import read_marker_noise
    from movi_prep.formats.occluders import read_occluders
    from movi_prep.formats.opencv_calibration import read_opencv_camera
    from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
    from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras
    from movi_prep.formats.pose_results import read_posed_persons
    from movi_prep.formats.scale_file import read_scale_result
    from movi_prep.formats.setup_yaml import read_ik_yaml, read_scale_yaml
    from movi_prep.formats.storage import read_storage
    from movi_prep.formats.trc import read_trc
    from movi_prep.formats.unit_outcome import read_outcome
    from movi_prep.formats.v3d import read_v3d
    from movi_prep.stages.shards.verify import verify_shard

    own: dict[str, list[Callable[[Path], Any]]] = {
        "poses.npz": [read_motion, read_subject_shape],
        "Subject_1.mat": [read_v3d],
        "packed.mat": [read_v3d],
        "PG1.pkl": [read_array_pickle],
        "alignment.json": [read_alignment],
        "shard.h5": [verify_shard],
        ".trc": [read_trc],
        ".mot": [read_storage],
        "set.yaml": [read_marker_set],
        "tracking.yaml": [read_ik_yaml],
        "labels.yaml": [read_label_tables],
        "config.yaml": [_read_config],
        "markers.h5": [read_markers],
        ".osim": [_read_model, read_model_outline],
        "tracking.xml": [read_ik_setup],
        "scaling.xml": [read_scale_setup],
        "scaling.yaml": [read_scale_yaml],
        "scale.json": [read_scale_result],
        "solution.h5": [read_ik_solution],
        "static.h5": [read_static_trial],
        ".c3d": [_read_c3d],
        "subject_1.hdf5": [d3ke.read_rows, d3ke.read_foreign_parts],
        "img.hdf5": [_read_image],
        "all_bbox.npy": [d3ke.read_dictionary],
        "BaseModel.pkl": [d3ke.read_base_model],
        "opencv.yaml": [read_opencv_camera],
        "opencv.xml": [read_opencv_camera],
        "opencv.json": [read_opencv_camera],
        ".toml": [read_pose2sim_cameras],
        "cameras.txt": [_read_colmap],
        "images.txt": [_read_colmap],
        ".avi": [check_avi_ends],
        "body.npz": [_read_body],
        "body.pkl": [model_pickle_shapes, _read_arrays],
        "noise.yaml": [read_marker_noise],
        "3dpw.pkl": [read_posed_persons],
        "emdb.pkl": [read_posed_persons],
        "network.npz": [read_posed_persons],
        "wham.pkl": [read_posed_persons],
        "wham_packed.pkl": [read_posed_persons],
        "gvhmr.pt": [read_posed_persons],
        "moving_camera.npz": [read_camera_poses],
        "recordings.yaml": [read_manifest],
        "recordings.csv": [read_manifest],
        "occluders.h5": [read_occluders],
        "record.json": [read_outcome],
        "PG1.npz": [_read_camera],
        "PG2.mat": [_read_camera],
    }
    return [inspect_file, *(reader for suffix, readers in own.items() if name.endswith(suffix) for reader in readers)]


def _read_config(path: Path) -> Any:
    from movi_prep.config.load import load_config

    return load_config(path, {})


def _read_model(path: Path) -> None:
    from movi_prep.osim.models import read_model

    # The model is OpenSim's own object; it is enough that it loads.
    read_model(path)


def _read_body(path: Path) -> Any:
    from movi_prep.formats.body_models import read_body_model

    return read_body_model(path, sex="female")


def _read_arrays(path: Path) -> Any:
    from movi_prep.formats.model_pickle import read_model_pickle

    return read_model_pickle(path, ("v_template", "shapedirs", "J_regressor", "weights"))


def _read_camera(path: Path) -> Any:
    from movi_prep.formats.calibration import read_camera

    camera = path.stem[-3:]
    if path.name.startswith("cameraParams"):
        return read_camera(camera, path, _sound(path, f"Extrinsics_{camera}{path.suffix}"))
    return read_camera(camera, _sound(path, f"cameraParams_{camera}{path.suffix}"), path)


def _sound(path: Path, name: str) -> Path:
    """Return the sound file of a name, for a spoilt one to be read with; sound files lie beside each other."""
    beside = path.parent / "sound" / name
    return beside if beside.is_file() else path.with_name(name)


def _read_c3d(path: Path) -> Any:
    from movi_prep.formats.c3d import read_c3d

    return read_c3d(path, up="y")


def _read_image(path: Path) -> Any:
    from movi_prep.formats.d3ke import read_image

    return read_image(path, 0)


def _read_colmap(path: Path) -> Any:
    from movi_prep.formats.colmap_cameras import read_colmap_cameras

    # The spoilt file beside the other one, which is sound.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for name in ("cameras.txt", "images.txt"):
            shutil.copy(path if name == path.name else _sound(path, name), folder)
        return read_colmap_cameras(Path(folder), metres_per_unit=1.0)


_FINITE = ("poses_rad", "translation_m", "betas", "dmpls", "rate_hz", "times_s", "body_factors")
_FINITE += ("intrinsics_px", "rotations", "translations_m", "coefficients")
_FINITE += ("world_to_camera_rotation", "world_to_camera_translation_m")
"""Attributes of records that hold numbers only, whatever else may be absent."""


def broken_promise(value: Any) -> str:
    """Return what a result breaks of what its record promises, empty where it holds."""
    if isinstance(value, tuple):
        return next((told for part in value if (told := broken_promise(part))), "")
    for name in _FINITE:
        part = getattr(value, name, None)
        if part is not None and not np.isfinite(np.asarray(part, dtype=np.float64)).all():
            return f"{name} is not finite"
    # The coefficients of a camera are those of its lens.
    if told := broken_promise(getattr(value, "lens", None)) if hasattr(value, "lens") else "":
        return told
    if hasattr(value, "poses_rad") and len(value.poses_rad) < 1:
        return "a clip without samples"
    return ""


def fault_of(read: Callable[[Path], Any], path: Path) -> str:
    """Return what is wrong with how a file was read, empty where nothing is."""
    begin_s = _processor_s()
    try:
        fault = broken_promise(read(path))
    except MoviPrepError as error:
        text = str(error)
        fault = "" if len(text) < LONGEST_MESSAGE and "\n" not in text else f"a message of {len(text)} characters"
    except Exception:  # noqa: BLE001 - that any other comes through is what is looked for
        fault = traceback.format_exc().strip().splitlines()[-1]
    seconds = _processor_s() - begin_s
    return fault or (f"{seconds:.0f} s" if seconds > LONGEST_READ_S else "")


def _processor_s() -> float:
    """Return the processor time of this process and its children so far; a busy machine does not add to it."""
    return sum(os.times()[:4])


def run_batch(folder: Path, first: int, count: int, seed: int) -> None:
    """Read spoilt files number `first` and on, in this process; print each number before and what came after."""
    # Of the address space: a header that asks for terabytes then fails at once and spares the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sound = {path.name: path.read_bytes() for path in sorted((folder / "sound").iterdir())}
    names = list(sound)
    for number in range(first, first + count):
        name = names[number % len(names)]
        path = folder / name
        # A generator for each number: one fault can be repeated without the reads before it.
        path.write_bytes(spoil(sound[name], np.random.default_rng([seed, number])))
        for read in readers_of(name):
            # Flushed before the read: if the process dies, this line says in which file.
            print(json.dumps([number, name, read.__name__, None]), flush=True)
            print(json.dumps([number, name, read.__name__, fault_of(read, path)]), flush=True)


def fuzz(n_reads: int, seed: int) -> tuple[int, list[list[Any]], Counter[str]]:
    """Return the number of reads, the faults [number, file, reader, what], and reads by kind of file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "sound").mkdir()
        sound_files(folder / "sound")
        done, faults, kinds, first = 0, [], Counter[str](), 0
        while done < n_reads:
            rows, how = _batch(folder, first, min(BATCH, n_reads - done), seed)
            ended = [row for row in rows if row[3] is not None]
            done += len(ended)
            kinds.update(row[1] for row in ended)
            faults += [row for row in ended if row[3]]
            last = rows[-1] if rows else [first, "", "", None]
            if how:
                # A process that died ended one read as well; the next batch begins behind it.
                done += 1
                faults.append([*last[:3], how])
            first = last[0] + 1
        return done, faults, kinds


def _batch(folder: Path, first: int, count: int, seed: int) -> tuple[list[list[Any]], str]:
    """Return the rows that a process printed, and how it died, empty where it did not."""
    words = [sys.executable, "-m", "benchmarks.fuzz_readers", "--batch", str(folder), str(first), str(count)]
    process = subprocess.Popen([*words, "--seed", str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, told = process.communicate(timeout=LONGEST_BATCH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, told = process.communicate()
        return [json.loads(line) for line in out.splitlines()], "no end"
    rows = [json.loads(line) for line in out.splitlines()]
    return rows, f"died with {process.returncode}: {told[-300:]}" if process.returncode else ""


def main() -> int:
    """Run the fuzz and print its figures; exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", nargs=3, metavar=("FOLDER", "FIRST", "COUNT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.batch:
        run_batch(Path(given.batch[0]), int(given.batch[1]), int(given.batch[2]), given.seed)
        return 0
    begin_s = time.monotonic()
    done, faults, kinds = fuzz(given.reads, given.seed)
    print(f"{done} reads of {len(kinds)} kinds of file in {time.monotonic() - begin_s:.0f} s, {len(faults)} faults")
    for fault in faults:
        print(*fault, sep="  ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
