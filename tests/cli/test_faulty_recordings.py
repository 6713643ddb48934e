"""A manifest with the faults that its author can make: each is named, before and in the run, and the rest is done."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.interpolate import CubicSpline

from movi_prep.cli import main
from movi_prep.cli.exit_codes import UNITS_FAILED
from movi_prep.config.load import load_config
from movi_prep.demo.cast import cast
from movi_prep.demo.footsteps import Spot
from movi_prep.demo.open_body import read_open_body, write_open_body
from movi_prep.demo.posed_body import joint_transforms, shaped_body
from movi_prep.demo.session import Cue, act
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels, read_frame_numbers
from movi_prep.recordings.find import find_recordings
from movi_prep.runtime.data_check import check_data_files
from tests.builders.coded_videos import copy_packets, turn_picture, write_coded_video

N_SAMPLES, MOCAP_HZ = 60, 120.0
SIZE = (320, 240)
CALIBRATION: dict[str, Any] = {
    "camera_matrix": [[220.0, 0, 160], [0, 220.0, 120], [0, 0, 1]],
    "dist_coeffs": [-0.05, 0.01, 0, 0, 0],
    # Four metres before the person, a metre high.
    "R": [[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]],
    "tvec": [0.0, 1.0, 4.0],
    "image_width": SIZE[0],
    "image_height": SIZE[1],
}
RATES = {"at25": ("25.mp4", 25.0, 0.11), "at2997": ("2997.mov", 30000 / 1001, 0.05), "at50": ("50.mkv", 50.0, 0.003)}
NAME = "Gänge (1) 'quer' \"hoch\""


def _calibration(path: Path, **changes: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**CALIBRATION, **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def _write_cameras(folder: Path) -> dict[str, dict[str, Any]]:
    """Write calibrations, sound and faulty; return the entries of the manifest."""
    centimetres = [100.0 * value for value in CALIBRATION["tvec"]]
    # The same place in a world whose y is up.
    y_up = (np.array(CALIBRATION["R"]) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T).tolist()
    changes: dict[str, dict[str, Any]] = {
        "front": {},
        "lensless": {"dist_coeffs": None},
        "six": {"dist_coeffs": [0.0] * 6},
        "sizeless": {"image_width": None, "image_height": None},
        "poseless": {"R": None, "tvec": None},
        "centimetres": {"tvec": centimetres},
        "mended": {"tvec": centimetres, "R": y_up, "dist_coeffs": None, "image_width": None, "image_height": None},
    }
    for name, change in changes.items():
        _calibration(folder / "calibration" / f"{name}.json", **change)
    _calibration(folder / "calibration" / "other lens.json", dist_coeffs=[-0.1, 0, 0, 0, 0])
    cameras: dict[str, dict[str, Any]] = {name: {"calibration": f"calibration/{name}.json"} for name in changes}
    cameras["mended"] |= {"metres_per_unit": 0.01, "world_up": "y", "distortion": "none", "size_px": list(SIZE)}
    return cameras


def _write_videos(folder: Path) -> None:
    folder.mkdir()
    for file, rate_hz, _ in RATES.values():
        tick = Fraction(1, 30000) if file.endswith(".mov") else Fraction(1, 1000 if file.endswith(".mkv") else 90000)
        write_coded_video(folder / file, times_s=np.arange(10) / rate_hz, size=SIZE, tick=tick)
    write_coded_video(folder / "30.mp4", times_s=np.arange(12) / 30.0, size=SIZE)
    copy_packets(folder / "30.mp4", folder / "lost.mp4", lost=(5,))
    copy_packets(folder / "30.mp4", folder / "turned.mp4")
    turn_picture(folder / "turned.mp4", (0, 1, -1, 0))
    (folder / "page.mp4").write_text("<html>")


def _entry(clip: str, camera: str = "front", video: str = "30.mp4", **more: Any) -> dict[str, Any]:
    said = {name: more.pop(name) for name in ("person", "body", "sex") if name in more}
    films = {camera: {"video": f"videos/{video}", **more}}
    return {"subject": "Ünal, B.", "clip": clip, "motion": "walk.npz", "cameras": films, **said}


SOUND = ("few", "lost", NAME, *RATES)
FAULTY_CLIPS = {
    "late": {"first_frame": 500},
    "page": {"video": "page.mp4"},
    "turned": {"video": "turned.mp4"},
    "other lens": {"calibration": "calibration/other lens.json"},
    "never": {"offset_s": 99.0},
    "person": {"person": 3},
    "sex": {"sex": "neutral"},
    "body": {"body": "SMPL-X"},
}
FAULTY_CAMERAS = ("lensless", "six", "sizeless", "poseless", "centimetres")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp('it\'s a "folder"')
    write_open_body(folder / "body_models")
    performer = cast()[1]
    body = shaped_body(read_open_body(performer.sex), performer.betas)
    session = act(body, (Cue("walking", Spot(0.0, 0.0, 20.0)),), np.random.default_rng(5))
    start = session.clips[0].samples.start
    poses, translation = session.poses_rad[start:][:N_SAMPLES], session.translation_m[start:][:N_SAMPLES]
    np.save(folder / "joints.npy", joint_transforms(body, poses, translation)[1][:, :22])
    np.savez(
        folder / "walk.npz",
        poses=poses.reshape(N_SAMPLES, -1),
        trans=translation,
        betas=performer.betas,
        gender=np.array(performer.sex),
        mocap_framerate=MOCAP_HZ,
    )
    _write_videos(folder / "videos")
    content = {
        "body_models": "body_models",
        "cameras": _write_cameras(folder),
        "recordings": [
            _entry("few", n_frames=50),
            _entry("lost", video="lost.mp4"),
            _entry(NAME),
            *(_entry(clip, video=file, offset_s=offset_s) for clip, (file, _, offset_s) in RATES.items()),
            *(_entry(clip, **change) for clip, change in FAULTY_CLIPS.items()),
            *(_entry(f"by {camera}", camera) for camera in (*FAULTY_CAMERAS, "mended")),
            _entry("walk 1"),
            _entry("walk_1"),
        ],
    }
    (folder / "recordings.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def test_check_names_each_fault_before_anything_runs(folder: Path) -> None:
    config = load_config(None, {"manifest": str(folder / "recordings.yaml"), "work": str(folder / "unused")})
    recordings = find_recordings(config)
    assert any("walk 1" in text and "walk_1" in text for text in recordings.findings)
    faults = check_data_files(recordings, config.markers).faults
    parts = sorted(fault.part for fault in faults for _ in fault.files)
    # Without the unit and the offset, which only the motion shows: four cameras, three motions, three videos.
    assert parts == [
        *["calibration"] * 4,
        "clocks of videos",
        *["motions"] * 3,
        "sizes of pictures",
        "videos",
    ]


@pytest.mark.slow
def test_each_fault_is_named_and_the_rest_is_done(folder: Path) -> None:
    manifest, work = folder / "recordings.yaml", folder / "work"
    keep = "shard.picture_check.keep=suspect"
    command = ["run", "--manifest", str(manifest), "--work", str(work), "--executor", "serial", "--set", keep]
    assert main(command) == UNITS_FAILED
    shards = work / "shards"
    assert {path.stem.rpartition("_")[2] for path in shards.glob("*.h5")} == {"front", "mended"}
    (front,) = shards.glob("*_front.h5")
    joints = CubicSpline(np.arange(N_SAMPLES) / MOCAP_HZ, np.load(folder / "joints.npy"))
    with ShardFile(front) as shard:
        names = [name.decode() for name in shard.read("clips/name").tolist()]
        left_out = {clip for clip, _ in shard.attribute("left_out")}
        numbers, labels = read_frame_numbers(shard), read_frame_labels(shard)
    assert len(names) == len(SOUND)
    assert {"late", "page", "turned", "other_lens", "never"} <= left_out
    after = np.zeros(len(numbers.clip)) if numbers.after_sample is None else numbers.after_sample
    times_s = (numbers.mocap_sample + after) / MOCAP_HZ
    # A tenth of a millimetre: the labels are those of the frame's own time.
    assert np.abs(labels.joints.world_m - joints(times_s)).max() < 1e-4
    shown = {name: numbers.clip == 1 + place for place, name in enumerate(names)}
    for clip, (_, rate_hz, offset_s) in RATES.items():
        frames = numbers.video_frame[shown[clip]]
        np.testing.assert_allclose(times_s[shown[clip]], offset_s + frames / rate_hz, atol=1.1e-3)
    # The sixth packet shows the eighth frame: no later frame takes its place.
    assert np.abs(times_s[shown["lost"]] - 7 / 30.0).min() > 0.03
    reasons = {
        path.stem: json.loads(path.read_text())["reason"] for path in (work / "records" / "shard").rglob("*.json")
    }
    assert all(reasons[camera] for camera in FAULTY_CAMERAS)
    assert "metres_per_unit" in reasons["centimetres"]
