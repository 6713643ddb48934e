"""Label rows: names decide what goes where; what is missing is a false mask and a name, never a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.errors import InternalError
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.shard_records import record_datasets
from movi_prep.geometry.frame_labels import (
    SolvedClip,
    absent_labels,
    label_clip,
    moved_since_used,
    rows_of_samples,
)
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.geometry.label_statistics import PixelStatistics, masked_statistics
from movi_prep.geometry.projection import project_points
from movi_prep.geometry.surface_samples import spread_vertices
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.ik_solution import FrameStatus, IkSolution
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.records.timeline import overlap_clocks
from tests.builders.filmed_world import made_up_scales, made_up_solution
from tests.builders.shard import small_camera
from tests.sentences import raises_recorded

TABLES = read_label_tables()
TIMELINE = overlap_clocks(movi_clip(1, 1), "walking", video_range=(10, 15), n_samples=17, samples_per_frame=4)


def _markers() -> MarkerTrajectories:
    names = tuple(dict.fromkeys((*TABLES.markers, *TABLES.joints, *TABLES.surface)))
    positions = np.random.default_rng(0).uniform(-0.5, 0.5, (5, len(names), 3))
    return MarkerTrajectories(
        names=names, positions_m=positions, times_s=np.arange(5) / 30, sample_indices=4 * np.arange(5),
        rate_hz=30.0, source="test",
    )  # fmt: skip


def _label(markers: MarkerTrajectories, solution: IkSolution):  # type: ignore[no-untyped-def]
    return label_clip(
        TIMELINE.mocap_samples, _clip(markers, solution), TABLES, camera=small_camera(), miss_limit_m=0.02
    )


def _clip(markers: MarkerTrajectories, solution: IkSolution, *, bodies: tuple[str, ...] = TABLES.bodies) -> SolvedClip:
    return SolvedClip(markers, solution, replace(made_up_scales(), body_names=bodies))


def test_points_of_the_skin_need_no_model_and_come_all_or_not_at_all() -> None:
    markers = _markers()
    labels = _label(markers, made_up_solution(markers))
    nose = markers.positions_m[:, markers.names.index("NOSE")]
    assert labels.surface is not None
    np.testing.assert_allclose(labels.surface.world_m[:, 0], ground_to_amass(nose[: labels.n_frames]))
    np.testing.assert_allclose(labels.surface.seen_px, project_points(small_camera(), labels.surface.world_m))
    without = markers.select([name for name in markers.names if name != "HEADTOP"])
    assert _label(without, made_up_solution(without)).surface is None
    assert absent_labels(_clip(without, made_up_solution(without)), TABLES) == ("HEADTOP",)


def test_names_decide_not_positions() -> None:
    markers = _markers()
    solution = made_up_solution(markers)
    reversed_solution = replace(
        solution,
        marker_names=solution.marker_names[::-1],
        model_markers_m=solution.model_markers_m[:, ::-1],
        coordinate_names=solution.coordinate_names[::-1],
        coordinates=solution.coordinates[:, ::-1],
        joint_names=solution.joint_names[::-1],
        joint_centres_m=solution.joint_centres_m[:, ::-1],
    )
    first, second = _label(markers, solution), _label(markers, reversed_solution)
    np.testing.assert_array_equal(first.coordinates.angles_rad, second.coordinates.angles_rad)
    np.testing.assert_array_equal(first.markers.model_world_m, second.markers.model_world_m)
    np.testing.assert_array_equal(first.joint_centres.world_m, second.joint_centres.world_m)


def test_what_the_model_lacks_is_masked_and_named() -> None:
    markers = _markers()
    solution = made_up_solution(markers)
    without = replace(
        solution,
        coordinate_names=("other", *solution.coordinate_names[1:]),
        joint_names=("other", *solution.joint_names[1:]),
    )
    clip = _clip(markers, without, bodies=("other", *TABLES.bodies[1:]))
    labels = label_clip(TIMELINE.mocap_samples, clip, TABLES, camera=small_camera(), miss_limit_m=0.02)
    assert set(absent_labels(clip, TABLES)) == {TABLES.coordinates[0], TABLES.opensim_joints[0], TABLES.bodies[0]}
    for valid, values in (
        (labels.coordinates.valid, labels.coordinates.angles_rad),
        (labels.joint_centres.valid, labels.joint_centres.world_m),
        (labels.joint_centres.valid, labels.joint_centres.camera_m),
        (labels.scales.valid[None], labels.scales.factors[None]),
    ):
        assert not valid[:, 0].any()
        assert valid[:, 1:].all()
        assert (values[:, 0] == 0).all()


def test_a_marker_that_was_not_seen_is_zero_and_false() -> None:
    markers = _markers()
    positions = markers.positions_m.copy()
    positions[2, markers.column("LANI")] = np.nan
    labels = _label(replace(markers, positions_m=positions), made_up_solution(markers))
    column = TABLES.markers.index("LANI")
    assert not labels.markers.valid[2, column]
    assert not labels.markers.in_image[2, column]
    assert (labels.markers.world_m[2, column] == 0).all()
    assert all(np.isfinite(values).all() for values in record_datasets("labels", labels).values())


@pytest.mark.parametrize("status", [FrameStatus.NOT_CONVERGED, FrameStatus.FAILED, FrameStatus.SUSPECT])
def test_only_usable_frames_have_a_pose(status: FrameStatus) -> None:
    markers = _markers()
    statuses = np.array([0, 1, status, 0, 0], np.int8)
    labels = _label(markers, replace(made_up_solution(markers), statuses=statuses))
    assert labels.root.valid.tolist() == [True, True, False, True, True]
    np.testing.assert_array_equal(labels.root.pelvis_rotation_world[2], np.eye(3))
    for valid in (labels.coordinates.valid, labels.joints.valid, labels.joint_centres.valid):
        assert not valid[2].any()


def test_a_sample_without_a_row_is_a_broken_promise() -> None:
    with raises_recorded(InternalError):
        rows_of_samples(np.array([0, 5]), np.array([0, 4, 8]))


def test_used_frames_by_any_marker_and_by_the_sum() -> None:
    """Two markers creep by 8 mm per frame each: one has moved 24 mm after three frames, both together after two."""
    positions = np.zeros((9, 2, 3))
    positions[:, :, 0] = 0.008 * np.arange(9)[:, None]
    assert np.flatnonzero(moved_since_used(positions, distance_m=0.02, rule="any")).tolist() == [0, 3, 6]
    assert np.flatnonzero(moved_since_used(positions, distance_m=0.02, rule="sum")).tolist() == [0, 2, 4, 6, 8]


def test_masked_statistics_by_hand() -> None:
    values = np.array([[1.0, 5.0], [3.0, 7.0], [100.0, 9.0]])
    valid = np.array([[True, False], [True, False], [False, False]])
    np.testing.assert_array_equal(masked_statistics(values, valid), [[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [3.0, 0.0]])


def test_pixel_statistics_of_pictures_one_by_one_are_those_of_all() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
    running = PixelStatistics()
    for picture in pictures:
        running.add(picture)
    pixels = pictures.reshape(-1, 3).astype(float)
    expected = [pixels.mean(axis=0), pixels.std(axis=0), pixels.min(axis=0), pixels.max(axis=0)]
    np.testing.assert_allclose(running.result(), expected, atol=1e-9)
    assert (PixelStatistics().result() == 0).all()


def test_spread_vertices_leave_no_place_far_away() -> None:
    """Fifty samples of a cube's surface of area 24: no point is farther than twice what a square grid would leave."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 11)] * 3), axis=-1).reshape(-1, 3)
    surface = grid[np.abs(grid).max(axis=1) == 1.0]
    chosen = spread_vertices(surface, 50)
    assert len(set(chosen.tolist())) == 50
    distance = np.linalg.norm(surface[:, None] - surface[chosen], axis=2).min(axis=1)
    assert distance.max() <= 2 * np.sqrt(24 / 50) / np.sqrt(2)
    assert spread_vertices(surface, 10_000).tolist() == list(range(len(surface)))
