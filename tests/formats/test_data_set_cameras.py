"""The moving cameras of 3DPW and EMDB: what they see does not depend on which way is up in their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from movi_prep.config.footage import NO_CHOICE
from movi_prep.errors import InputError
from movi_prep.formats.data_set_cameras import read_data_set_camera
from movi_prep.formats.motion_files import open_motion
from movi_prep.recordings.camera_files import read_manifest_camera
from movi_prep.recordings.manifest import find_manifest
from tests.builders.pose_result_files import network_results, upright_poses, write_3dpw, write_emdb

N = 20


def moving_poses(n: int) -> np.ndarray:
    """Return (n, 4, 4) poses of a camera that turns and walks."""
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.linspace(0, 1, n)[:, None] * [0.2, 1.0, -0.1]).as_matrix()
    poses[:, :3, 3] = np.linspace(0, 2, n)[:, None] * [1.0, 0.1, 0.0] + [0, 0, 4]
    return poses


@pytest.mark.parametrize("up", [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
def test_a_point_of_the_files_world_is_seen_where_its_own_pose_says(tmp_path: Path, up: list[float]) -> None:
    poses, cameras = upright_poses(N, up=np.array(up)), moving_poses(N)
    path = write_3dpw(tmp_path / "walk.pkl", [poses], ["m"], cam_poses=cameras)
    camera = read_data_set_camera("phone", path)
    with open_motion(path) as file:
        (motion,) = (block for _, block in file.blocks(N))
    point = np.array([0.3, -0.7, 1.1])
    seen = camera.world_to_camera_rotation @ (motion.to_amass_world @ point) + camera.world_to_camera_translation_m
    np.testing.assert_allclose(seen, cameras[:, :3, :3] @ point + cameras[:, :3, 3], atol=1e-12)
    assert (camera.is_moving, camera.size_px) == (True, (1080, 1920))
    assert not camera.lens.coefficients.any()


def test_frames_without_a_good_pose_have_none(tmp_path: Path) -> None:
    poses = upright_poses(N, up=np.array([0.0, 1.0, 0.0]))
    valid = [np.ones(N, np.int64), np.ones(N, np.int64)]
    valid[1][3:6] = 0
    path = write_3dpw(tmp_path / "walk.pkl", [poses, poses], ["m", "f"], campose_valid=valid)
    camera = read_data_set_camera("phone", path)
    assert camera.has_pose(np.arange(N)).tolist() == [not 3 <= frame < 6 for frame in range(N)]
    path = write_emdb(tmp_path / "P3" / "walk" / "walk_data.pkl", poses)
    camera = read_data_set_camera("phone", path)
    assert (camera.size_px, len(camera.pose_frames if camera.pose_frames is not None else [])) == ((1440, 1920), N)


def test_a_manifest_names_the_sequence_for_motion_person_and_camera(tmp_path: Path) -> None:
    poses = upright_poses(N, up=np.array([0.0, 1.0, 0.0]))
    write_3dpw(tmp_path / "walk.pkl", [poses, poses], ["m", "f"])
    (tmp_path / "walk").mkdir()
    (tmp_path / "recordings.yaml").write_text(
        """
        cameras: {phone: {calibration: walk.pkl}}
        recordings:
          - {subject: A, clip: walk, motion: walk.pkl, person: 0, cameras: {phone: {video: walk}}}
          - {subject: B, clip: walk, motion: walk.pkl, person: 1, cameras: {phone: {video: walk}}}
        """
    )
    found = find_manifest(tmp_path / "recordings.yaml", None)
    assert {str(clip): found.choices.get(clip, NO_CHOICE).person for clip in found.motions} == {
        "A/walk": 0,
        "B/walk": 1,
    }
    (clip, _) = found.motions
    files = found.camera_files(clip, "phone")
    assert files is not None
    camera = read_manifest_camera("phone", files, None)
    assert (camera.is_moving, len(camera.world_to_camera_rotation)) == (True, N)


def test_poses_without_a_camera_are_refused(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "results.pkl"
    path.write_bytes(pickle.dumps(network_results(upright_poses(N, up=np.array([0.0, 1.0, 0.0])), matrices=False)))
    with pytest.raises(InputError) as caught:
        read_data_set_camera("phone", path)
    assert caught.value.where == str(path)
