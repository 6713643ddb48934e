"""The open body is a plausible person in SMPL+H's layout, with markers where their names say."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.demo.open_body import SEXES, OpenBody, face_regions, read_open_body, smplh_parents, write_open_body
from movi_prep.errors import UsageError
from tests.sentences import raises_recorded
from tools.open_body_builder.landmarks import MIDLINE_VERTICES, PAIRED_VERTICES, marker_vertices

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# D3KE's rule: a person of 78.1165 kg displaces 0.0774582 m3.
KG_PER_M3 = 78.1165 / 0.0774582
MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def bodies() -> dict[str, OpenBody]:
    return {sex: read_open_body(sex) for sex in SEXES}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("body_models")
    write_open_body(folder)
    return folder


def volume_m3(vertices_m: NDArray[np.float64], faces: NDArray[np.int64]) -> float:
    a, b, c = (vertices_m[faces[:, corner]] for corner in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def joints_m(body: OpenBody) -> NDArray[np.float64]:
    return np.asarray(body.joint_regressor @ body.v_template_m)


def turn_about(axis: tuple[float, float, float], angle_rad: float) -> NDArray[np.float64]:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross


def corrective_m(body: OpenBody, joint: int, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = slice(9 * (joint - 1), 9 * joint)
    return np.asarray(body.pose_directions_m[:, :, columns] @ (rotation - np.eye(3)).ravel())


class TestMesh:
    def test_counts_are_those_of_smplh(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            assert body.v_template_m.shape == (6890, 3)
            assert body.faces.shape == (13776, 3)
            assert body.shape_directions_m.shape == (6890, 3, 16)
            assert body.pose_directions_m.shape == (6890, 3, 459)
            assert body.dmpl_directions_m.shape == (6890, 3, 8)

    def test_each_edge_joins_two_faces_that_run_opposite_ways(self, bodies: dict[str, OpenBody]) -> None:
        faces = bodies["neutral"].faces
        directed = Counter(
            (int(start), int(end)) for shift in range(3) for start, end in np.roll(faces, shift, axis=1)[:, :2]
        )
        assert set(directed.values()) == {1}
        assert all((end, start) in directed for start, end in directed)
        # Euler: one closed surface without handles has two more vertices and faces than edges.
        assert 6890 - len(directed) // 2 + len(faces) == 2

    def test_faces_look_outwards_in_every_sex(self, bodies: dict[str, OpenBody]) -> None:
        assert all(volume_m3(body.v_template_m, body.faces) > 0.05 for body in bodies.values())

    def test_weights_and_regressor_are_shares(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            for shares in (body.skinning_weights, body.joint_regressor):
                assert shares.min() >= 0
                np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)

    def test_carried_file_is_small(self) -> None:
        folder = resources.files("movi_prep.demo") / "data"
        assert sum(len(file.read_bytes()) for file in folder.iterdir()) <= 3_000_000


class TestPerson:
    @pytest.mark.parametrize(("sex", "shortest_m", "tallest_m"), [("male", 1.73, 1.83), ("female", 1.6, 1.7)])
    def test_mean_shape_has_a_common_stature(
        self, bodies: dict[str, OpenBody], sex: str, shortest_m: float, tallest_m: float
    ) -> None:
        assert shortest_m < np.ptp(bodies[sex].v_template_m[:, 1]) < tallest_m

    @pytest.mark.parametrize("sex", SEXES)
    def test_mean_shape_is_neither_thin_nor_heavy(self, bodies: dict[str, OpenBody], sex: str) -> None:
        body = bodies[sex]
        mass_kg = KG_PER_M3 * volume_m3(body.v_template_m, body.faces)
        assert 21 < mass_kg / np.ptp(body.v_template_m[:, 1]) ** 2 < 25

    @pytest.mark.parametrize("sex", SEXES)
    def test_people_two_deviations_away_are_still_people(self, bodies: dict[str, OpenBody], sex: str) -> None:
        body = bodies[sex]
        for step_m in np.moveaxis(body.shape_directions_m, 2, 0):
            for shape_m in (body.v_template_m + 2 * step_m, body.v_template_m - 2 * step_m):
                stature_m = np.ptp(shape_m[:, 1])
                assert 1.4 < stature_m < 2.1
                assert 16 < KG_PER_M3 * volume_m3(shape_m, body.faces) / stature_m**2 < 32

    def test_first_shape_direction_is_stature(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            taller_m = body.v_template_m + body.shape_directions_m[:, :, 0]
            assert 0.05 < np.ptp(taller_m[:, 1]) - np.ptp(body.v_template_m[:, 1]) < 0.1

    def test_joints_are_mirrored_and_lie_on_a_skeleton(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            joints = joints_m(body)
            pairs = [(1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (25, 40)]
            for left, right in pairs:
                np.testing.assert_allclose(joints[left], joints[right] * MIRROR, atol=0.004)
            trunk_heights = joints[[10, 7, 4, 1, 0, 3, 6, 9, 12, 15], 1]
            assert all(lower < upper for lower, upper in pairwise(trunk_heights))
            assert np.ptp(joints[[16, 18, 20], 1]) < 0.02  # arms level

    def test_parents_are_those_of_smplh(self) -> None:
        parents = smplh_parents()
        assert parents[:25].tolist() == [
            *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19),
            *(20, 22, 23),
        ]
        assert parents[37:].tolist() == [21, 37, 38, 21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50]


class TestMarkers:
    def test_midline_markers_lie_in_the_middle(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            assert np.abs(body.v_template_m[list(MIDLINE_VERTICES.values()), 0]).max() < 1e-3

    def test_vertebrae_follow_one_another_down_the_back(self, bodies: dict[str, OpenBody]) -> None:
        down = ["C7", "T1", *(f"Tracking_T{number}" for number in range(2, 8)), "T8", "Tracking_T9", "T10"]
        down += ["Tracking_T11", "T12", *(f"Tracking_L{number}" for number in range(1, 6))]
        for body in bodies.values():
            back = body.v_template_m[[MIDLINE_VERTICES[name] for name in down]]
            assert (np.diff(back[:, 1]) < -0.008).all()
            assert (back[:, 2] < joints_m(body)[0, 2]).all()
            assert body.v_template_m[MIDLINE_VERTICES["STRN"], 2] > back[:, 2].max() + 0.1

    def test_sides_mirror_each_other(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            left, right = np.array(list(PAIRED_VERTICES.values())).T
            assert (body.v_template_m[left, 0] > 0).all()
            np.testing.assert_allclose(body.v_template_m[left], body.v_template_m[right] * MIRROR, atol=1e-3)

    def test_no_two_markers_share_a_place(self, bodies: dict[str, OpenBody]) -> None:
        for body in bodies.values():
            places = body.v_template_m[list(marker_vertices().values())]
            apart_m = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places))
            assert len(places) == 66
            assert apart_m.min() > 0.008

    @pytest.mark.parametrize(
        ("marker", "joint", "reach_m"),
        [("LKNE", 4, 0.08), ("LANK", 7, 0.06), ("LELB", 18, 0.06), ("LIWR", 20, 0.05), ("LTOE", 10, 0.09)],
    )
    def test_markers_of_a_joint_lie_beside_it(
        self, bodies: dict[str, OpenBody], marker: str, joint: int, reach_m: float
    ) -> None:
        for body in bodies.values():
            place = body.v_template_m[marker_vertices()[marker]]
            assert np.linalg.norm(place - joints_m(body)[joint]) < reach_m

    @pytest.mark.reference
    def test_marker_ids_are_those_of_d3ke(self, shared: Path) -> None:
        tables = json.loads((shared / "reference" / "d3ke_tables.json").read_text())
        assert marker_vertices() == tables["marker_vertices"]

    @pytest.mark.reference
    def test_marker_distances_are_those_of_real_bodies(self, bodies: dict[str, OpenBody], shared: Path) -> None:
        tables = json.loads((shared / "reference" / "d3ke_tables.json").read_text())
        rows = json.loads((shared / "reference" / "smplh_marker_distances.json").read_text())["measurements"]
        points = [named_points(bodies[sex], tables) for sex in ("male", "female")]
        misses = [
            np.mean([distance_m(named, row["marker_pairs"]) for named in points]) / row["implied_average_distance_m"]
            - 1
            for row in rows
            if row["trusted"]
        ]
        assert np.abs(misses).max() < 0.10
        assert np.median(np.abs(misses)) < 0.05


def named_points(body: OpenBody, tables: dict[str, dict[str, object]]) -> dict[str, NDArray[np.float64]]:
    """Markers, joints, midpoints and floor points of the mean shape, by name."""
    points = {name: body.v_template_m[vertex] for name, vertex in tables["marker_vertices"].items()}
    joints = joints_m(body)
    points |= {name: joints[index] for name, index in tables["joint_indices"].items()}
    for name, parts in tables["midpoint_markers"].items():
        points[name] = np.mean([points[part] for part in parts], axis=0)
    floor_m = body.v_template_m[:, 1].min()
    for name, above in tables["ground_markers"].items():
        points[name] = np.array([points[above][0], floor_m, points[above][2]])
    return points


def distance_m(points: dict[str, NDArray[np.float64]], pairs: list[list[str]]) -> float:
    return float(np.mean([np.linalg.norm(points[start] - points[end]) for start, end in pairs]))


class TestSurfaceDirections:
    def test_no_corrective_moves_the_skin_by_more_than_a_few_centimetres(self, bodies: dict[str, OpenBody]) -> None:
        body = bodies["male"]
        for joint in range(1, 52):
            moved_m = corrective_m(body, joint, turn_about((0, 1, 0), np.pi / 2))
            assert np.linalg.norm(moved_m, axis=1).max() <= 0.0145

    def test_a_bent_elbow_keeps_more_of_its_volume(self, bodies: dict[str, OpenBody]) -> None:
        body, elbow = bodies["female"], 18
        bend = turn_about((0, -1, 0), np.pi / 2)
        carried = body.skinning_weights[:, [18, 20, *range(22, 37)]].sum(axis=1)[:, None]
        centre = joints_m(body)[elbow]

        def blended(shape_m: NDArray[np.float64]) -> NDArray[np.float64]:
            return (1 - carried) * shape_m + carried * ((shape_m - centre) @ bend.T + centre)

        rest = volume_m3(body.v_template_m, body.faces)
        plain = volume_m3(blended(body.v_template_m), body.faces)
        mended = volume_m3(blended(body.v_template_m + corrective_m(body, elbow, bend)), body.faces)
        assert abs(mended - rest) < abs(plain - rest)

    def test_flexion_swells_and_extension_does_not(self, bodies: dict[str, OpenBody]) -> None:
        body = bodies["male"]
        flexed, extended = (corrective_m(body, 4, turn_about((1, 0, 0), angle_rad)) for angle_rad in (0.5, -0.5))
        swelling_m = (flexed - extended)[:, 2] / 2
        assert -0.002 < swelling_m.min() < -0.001  # the calf, backwards

    def test_left_and_right_correctives_mirror_each_other(self, bodies: dict[str, OpenBody]) -> None:
        body = bodies["neutral"]
        left, right = np.array(list(PAIRED_VERTICES.values())).T
        flexed_left = corrective_m(body, 20, turn_about((0, -1, 0), 1.0))[left]
        flexed_right = corrective_m(body, 21, turn_about((0, 1, 0), 1.0))[right]
        assert np.abs(flexed_left).max() > 5e-4
        np.testing.assert_allclose(flexed_left, flexed_right * MIRROR, atol=5e-4)

    def test_soft_tissue_quivers_by_millimetres_and_smoothly(self, bodies: dict[str, OpenBody]) -> None:
        body = bodies["female"]
        sizes_m = np.abs(body.dmpl_directions_m).max(axis=(0, 1))
        assert (sizes_m > 0.002).all()
        assert (sizes_m < 0.006).all()
        start, end = body.faces[:, 0], body.faces[:, 1]
        steps_m = np.abs(body.dmpl_directions_m[start] - body.dmpl_directions_m[end]).max()
        assert steps_m < 0.003


class TestRegions:
    def test_every_face_wears_something_and_shoes_are_lowest(self, bodies: dict[str, OpenBody]) -> None:
        regions, names = face_regions()
        body = bodies["neutral"]
        height_m = body.v_template_m[body.faces].mean(axis=1)[:, 1]
        means = {name: height_m[regions == index].mean() for index, name in enumerate(names)}
        order = ("shoes", "trousers", "shirt", "hair")
        assert set(means) == {"skin", *order}
        assert all(means[lower] < means[upper] for lower, upper in pairwise(order))


class TestWrittenFiles:
    KEYS = ("J_regressor_prior", "f", "J_regressor", "kintree_table", "J", "weights_prior", "weights", "posedirs")
    KEYS += ("bs_style", "v_template", "shapedirs", "bs_type")

    @pytest.mark.parametrize("sex", SEXES)
    def test_layout_is_that_of_the_licensed_file(self, written: Path, sex: str) -> None:
        with np.load(written / "smplh" / sex / "model.npz", allow_pickle=False) as model:
            assert set(model.files) == set(self.KEYS)
            shapes = {name: model[name].shape for name in ("J_regressor_prior", "J", "weights_prior", "kintree_table")}
            assert shapes["J_regressor_prior"] == (24, 6890)
            assert shapes["J"] == (24, 3)
            assert shapes["weights_prior"] == (6890, 24)
            assert model["kintree_table"][0, 0] == 2**32 - 1
            assert model["posedirs"].shape == (6890, 3, 459)
            assert {model[name].dtype for name in ("v_template", "shapedirs", "weights")} == {np.dtype(np.float64)}
        with np.load(written / "dmpls" / sex / "model.npz", allow_pickle=False) as soft_tissue:
            assert soft_tissue["eigvec"].shape == (6890, 3, 10)

    def test_values_survive_the_file(self, written: Path, bodies: dict[str, OpenBody]) -> None:
        body = bodies["female"]
        with np.load(written / "smplh" / "female" / "model.npz", allow_pickle=False) as model:
            np.testing.assert_array_equal(model["v_template"], body.v_template_m)
            np.testing.assert_array_equal(model["f"], body.faces)
            np.testing.assert_allclose(model["J"][:22], joints_m(body)[:22], atol=1e-9)
            np.testing.assert_allclose(model["weights_prior"].sum(axis=1), 1, atol=1e-12)

    def test_the_same_bytes_every_time(self, written: Path, tmp_path: Path) -> None:
        write_open_body(tmp_path)
        first = sorted(path.relative_to(written) for path in written.rglob("*.npz"))
        assert len(first) == 6
        for path in first:
            assert (written / path).read_bytes() == (tmp_path / path).read_bytes()


def test_an_unknown_sex_is_refused_by_name() -> None:
    with raises_recorded(UsageError):
        read_open_body("Male")
