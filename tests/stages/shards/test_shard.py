"""A filmed subject becomes a shard: crop i shows frame i, labels are where they should be, losses are named."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.alignment_file import read_alignment, write_alignment
from movi_prep.formats.ik_file import read_ik_solution, write_ik_solution
from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import StageReport, Unit
from movi_prep.stages.order import idle_cameras
from movi_prep.stages.shards.shard import SHARD, ShardOutputs
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.video.pictures import decode_picture
from tests.builders.calibration_files import CENTRE_M, FOCAL_PX
from tests.builders.filmed_world import (
    CAMERA,
    GREY_STEP,
    MISSED_MARKER,
    FilmedWorld,
    write_filmed_world,
    write_grey_video,
)
from tests.sentences import raises_recorded


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> FilmedWorld:
    return write_filmed_world(tmp_path_factory.mktemp("filmed"))


def _unit(world: FilmedWorld, tmp_path: Path, *, settings: dict[str, Any] | None = None, **inputs: Any) -> Unit:
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    # One file for all clips, as BMLmovi has it.
    inputs |= {role: (inputs[role],) * len(unit.inputs.clips) for role in ("videos", "intrinsics") if role in inputs}
    return replace(
        unit,
        inputs=replace(unit.inputs, **inputs),  # type: ignore[type-var]
        outputs=ShardOutputs(tmp_path / "S001_PG1.h5"),
        settings=unit.settings.model_copy(update=settings or {}),
    )


def _run(unit: Unit) -> tuple[StageReport, ShardFile]:
    report = SHARD.run_unit(unit)
    return report, ShardFile(unit.outputs.shard)


@pytest.fixture(scope="module")
def shard(world: FilmedWorld, tmp_path_factory: pytest.TempPathFactory) -> ShardFile:
    return _run(_unit(world, tmp_path_factory.mktemp("shard")))[1]


def test_every_frame_within_the_flags_is_a_row(world: FilmedWorld, shard: ShardFile) -> None:
    frames = [frame for first, last in world.flags30 for frame in range(first - 1, last)]
    assert shard.read("frames/video_frame").tolist() == frames
    np.testing.assert_array_equal(shard.read("frames/mocap_sample"), 4 * shard.read("frames/clip_frame"))
    assert shard.read("clips/n_rows").tolist() == [12, 12]
    assert shard.names("clips/motion") == ("motion 1", "motion 2")
    assert (shard.attribute("split"), shard.attribute("sex"), shard.attribute("refused")) == ("train", "female", [])


def test_crop_i_shows_frame_i(shard: ShardFile) -> None:
    for row, frame in enumerate(shard.read("frames/video_frame")):
        picture = decode_picture(shard.picture(row))
        assert abs(float(picture.mean()) - GREY_STEP * frame) < 1.0
        assert picture.shape[1::-1] == tuple(shard.read("crops/size_px")[row])


def test_labels_agree_between_world_camera_and_pixels(world: FilmedWorld, shard: ShardFile) -> None:
    """The camera looks along +y from 4 m: x is right, z is up, and depth is y + 4."""
    world_m = shard.read("labels/joints_world_m").astype(np.float64)
    camera_m = shard.read("labels/joints_camera_m")
    by_hand = np.stack([world_m[..., 0], CENTRE_M[2] - world_m[..., 2], world_m[..., 1] + 4.0], axis=-1)
    np.testing.assert_allclose(camera_m, by_hand, atol=1e-6)
    markers = read_markers(world.work.markers(movi_clip(1, 2)))
    ankle = ground_to_amass(markers.select(["LANK"]).positions_m[5, 0])
    row = 12 + 5
    column = shard.names("names/markers").index("LANK")
    np.testing.assert_allclose(shard.read("labels/markers_world_m")[row, column], ankle, atol=1e-6)
    plane = np.array([ankle[0], 1.0 - ankle[2]]) / (ankle[1] + 4.0)
    r2 = float(plane @ plane)
    seen = plane * (1.0 - 0.2 * r2 + 0.2 * r2 * r2) * FOCAL_PX + (400.0, 300.0)
    np.testing.assert_allclose(shard.read("labels/markers_px")[row, column], seen, atol=1e-3)


def test_a_missed_marker_is_not_valid_and_the_others_are(shard: ShardFile) -> None:
    valid = shard.read("labels/markers_valid")
    missed = shard.names("names/markers").index(MISSED_MARKER)
    assert not valid[:, missed].any()
    assert np.delete(valid, missed, axis=1).all()
    assert shard.read("labels/joints_valid").all()


def test_pelvis_rotation_is_turned_with_the_world(shard: ShardFile) -> None:
    """A pelvis that stands along ground's axes has its up axis (y) along AMASS' z."""
    rotation = shard.read("labels/pelvis_rotation_world")
    np.testing.assert_allclose(rotation[:, :, 1], np.broadcast_to((0.0, 0.0, 1.0), (24, 3)), atol=1e-7)
    np.testing.assert_allclose(shard.read("labels/pelvis_rotation_camera")[:, :, 1], [[0.0, -1.0, 0.0]] * 24, atol=1e-6)


def test_boxes_are_square_hold_the_body_and_are_calm(shard: ShardFile) -> None:
    box, body = shard.read("crops/box_px").astype(float), shard.read("crops/body_px")
    assert (box[:, 2] == box[:, 3]).all()
    assert (body[:, :2] >= box[:, :2] - 0.5).all()
    assert (body[:, 2:] <= box[:, :2] + box[:, 2:] - 0.5).all()
    steps = np.abs(np.diff(box[:12, 2]))
    assert steps.max() <= np.abs(np.diff(body[:12, 3] - body[:12, 1])).max() * 1.2 + 2


def test_the_shard_is_sound_and_equal_inputs_give_equal_bytes(
    world: FilmedWorld, shard: ShardFile, tmp_path: Path
) -> None:
    assert verify_shard(shard.path).faults == ()
    _, again = _run(_unit(world, tmp_path))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (shard.path, again.path)}
    assert len(digests) == 1


def test_the_tree_comes_back(shard: ShardFile) -> None:
    tree = shard.tree()
    assert tree is not None
    assert tree.n_bodies == len(tree.body_names) > 1


def test_statistics_are_those_of_valid_labels(shard: ShardFile) -> None:
    angles = shard.read("labels/coordinates_rad")
    statistics = shard.read("statistics/coordinates_rad")
    np.testing.assert_allclose(statistics[0], angles.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(statistics[3], angles.max(axis=0), atol=1e-6)
    assert (shard.read("statistics/coordinates_n") == 24).all()


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_lossless_pictures_are_lossless(world: FilmedWorld, tmp_path: Path, image_format: str) -> None:
    _, shard = _run(_unit(world, tmp_path, settings={"image_format": image_format}))
    picture = decode_picture(shard.picture(3))
    assert len(np.unique(picture)) <= 2
    assert shard.attribute("image_quality") is None


def test_a_fixed_size_scales_the_camera_with_it(world: FilmedWorld, tmp_path: Path) -> None:
    _, shard = _run(_unit(world, tmp_path, settings={"crop_size_px": 128}))
    assert (shard.read("crops/size_px") == 128).all()
    K, box = shard.read("crops/intrinsics_px"), shard.read("crops/box_px")
    np.testing.assert_allclose(K[:, 0, 0], FOCAL_PX * 128 / box[:, 2], rtol=1e-12)
    assert decode_picture(shard.picture(0)).shape == (128, 128, 3)
    assert verify_shard(shard.path).faults == ()


def test_a_short_video_costs_its_missing_frames(world: FilmedWorld, tmp_path: Path) -> None:
    write_grey_video(tmp_path / "short.avi", 25)
    report, shard = _run(_unit(world, tmp_path, videos=tmp_path / "short.avi"))
    assert shard.n_rows == 12 + 5
    assert shard.attribute("refused") == [[25, 31, "the video ends after 25 frames"]]
    assert "frames 25 to 31 refused: the video ends after 25 frames" in report.warnings


def test_a_damaged_frame_costs_itself_and_shifts_nothing(world: FilmedWorld, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(_with_blank_chunk(world.video.read_bytes(), number=8))
    report, shard = _run(_unit(world, tmp_path, videos=damaged))
    assert 8 not in shard.read("frames/video_frame")
    assert "frame 8 refused: cannot be decoded" in report.warnings
    test_crop_i_shows_frame_i(shard)


def test_garbage_over_whole_frames_costs_them_and_shifts_nothing(world: FilmedWorld, tmp_path: Path) -> None:
    """A decoder jumps over frames 8 to 10 and counts on as if they had never been there."""
    content = world.video.read_bytes()
    places = [match.start() for match in re.finditer(b"00dc", content)]
    damaged = tmp_path / "damaged.avi"
    garbage = np.random.default_rng(0).bytes(places[10] + 50 - places[8])
    damaged.write_bytes(content[: places[8]] + garbage + content[places[10] + 50 :])
    report, shard = _run(_unit(world, tmp_path, videos=damaged))
    shown = [frame for first, last in world.flags30 for frame in range(first - 1, last)]
    assert shard.read("frames/video_frame").tolist() == [frame for frame in shown if frame not in (8, 9, 10)]
    assert "frames 8 to 10 refused: lost in damaged bytes of the file" in report.warnings
    assert any("are damaged: frames 8 to 10 are lost" in warning for warning in report.warnings)
    test_crop_i_shows_frame_i(shard)


def _with_blank_chunk(content: bytes, number: int) -> bytes:
    """Blank the JPEG of one frame; the container stays whole."""
    place = content.index(b"movi") + 4
    for _ in range(number):
        place += 8 + (length := int.from_bytes(content[place + 4 : place + 8], "little")) + length % 2
    length = int.from_bytes(content[place + 4 : place + 8], "little")
    return content[: place + 8] + bytes(length) + content[place + 8 + length :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_px": (640, 480)}, "800x600 pixels, as the camera was calibrated"),
        ({"rate_hz": 25.0}, "30 frames per second"),
    ],
)
def test_another_size_or_rate_is_refused(
    world: FilmedWorld, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_grey_video(tmp_path / "other.avi", 36, **change)
    with pytest.raises(InputError, match=message):
        _run(_unit(world, tmp_path, videos=tmp_path / "other.avi"))
    assert list(tmp_path.glob("*.h5")) == []


def test_a_missing_solution_costs_its_clip(world: FilmedWorld, tmp_path: Path) -> None:
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    solutions = (unit.inputs.solutions[0], None)
    report, shard = _run(_unit(world, tmp_path, solutions=solutions))
    assert shard.read("clips/number").tolist() == [1]
    assert any(warning.startswith("S001/C02 left out:") for warning in report.warnings)


def test_frames_that_were_not_solved_keep_joints_and_lose_the_pose(world: FilmedWorld, tmp_path: Path) -> None:
    solution = read_ik_solution(world.work.ik_solution(movi_clip(1, 1)))
    statuses = solution.statuses.copy()
    statuses[4] = FrameStatus.TOO_FEW_MARKERS
    coordinates = solution.coordinates.copy()
    coordinates[4] = np.nan
    write_ik_solution(tmp_path / "C01.h5", replace(solution, statuses=statuses, coordinates=coordinates), provenance={})
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    _, shard = _run(_unit(world, tmp_path, solutions=(tmp_path / "C01.h5", unit.inputs.solutions[1])))
    assert not shard.read("labels/pose_valid")[4]
    assert not shard.read("labels/coordinates_valid")[4].any()
    assert (shard.read("labels/coordinates_rad")[4] == 0).all()
    assert (shard.read("labels/joints_world_m")[4] != 0).any()
    assert verify_shard(shard.path).faults == ()


def test_what_no_marker_sees_has_an_infinite_deviation_and_is_sound(world: FilmedWorld, tmp_path: Path) -> None:
    solution = read_ik_solution(world.work.ik_solution(movi_clip(1, 1)))
    assert solution.posterior_std is not None
    unseen = solution.posterior_std.copy()
    unseen[:, solution.coordinate_names.index("hip_flexion_r")] = np.inf
    write_ik_solution(tmp_path / "C01.h5", replace(solution, posterior_std=unseen), provenance={})
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    _, shard = _run(_unit(world, tmp_path, solutions=(tmp_path / "C01.h5", unit.inputs.solutions[1])))
    infinite = np.isinf(shard.read("labels/coordinates_std_rad"))
    column = shard.names("names/coordinates").index("hip_flexion_r")
    assert np.flatnonzero(infinite.any(axis=0)).tolist() == [column]
    assert infinite[:, column].sum() == 12
    assert verify_shard(shard.path).faults == ()


def _poseless(world: FilmedWorld, folder: Path, rows: slice) -> Path:
    """Write clip 1 again as if its residuals had been beyond all bounds in some rows."""
    solution = read_ik_solution(world.work.ik_solution(movi_clip(1, 1)))
    statuses = solution.statuses.copy()
    statuses[rows] = FrameStatus.SUSPECT
    write_ik_solution(folder / "C01.h5", replace(solution, statuses=statuses), provenance={})
    return folder / "C01.h5"


def test_a_clip_without_any_pose_is_left_out_and_said_aloud(world: FilmedWorld, tmp_path: Path) -> None:
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    solutions = (_poseless(world, tmp_path, slice(None)), unit.inputs.solutions[1])
    report, shard = _run(_unit(world, tmp_path, solutions=solutions))
    assert shard.read("clips/number").tolist() == [2]
    reason = "inverse kinematics has a usable pose in none of 12 frames (12 suspect)"
    assert shard.attribute("left_out") == [["C01", reason]]
    assert report.warnings == (f"S001/C01 left out: {reason}",)


def test_a_clip_with_few_poses_is_kept_and_said_aloud(world: FilmedWorld, tmp_path: Path) -> None:
    (unit,) = SHARD.plan(world.recordings, world.work, world.config)
    solutions = (_poseless(world, tmp_path, slice(4, None)), unit.inputs.solutions[1])
    report, shard = _run(_unit(world, tmp_path, solutions=solutions))
    assert shard.n_rows == 24
    assert report.warnings == ("S001/C01: only 4 of 12 rows have a usable pose from inverse kinematics",)


def test_suspects_are_left_out_unless_kept(world: FilmedWorld, tmp_path: Path) -> None:
    alignment = read_alignment(world.work.alignment("S001"))
    clips = (replace(alignment.clips[0], suspicions=("lag +40.0 ms (bound 16.7 ms)",)), alignment.clips[1])
    path = tmp_path / "S001.json"
    write_alignment(path, replace(alignment, clips=clips), provenance={})
    report, shard = _run(_unit(world, tmp_path, alignment=path))
    assert shard.read("clips/number").tolist() == [2]
    assert any("S001/C01 left out: suspect alignment (lag +40.0 ms" in warning for warning in report.warnings)
    _, kept = _run(_unit(world, tmp_path, alignment=path, settings={"keep_suspects": True}))
    assert kept.read("clips/suspect").tolist() == [True, False]


@pytest.mark.parametrize("role", ["videos", "intrinsics", "body_model"])
def test_what_the_download_lacks_is_named(world: FilmedWorld, tmp_path: Path, role: str) -> None:
    with raises_recorded(MissingError):
        _run(_unit(world, tmp_path, **{role: None}))


@pytest.mark.slow
def test_overlapping_clips_both_get_their_pictures(tmp_path: Path) -> None:
    """Clip 2 begins before clip 1 ends, and both want frames 10 and 11."""
    world = write_filmed_world(tmp_path, flags30=((6, 12), (11, 18)), n_video_frames=20)
    # One recording cannot show both motions at once, so V3D contradicts one of them.
    _, shard = _run(_unit(world, tmp_path, settings={"keep_suspects": True}))
    assert shard.read("frames/video_frame").tolist() == [*range(5, 12), *range(10, 18)]
    test_crop_i_shows_frame_i(shard)


def test_one_unit_per_camera_also_where_the_video_of_this_subject_is_missing(world: FilmedWorld) -> None:
    config = world.config.model_copy(
        update={"shard": world.config.shard.model_copy(update={"cameras": (CAMERA, "PG2")})}
    )
    found = world.recordings
    calibrated = replace(
        found,
        intrinsics={**found.intrinsics, "PG2": Path("cameraParams_PG2.npz")},
        extrinsics={**found.extrinsics, "PG2": Path("Extrinsics_PG2.npz")},
    )
    of_another = replace(calibrated, videos={**found.videos, ("S099", "PG2"): Path("F_PG2_Subject_99_L.avi")})
    for recordings, keys in (
        (found, ["S001/PG1"]),
        (calibrated, ["S001/PG1"]),
        (of_another, ["S001/PG1", "S001/PG2"]),
    ):
        units = SHARD.plan(recordings, world.work, config)
        assert [unit.key for unit in units] == keys
        assert set(idle_cameras(recordings, config.shard.cameras)) == {"PG1", "PG2"} - {key[-3:] for key in keys}


def test_what_there_is_not_of_a_camera_is_said() -> None:
    assert idle_cameras(Recordings(videos={("S001", "PG2"): Path("a")}), ("PG2", "PG3")) == {
        "PG2": "no shards of PG2: found no calibration (cameraParams_PG2 and Extrinsics_PG2)",
        "PG3": "no shards of PG3: found no videos (F_PG3_Subject_N_L.avi) and no calibration "
        "(cameraParams_PG3 and Extrinsics_PG3)",
    }
