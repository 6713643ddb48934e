"""Each target's files, read back by a reader of the test's own: keys, shapes, types, units, and what must agree."""

from __future__ import annotations

import csv
import json
import pickle
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from movi_prep.export.human36m import NAMES
from movi_prep.export.pose_hg_3d import MPII_ORDER, bone_length_mm
from movi_prep.export.targets import export
from movi_prep.export.tracks import Corpus, Wanted
from tests.builders.shard import CLIPS

SLOT = dict(zip(NAMES, (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27), strict=True))
ORDER = (
    *("Hip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax", "Nose", "Head"),
    *("LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)
N_FRAMES = [n for _, n in CLIPS]


def _objects(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=True) as archive:
        return {name: archive[name].item() for name in archive.files}


def _project(camera: dict[str, Any], world_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return camera coordinates and OpenCV's pixels, from a camera as VideoPose3D describes it."""
    w, x, y, z = camera["orientation"]
    seen_m = Rotation.from_quat([x, y, z, w]).inv().apply((world_m - camera["translation"]).reshape(-1, 3))
    (fx, fy), (cx, cy) = camera["focal_length"], camera["center"]
    k1, k2, k3 = camera["radial_distortion"]
    lens = np.array([k1, k2, *camera["tangential_distortion"], k3])
    pixels, _ = cv2.projectPoints(
        seen_m, np.zeros(3), np.zeros(3), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), lens
    )
    return seen_m.reshape(world_m.shape), pixels.reshape(*world_m.shape[:-1], 2)


def _each(exports: Path, target: str = "videopose3d") -> Iterator[tuple[dict[str, Any], NDArray[Any], NDArray[Any]]]:
    """Yield camera, (n, 17, 3) world and (n, 17, 2) pixels of VideoPose3D's files."""
    space, seen = _objects(exports / target / "data_3d_h36m.npz"), _objects(exports / target / "data_2d_h36m_gt.npz")
    for subject, actions in space["positions_3d"].items():
        for action, poses in actions.items():
            for camera, pixels in zip(space["cameras"][subject], seen["positions_2d"][subject][action], strict=True):
                yield camera, poses[:, [SLOT[name] for name in NAMES]], pixels


def test_the_points_stand_in_human36ms_order() -> None:
    assert NAMES == ORDER


def test_videopose3d(exports: Path) -> None:
    space = _objects(exports / "videopose3d" / "data_3d_h36m.npz")
    seen = _objects(exports / "videopose3d" / "data_2d_h36m_gt.npz")
    assert list(space["positions_3d"]) == list(space["cameras"]) == list(seen["positions_2d"]) == ["S1", "S15"]
    assert list(space["positions_3d"]["S1"]) == ["motion_1 C01", "motion_3 C03"]
    assert [len(poses) for poses in space["positions_3d"]["S1"].values()] == N_FRAMES
    unused = sorted(set(range(32)) - set(SLOT.values()))
    for poses in space["positions_3d"]["S15"].values():
        assert poses.dtype == np.float32
        assert poses.shape[1:] == (32, 3)
        assert not poses[:, unused].any()
    metadata = seen["metadata"]
    assert metadata["keypoints_symmetry"] == [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    assert (metadata["layout_name"], metadata["num_joints"]) == ("h36m", 17)
    left, right = ([NAMES[index] for index in side] for side in metadata["keypoints_symmetry"])
    assert [f"L{name[1:]}" for name in right] == left
    cameras = space["cameras"]["S1"]
    assert [(camera["id"], camera["res_w"], camera["res_h"]) for camera in cameras] == [
        ("PG1", 400, 300),
        ("PG2", 500, 300),
    ]


@pytest.mark.parametrize("target", ["videopose3d", "3d-pose-baseline"])
def test_2d_is_the_projection_of_3d(exports: Path, target: str) -> None:
    misses = [np.abs(_project(camera, world)[1] - pixels).max() for camera, world, pixels in _each(exports, target)]
    assert len(misses) == 2 * 2 * len(CLIPS)
    assert max(misses) < 1e-3


def test_every_file_of_arrays_says_what_its_points_are(exports: Path) -> None:
    reported = [
        _objects(exports / "videopose3d" / "data_3d_h36m.npz")["definition"],
        _objects(exports / "videopose3d" / "data_2d_h36m_gt.npz")["metadata"]["definition"],
        torch.load(exports / "3d-pose-baseline" / "stat_3d.pth.tar", weights_only=False)["definition"],
        _pickle(exports / "motionbert" / "h36m_movi.pkl")["definition"],
        _cache(exports, "Train")[0]["definition"],
    ]
    for definition in reported:
        assert list(definition["points"]) == list(NAMES)
        assert definition["points"]["Thorax"] == "mean of marker C7 and marker CLAV"
        assert "x right, y down" in definition["camera_frame"]
    for target in exports.iterdir():
        assert (target / "README.md").read_text().startswith("# ")
        assert json.loads((target / "definition.json").read_text())["target"] == target.name


def _torch(exports: Path, name: str) -> Any:
    return torch.load(exports / "3d-pose-baseline" / f"{name}.pth.tar", weights_only=False)


def test_3d_pose_baseline_in_pytorch(exports: Path) -> None:
    for dim, without, width in ((3, "Hip", 48), (2, "Nose", 32)):
        statistics = _torch(exports, f"stat_{dim}d")
        used = [SLOT[name] * dim + axis for name in NAMES if name != without for axis in range(dim)]
        assert statistics["dim_use"].tolist() == used
        assert statistics["mean"].shape == statistics["std"].shape == (32 * dim,)
        train, test = (_torch(exports, f"{part}_{dim}d") for part in ("train", "test"))
        assert list(train) == [
            (1, f"motion_{clip}", f"motion_{clip} C{clip:02d}.{camera}.h5")
            for clip, _ in CLIPS
            for camera in ("PG1", "PG2")
        ]
        assert [key[0] for key in test] == [15] * 4
        scores = np.concatenate(list(train.values()))
        assert scores.shape == (2 * sum(N_FRAMES), width)
        # Of the training part, and of it only.
        np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=1e-9)
        np.testing.assert_allclose(scores.std(axis=0), 1.0, atol=1e-9)
        assert np.abs(np.concatenate(list(test.values())).mean(axis=0)).max() > 0.05


def test_3d_pose_baseline_gives_back_camera_coordinates_in_millimetres(exports: Path) -> None:
    statistics, flat = _torch(exports, "stat_3d"), _torch(exports, "stat_2d")
    poses = list((_torch(exports, "train_3d") | _torch(exports, "test_3d")).values())
    pixels = list((_torch(exports, "train_2d") | _torch(exports, "test_2d")).values())
    rows = [name for name in NAMES if name != "Hip"]
    for (camera, world, seen), pose, two in zip(_each(exports), poses, pixels, strict=True):
        used = statistics["dim_use"]
        millimetres = (pose * statistics["std"][used] + statistics["mean"][used]).reshape(len(pose), 16, 3)
        expected, _ = _project(camera, world.astype(np.float64))
        expected = 1000.0 * (expected - expected[:, :1])[:, [NAMES.index(name) for name in rows]]
        np.testing.assert_allclose(millimetres, expected, atol=2e-3)
        used = flat["dim_use"]
        back = (two * flat["std"][used] + flat["mean"][used]).reshape(len(two), 16, 2)
        np.testing.assert_allclose(back, seen[:, [NAMES.index(name) for name in NAMES if name != "Nose"]], atol=1e-3)


def test_3d_pose_baseline_in_tensorflow(exports: Path) -> None:
    """Its two functions, in its own convention: R (X - T), millimetres, then the lens."""
    reader = runpy.run_path(str(exports / "3d-pose-baseline" / "movi_data.py"))
    assert reader["define_actions"]("All") == ["motion_1", "motion_3"]
    data = reader["load_data"]("anywhere", [1, 15], ["motion_3"], dim=3)
    assert list(data) == [(1, "motion_3", "motion_3 C03.h5"), (15, "motion_3", "motion_3 C03.h5")]
    cameras = reader["load_cameras"]("anywhere", [1])
    assert [cameras[1, number][-1] for number in (1, 2, 3, 4)] == ["PG1", "PG2", "PG1", "PG2"]
    world = data[1, "motion_3", "motion_3 C03.h5"].reshape(-1, 32, 3)[:, list(SLOT.values())]
    turn, centre, focal, middle, lens, _, _ = cameras[1, 2]
    seen = (turn @ (world.reshape(-1, 3).T - centre)) / 1.0
    plane = seen[:2] / seen[2]
    square = (plane**2).sum(axis=0)
    pixels = (focal * plane * (1 + lens[0] * square + lens[1] * square**2) + middle).T.reshape(len(world), 17, 2)
    expected = _objects(exports / "3d-pose-baseline" / "data_2d_h36m_gt.npz")["positions_2d"]["S1"]["motion_3 C03"][1]
    np.testing.assert_allclose(pixels, expected, atol=1e-3)


def _pickle(path: Path) -> Any:
    # A released code opens it in this way.
    with path.open("rb") as file:
        return pickle.load(file)


def test_motionbert(exports: Path) -> None:
    content = _pickle(exports / "motionbert" / "h36m_movi.pkl")
    n = 2 * sum(N_FRAMES)
    shapes = {"joint_2d": (n, 17, 2), "confidence": (n, 17, 1), "joint3d_image": (n, 17, 3), "2.5d_factor": (n,)}
    shapes |= {"joints_2.5d_image": (n, 17, 3), "camera_name": (n,), "source": (n,), "action": (n,)}
    for part in ("train", "test"):
        assert {key: value.shape for key, value in content[part].items()} == shapes
        # Its reader asserts these names, and its splitter cuts where the source changes.
        assert set(content[part]["camera_name"]) == {"55011271", "58860488"}
        assert len(set(content[part]["source"])) == 2 * len(CLIPS)


def test_motionbert_is_a_picture_of_1000_pixels_and_a_depth_in_them(exports: Path) -> None:
    content = _pickle(exports / "motionbert" / "h36m_movi.pkl")
    arrays = {key: np.concatenate([content[part][key] for part in ("train", "test")]) for key in content["train"]}
    first = 0
    for camera, world, pixels in _each(exports):
        rows = slice(first, first + len(world))
        first += len(world)
        width, height = camera["res_w"], camera["res_h"]
        # Its normalisation of the 1000 x 1000 picture is that of the true one by width.
        normal = arrays["joint_2d"][rows] / 1000 * 2 - 1
        np.testing.assert_allclose(normal, pixels / width * 2 - [1, height / width], atol=1e-5)
        seen_m, _ = _project(camera, world.astype(np.float64))
        depth_mm = 1000 * (seen_m - seen_m[:, :1])[..., 2]
        np.testing.assert_allclose(
            arrays["joint3d_image"][rows, :, 2] * arrays["2.5d_factor"][rows, None], depth_mm, atol=0.01
        )
        np.testing.assert_allclose(arrays["joint3d_image"][rows, 0, 2], 0.0)
        np.testing.assert_allclose(
            arrays["2.5d_factor"][rows],
            1000 * seen_m[:, 0, 2] / (np.mean(camera["focal_length"]) * 1000 / width),
            rtol=1e-6,
        )
    np.testing.assert_allclose(
        arrays["joints_2.5d_image"],
        arrays["joint3d_image"] * arrays["2.5d_factor"][:, None, None],
        rtol=1e-5,
        atol=1e-2,
    )


def _cache(exports: Path, part: str) -> Any:
    name = f"HM36_eccv_challenge_{part}"
    folder = exports / "pose-hg-3d" / "h36m" / "msra_cache" / f"{name}_cache"
    return _pickle(folder / f"{name}_w288xh384_keypoint_jnt_bbox_db.pkl")


def test_pose_hg_3d(exports: Path, corpus: Corpus) -> None:
    whole = [item for part in ("train", "test") for track in corpus.of(part) for item in track.views]
    cut = 0.8
    for part, views in (("Train", whole[: len(whole) // 2]), ("Val", whole[len(whole) // 2 :])):
        entries = _cache(exports, part)
        pictures = sorted((exports / "pose-hg-3d" / "h36m" / "ECCV18_Challenge" / part / "IMG").iterdir())
        assert [path.name for path in pictures] == [f"{number:05d}.jpg" for number in range(1, len(entries) + 1)]
        camera_m = np.concatenate([view.camera_m for view in views])
        assert len(entries) == len(camera_m)
        for entry, path, points_m in zip(entries, pictures, camera_m, strict=True):
            assert cv2.imread(str(path)).shape == (128, 128, 3)
            assert entry["joints_3d"].shape == entry["joints_3d_relative"].shape == (17, 3)
            np.testing.assert_allclose(entry["joints_3d_relative"], 1000 * (points_m - points_m[0]), atol=1e-6)
            # Depth in pixels is depth times what a metre is at the hip.
            per_m = cut * 419.0 / points_m[0, 2]
            np.testing.assert_allclose(entry["joints_3d"][:, 2], (points_m - points_m[0])[:, 2] * per_m, atol=1e-6)
            size = np.ptp(entry["joints_3d"][:, :2], axis=0)
            np.testing.assert_allclose([entry["width"], entry["height"]], 1.25 * size)


def test_pose_hg_3d_shows_the_points_in_its_pictures(exports: Path, shards: Path) -> None:
    """The builder draws SMPL's root as a red disc around the middle of the crop; the crop says where that is."""
    entry = _cache(exports, "Train")[0]
    picture = cv2.imread(str(exports / "pose-hg-3d" / "h36m" / "ECCV18_Challenge" / "Train" / "IMG" / "00001.jpg"))
    red = np.argwhere((picture[..., 2] > 200) & (picture[..., 0] < 80)).mean(axis=0)[::-1]
    import h5py

    with h5py.File(shards / "S001_PG1.h5") as file:
        disc, hips = file["labels/joints_px"][0, 0], file["labels/joints_px"][0, [1, 2]]
    # Scaled by 0.8, distances in the crop are those of the video.
    np.testing.assert_allclose(entry["joints_3d"][4, :2] - red, 0.8 * (hips[0] - disc), atol=0.5)
    np.testing.assert_allclose(entry["joints_3d"][1, :2] - red, 0.8 * (hips[1] - disc), atol=0.5)


def test_pose_hg_3d_as_mpii(exports: Path) -> None:
    for part, name in (("Train", "train"), ("Val", "val")):
        annotations = json.loads((exports / "pose-hg-3d" / "mpii" / "annot" / f"{name}.json").read_text())
        entries = _cache(exports, part)
        assert len(annotations) == len(entries)
        for annotation, entry in zip(annotations, entries, strict=True):
            assert (exports / "pose-hg-3d" / "mpii" / "images" / annotation["image"]).is_file()
            np.testing.assert_allclose(annotation["joints"], entry["joints_3d"][list(MPII_ORDER), :2])
            # What its reader makes of centre and scale is the middle and 1.25 times the larger side of the tight box.
            scale = annotation["scale"]
            middle = np.add(annotation["center"], [0, 15 * scale]) - 1
            np.testing.assert_allclose(middle, [entry["center_x"], entry["center_y"]])
            assert 1.25 * 200 * scale == pytest.approx(max(entry["width"], entry["height"]))


def test_the_sum_of_bone_lengths_of_a_figure_of_straight_lines() -> None:
    """Shins and thighs of 400 mm, trunk of 600, head of 200, arms of 250 and 250, hips and shoulders of 100 and 150."""
    points = np.zeros((1, 17, 3))
    for hip, knee, ankle, side in ((1, 2, 3, -100.0), (4, 5, 6, 100.0)):
        points[0, [hip, knee, ankle]] = [[side, 0, 0], [side, -400, 0], [side, -800, 0]]
    points[0, 8], points[0, 10] = (0, 600, 0), (0, 800, 0)
    for shoulder, elbow, wrist, side in ((11, 12, 13, 1.0), (14, 15, 16, -1.0)):
        points[0, [shoulder, elbow, wrist]] = [[150 * side, 600, 0], [400 * side, 600, 0], [650 * side, 600, 0]]
    assert bone_length_mm(points) == pytest.approx(2 * (400 + 400 + 100 + 150 + 250 + 250) + 600 + 200)


def test_tables(exports: Path, shards: Path) -> None:
    import h5py

    with (exports / "csv" / "S001_C01.csv").open() as file:
        rows = list(csv.DictReader(file))
    with h5py.File(shards / "S001_PG1.h5") as file:
        angles = file["labels/coordinates_rad"][: len(rows)]
        names = [name.decode() for name in file["names/coordinates"][()]]
    assert len(rows) == N_FRAMES[0]
    assert [int(row["frame"]) for row in rows] == list(range(N_FRAMES[0]))
    assert float(rows[3]["time_s"]) == pytest.approx(0.1)
    written = np.array([[float(row[f"{name}_deg"]) for name in names] for row in rows])
    np.testing.assert_allclose(written, np.degrees(angles), rtol=1e-5)
    # Coordinate 4 of the builder is seen by no marker; the others have one deviation.
    assert rows[0][f"{names[4]}_std_deg"] == ""
    assert float(rows[0][f"{names[0]}_std_deg"]) == pytest.approx(np.degrees(0.02), rel=1e-5)
    with (exports / "csv" / "S001_C03.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert last["pose_valid"] == "0"
    assert last[f"{names[0]}_deg"] == ""


def test_tables_in_parquet_hold_what_the_csv_does(exports: Path) -> None:
    """Null where the cell is empty; the numbers in full."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: no .parquet is written")
    for path in sorted((exports / "csv").glob("*.csv")):
        table = parquet.read_table(path.with_suffix(".parquet"))
        with path.open() as file:
            rows = list(csv.DictReader(file))
        assert table.column_names == list(rows[0])
        for name in table.column_names:
            cells = [row[name] for row in rows]
            values = table.column(name).to_pylist()
            assert [value is None for value in values] == [cell == "" for cell in cells], name
            there = [(float(value), float(cell)) for value, cell in zip(values, cells, strict=True) if cell]
            np.testing.assert_allclose(*np.array(there).reshape(-1, 2).T, rtol=1e-5, err_msg=name)


def test_without_pyarrow_the_tables_are_csv_only(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None in the table of modules makes Python refuse the import.
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    export(shards, tmp_path / "out", target="csv", wanted=Wanted())
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".json", ".md"}
