"""The page on own recordings, run as it stands: three videos, their calibration and a motion, two commands."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.config.yaml_text import parse_yaml, yaml_scalar
from movi_prep.demo.cameras import IMAGE_SIZE_PX, DemoCamera, demo_cameras
from movi_prep.demo.cast import cast
from movi_prep.demo.film import empty_stage, film
from movi_prep.demo.footsteps import Spot
from movi_prep.demo.open_body import read_open_body, write_open_body
from movi_prep.demo.posed_body import joint_transforms, shaped_body
from movi_prep.demo.session import Cue, act
from movi_prep.demo.wardrobe import dress
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels
from movi_prep.recordings.first_manifest import manifest_text, match_videos
from movi_prep.recordings.found_files import find_files
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.video.mp4_writer import write_mp4
from tests.builders.pose_result_files import network_results, upright_poses

PAGE = (Path(__file__).parents[2] / "docs" / "own_recordings.md").read_text(encoding="utf-8")
N_FRAMES = 8


def _block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found is not None
    return found[1]


def _cameras() -> dict[str, DemoCamera]:
    front, side = demo_cameras()
    about = np.diag([-1.0, -1.0, 1.0])
    return {"front": front, "side": side, "back": replace(front, rotation=front.rotation @ about)}


def _write_calibration(path: Path, camera: DemoCamera) -> None:
    (fx, fy), (cx, cy) = camera.focal_px, camera.centre_px
    content = {
        "camera_matrix": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        "dist_coeffs": [*camera.radial, 0, 0, 0],
        "R": camera.rotation.tolist(),
        "tvec": camera.translation_m.tolist(),
        "image_width": IMAGE_SIZE_PX[0],
        "image_height": IMAGE_SIZE_PX[1],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _write_recordings(folder: Path) -> np.ndarray:
    """Write what the page asks for; return the joints that the frames show."""
    performer = cast()[1]
    model = read_open_body(performer.sex)
    body = shaped_body(model, performer.betas)
    session = act(body, (Cue("walking", Spot(0.0, 0.0, 20.0)),), np.random.default_rng(5))
    samples = slice(session.clips[0].samples.start, session.clips[0].samples.start + 4 * N_FRAMES)
    poses, translation = session.poses_rad[samples], session.translation_m[samples]
    write_open_body(folder / "body_models")
    (folder / "motions").mkdir(parents=True)
    np.savez(
        folder / "motions" / "walk.npz",
        poses=poses.reshape(-1, 156),
        trans=translation,
        betas=performer.betas,
        gender=np.array(performer.sex),
        mocap_framerate=120.0,
    )
    wardrobe = dress(model, performer.clothes, performer.stripe)
    for name, camera in _cameras().items():
        _write_calibration(folder / "calibration" / f"{name}.json", camera)
        shots = film(empty_stage(camera, finer=1), body, wardrobe, (poses[::4], translation[::4]), 1)
        images = (shot.image for shot in shots)
        write_mp4(folder / "videos" / f"walk_{name}.mp4", images, size_px=IMAGE_SIZE_PX, rate_hz=30.0)
    return joint_transforms(body, poses[::4], translation[::4])[1]


@pytest.mark.slow
def test_two_commands_lead_to_angles_and_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    folder = tmp_path / "recordings"
    joints = _write_recordings(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    first, second = _block("bash").splitlines()
    check = f"movi-prep check --manifest {folder / 'recordings.yaml'} --work {folder / 'work'}"
    for command in (first, check, second):
        words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in command.split()[1:]]
        assert main([*words, *(["--executor", "serial"] if words[0] == "run" else [])]) == 0
    assert (folder / "work" / "ik" / "S1" / "walk.mot").is_file()
    for camera in _cameras():
        path = folder / "work" / "shards" / f"S1_{camera}.h5"
        assert verify_shard(path).faults == ()
        with ShardFile(path) as shard:
            frames = shard.read("frames/video_frame")
            assert len(frames) == N_FRAMES
            assert np.abs(read_frame_labels(shard).joints.world_m - joints[frames, :22]).max() < 1e-4


def test_the_manifest_of_the_page_is_one(tmp_path: Path) -> None:
    path = tmp_path / "recordings.yaml"
    path.write_text(_block("yaml"))
    manifest = read_manifest(path)
    assert [(clip.subject, clip.clip) for clip in manifest.recordings] == [("Anna", "walk"), ("Anna", "jump")]
    # Every entry of the page's table is one, and none is forgotten.
    listed = set(re.findall(r"`(\w+)", PAGE[PAGE.index("| entry |") : PAGE.index("A `.csv`")]))
    entries = {
        *type(manifest.cameras["front"]).model_fields,
        *type(manifest.recordings[0].cameras["front"]).model_fields,
    }
    assert entries - listed <= {"first_picture"}


def _motion(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        poses=np.zeros((3, 156)),
        trans=np.zeros((3, 3)),
        betas=np.zeros(16),
        gender=np.array("male"),
        mocap_framerate=120.0,
    )


def test_init_matches_by_name_and_lists_the_rest(tmp_path: Path) -> None:
    for clip in ("Anna/walk_poses.npz", "Anna/jump.npz", "Bea/walk.npz"):
        _motion(tmp_path / "motions" / clip)
    _motion(tmp_path / "motions" / "Anna" / "shape.npz")
    for name in ("front", "side"):
        _write_calibration(tmp_path / "calib" / f"{name}.json", demo_cameras()[0])
    (tmp_path / "notes.json").write_text("{}")
    for video in ("front/jump.mp4", "jump_side.MOV", "holiday.mp4"):
        (tmp_path / "videos" / video).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / video).touch()
    assert main(["init", str(tmp_path)]) == 0
    manifest = read_manifest(tmp_path / "recordings.yaml")
    assert {(clip.subject, clip.clip) for clip in manifest.recordings} == {
        ("Anna", "walk"),
        ("Anna", "jump"),
        ("Bea", "walk"),
    }
    assert set(manifest.cameras) == {"front", "side"}
    (jump,) = [clip for clip in manifest.recordings if clip.clip == "jump"]
    assert {name: item.video.name for name, item in jump.cameras.items()} == {
        "front": "jump.mp4",
        "side": "jump_side.MOV",
    }
    assert "#   videos/holiday.mp4" in (tmp_path / "recordings.yaml").read_text()
    # It never replaces a manifest that a person may have corrected.
    assert main(["init", str(tmp_path)]) == 2


def test_the_longest_name_counts_and_the_subject_decides(tmp_path: Path) -> None:
    for clip in ("Anna/walk.npz", "Anna/walk_fast.npz", "Bea/walk.npz"):
        _motion(tmp_path / "motions" / clip)
    for name in ("cam1", "cam10"):
        _write_calibration(tmp_path / "calib" / f"{name}.json", demo_cameras()[0])
    films = {
        "Anna/walk_cam1.mp4": ("Anna", "walk", "cam1"),
        "Anna/walk_fast_cam10.mp4": ("Anna", "walk_fast", "cam10"),
        "Bea/walk_cam10.mp4": ("Bea", "walk", "cam10"),
        # Whose walk it is, nothing says.
        "walk_cam1.mp4": None,
    }
    for path in films:
        (tmp_path / "videos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / path).touch()
    matched = match_videos(tmp_path, find_files(tmp_path))
    found = {
        str(video.relative_to(tmp_path / "videos")): (*clip, camera)
        for clip, of_clip in matched.items()
        for camera, video in of_clip.items()
    }
    assert found == {path: where for path, where in films.items() if where is not None}


@pytest.mark.parametrize(
    "text", ["walk", "Gänge/a b", "-5", ".nan", "null", "1e3", "a: b", "#x", "it's", '"', "~", "x\ny"]
)
def test_a_scalar_is_read_back_as_it_was(text: str) -> None:
    assert parse_yaml(f"x: {yaml_scalar(text)}\n") == {"x": text}


def test_what_a_motion_leaves_open_is_asked_for(tmp_path: Path) -> None:
    _motion(tmp_path / "Anna" / "walk.npz")
    poses = network_results(upright_poses(5, up=np.array([0.0, 1.0, 0.0])), matrices=False)
    np.savez(tmp_path / "Anna" / "seen.npz", **poses)
    walk, seen = sorted(find_files(tmp_path).motions, key=lambda motion: motion.sex_is_known, reverse=True)
    assert (walk.clip, seen.clip) == ("walk", "seen")
    text = manifest_text(tmp_path, find_files(tmp_path), name="recordings.yaml")
    assert text.count("# sex: ") == 1


def test_init_writes_yaml_whatever_the_names_are(tmp_path: Path) -> None:
    for clip in ("1: a #b.npz", "null.npz", "it's [x].npz", "Gänge 'quer'.npz"):
        _motion(tmp_path / "Ünal, B." / clip)
    path = tmp_path / "recordings.yaml"
    path.write_text(manifest_text(tmp_path, find_files(tmp_path), name=path.name), encoding="utf-8")
    found = {(clip.subject, clip.clip, clip.motion.name) for clip in read_manifest(path).recordings}
    assert found == {
        ("Ünal, B.", clip.removesuffix(".npz"), clip)
        for clip in ("1: a #b.npz", "null.npz", "it's [x].npz", "Gänge 'quer'.npz")
    }


def test_a_folder_without_motions_is_refused(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path)]) == 2
    assert main(["init", str(tmp_path / "none")]) == 2
