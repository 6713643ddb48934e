"""3DPW as it is downloaded: `init` finds sequences, people, cameras and pictures; the labels lie on the pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from movi_prep.cli import main
from movi_prep.demo.cast import cast
from movi_prep.demo.footsteps import Spot
from movi_prep.demo.open_body import read_open_body, smpl_arrays
from movi_prep.demo.posed_body import joint_transforms, shaped_body
from movi_prep.demo.session import Cue, act
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels, read_frame_numbers
from movi_prep.video.pictures import decode_picture
from tests.builders.pose_result_files import upright_poses, write_3dpw, write_emdb
from tests.builders.python2_pickle import ch, csc, write_python2_pickle

N_FRAMES, LOST = 8, 5
NAME = "courtyard_walk_00"
INTRINSICS_PX = np.array([[1961.9, 0, 540.0], [0, 1969.2, 960.0], [0, 0, 1]])
# y is up in this sequence's world.
FROM_AMASS = Rotation.from_euler("x", -90, degrees=True)


def _walk(number: int, *, across_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return poses (n, 72) and translation (n, 3) of a person as 3DPW has them, and the joints (n, 24, 3), metres."""
    performer = cast()[number]
    body = shaped_body(read_open_body(performer.sex), np.append(performer.betas[:10], np.zeros(6)))
    session = act(body, (Cue("walking", Spot(0.0, across_m, 20.0)),), np.random.default_rng(number))
    samples = slice(session.clips[0].samples.start, session.clips[0].samples.start + 4 * N_FRAMES, 4)
    poses, translation = session.poses_rad[samples].copy(), session.translation_m[samples]
    poses[:, 22:] = 0.0
    _, joints = joint_transforms(body, poses, translation)
    pelvis = body.joints_m[0]
    root = (FROM_AMASS * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    whole = np.hstack([root, poses[:, 1:22].reshape(N_FRAMES, -1), np.zeros((N_FRAMES, 6))])
    # The root turns about the pelvis, not about the origin.
    return whole, FROM_AMASS.apply(pelvis + translation) - pelvis, joints[:, :22] @ FROM_AMASS.as_matrix().T


def _carried(target_m: np.ndarray) -> np.ndarray:
    """Return (n, 4, 4) poses of a camera that is carried around somebody, world -> camera."""
    poses = np.tile(np.eye(4), (N_FRAMES, 1, 1))
    for frame, target in enumerate(target_m):
        place = np.array([4 * np.sin(0.05 * frame), 1.4, 4 * np.cos(0.05 * frame)])
        ahead = (target - place) / np.linalg.norm(target - place)
        right = np.cross(ahead, [0, 1, 0]) / np.linalg.norm(np.cross(ahead, [0, 1, 0]))
        rotation = np.array([right, np.cross(ahead, right), ahead])
        poses[frame, :3, :3], poses[frame, :3, 3] = rotation, -rotation @ place
    return poses


def _pixels(joints_m: np.ndarray, poses: np.ndarray) -> np.ndarray:
    seen = np.einsum("fij,fkj->fki", poses[:, :3, :3], joints_m) + poses[:, None, :3, 3]
    pixels = seen @ INTRINSICS_PX.T
    return np.asarray(pixels[..., :2] / pixels[..., 2:])


def _write_data_set(root: Path) -> list[np.ndarray]:
    """Write one sequence of two people with its pictures and models; return the pixels of each person's joints."""
    walks = [_walk(1, across_m=0.0), _walk(15, across_m=0.6)]
    cameras = _carried(walks[0][2][:, 0])
    valid = [np.ones(N_FRAMES, np.int64), np.ones(N_FRAMES, np.int64)]
    valid[1][LOST] = 0
    write_3dpw(
        root / "sequenceFiles" / "train" / f"{NAME}.pkl",
        [poses for poses, _, _ in walks],
        [cast()[number].sex[0] for number in (1, 15)],
        trans=[translation for _, translation, _ in walks],
        betas=[cast()[number].betas[:10] for number in (1, 15)],
        campose_valid=valid,
        cam_poses=cameras,
        cam_intrinsics=INTRINSICS_PX,
    )
    pictures = root / "imageFiles" / NAME
    pictures.mkdir(parents=True)
    for frame in range(N_FRAMES):
        # A wall whose brightness is the frame's number.
        picture = np.full((1920, 1080, 3), 20 * frame + 10, np.uint8)
        cv2.imwrite(str(pictures / f"image_{frame:05d}.jpg"), picture)
    for sex in ("male", "female"):
        arrays = smpl_arrays(read_open_body(sex))
        content = {**arrays, "shapedirs": ch(arrays["shapedirs"]), "J_regressor": csc(arrays["J_regressor"])}
        write_python2_pickle(root / "body_models" / f"basicModel_{sex[0]}_lbs_10_207_0_v1.0.0.pkl", content)
    return [_pixels(joints, cameras) for _, _, joints in walks]


@pytest.mark.slow
def test_two_commands_lead_from_3dpw_to_shards(tmp_path: Path) -> None:
    pixels = _write_data_set(tmp_path)
    assert main(["init", str(tmp_path)]) == 0
    manifest = read_manifest(tmp_path / "recordings.yaml")
    assert [(clip.subject, clip.person) for clip in manifest.recordings] == [(f"{NAME}_p0", 0), (f"{NAME}_p1", 1)]
    config = str(tmp_path / "movi-prep.yaml")
    assert main(["run", "--config", config, "--executor", "serial", "--subjects", f"{NAME}_p1"]) == 0
    with ShardFile(tmp_path / "work" / "shards" / f"{NAME}_p1_camera.h5") as shard:
        frames, labels = read_frame_numbers(shard).video_frame, read_frame_labels(shard)
        # The camera's pose counts only where it is good for everybody.
        assert frames.tolist() == [frame for frame in range(N_FRAMES) if frame != LOST]
        assert labels.joints.seen_px is not None
        assert np.abs(labels.joints.seen_px - pixels[1][frames]).max() < 0.01
        for row, frame in enumerate(frames.tolist()):
            picture = decode_picture(shard.picture(row), where="crop")
            assert np.median(picture) == pytest.approx(20 * frame + 10, abs=3)


def test_init_finds_people_and_pictures_of_emdb_too(tmp_path: Path) -> None:
    poses = upright_poses(20, up=np.array([0.0, -1.0, 0.0]))
    write_emdb(tmp_path / "P3" / "25_walk" / "25_walk_data.pkl", poses)
    (tmp_path / "P3" / "25_walk" / "images").mkdir()
    (tmp_path / "P3" / "25_walk" / "images" / "00000.jpg").touch()
    assert main(["init", str(tmp_path)]) == 0
    (clip,) = read_manifest(tmp_path / "recordings.yaml").recordings
    assert (clip.subject, clip.clip) == ("P3", "25_walk")
    (video,) = clip.cameras.values()
    assert video.video == tmp_path / "P3" / "25_walk" / "images"
    assert (video.calibration, video.per_frame) == (clip.motion, True)
