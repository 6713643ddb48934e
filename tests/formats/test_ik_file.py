"""The IK file keeps what the solution holds, says its units, and refuses strangers; so does `scale.json`."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.ik_file import SCHEMA, open_ik_writer, read_ik_solution, write_ik_solution
from movi_prep.formats.scale_file import read_scale_result, write_scale_result
from movi_prep.records.ik_solution import IkSolution
from movi_prep.records.scale_result import AuditGrade, ScaleResult
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def solution() -> IkSolution:
    generator = np.random.default_rng(2)
    n, c, m, b = 4, 3, 2, 2
    return IkSolution(
        solver="opensim",
        times_s=np.arange(n) / 30.0,
        sample_indices=4 * np.arange(n),
        rate_hz=30.0,
        coordinate_names=("hip", "knee", "tx"),
        coordinate_is_rotation=np.array([True, True, False]),
        coordinates=generator.normal(size=(n, c)),
        coordinate_valid=generator.random((n, c)) > 0.5,
        marker_names=("A", "B"),
        marker_weights=np.array([20.0, 0.0]),
        model_markers_m=generator.normal(size=(n, m, 3)),
        observed_markers_m=np.full((n, m, 3), np.nan),
        body_names=("femur_r", "tibia_r"),
        body_rotations=generator.normal(size=(n, b, 3, 3)),
        body_positions_m=generator.normal(size=(n, b, 3)),
        joint_names=("hip_r", "knee_r"),
        joint_centres_m=generator.normal(size=(n, b, 3)),
        root_frame_rotations=generator.normal(size=(n, 3, 3)),
        root_frame_positions_m=generator.normal(size=(n, 3)),
        statuses=np.array([0, 1, 2, 4], dtype=np.int8),
        objectives=generator.random(n),
        iterations=np.full(n, -1, dtype=np.int32),
        gradient_norms=np.full(n, np.nan),
        constraint_errors=np.zeros(n),
        posterior_std=None,
        ranks=None,
        free_coordinates=np.array([True, False, True]),
    )


@pytest.mark.parametrize("observed", [False, True])
def test_a_round_trip_keeps_everything(tmp_path: Path, solution: IkSolution, observed: bool) -> None:
    if observed:
        ranks = np.full(4, 3, dtype=np.int32)
        solution = replace(solution, posterior_std=np.full((4, 3), 0.1), ranks=ranks)
    write_ik_solution(tmp_path / "C01.h5", solution, provenance={"model": "x.osim"})
    back = read_ik_solution(tmp_path / "C01.h5")
    for item in fields(IkSolution):
        before, after = getattr(solution, item.name), getattr(back, item.name)
        if isinstance(before, np.ndarray) and before.dtype == np.float64:
            np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-7, err_msg=item.name)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before, err_msg=item.name)
        else:
            assert after == before, item.name
    np.testing.assert_array_equal(back.coordinates, solution.coordinates)


def test_the_raw_file_explains_itself(tmp_path: Path, solution: IkSolution) -> None:
    write_ik_solution(tmp_path / "C01.h5", solution, provenance={})
    with h5py.File(tmp_path / "C01.h5") as file:
        assert file.attrs["format"] == "movi-prep ik solution"
        assert file.attrs["format_version"] == SCHEMA.version
        assert json.loads(file["model_markers_m"].attrs["dims"]) == ["frame", "marker", 3]
        assert file["model_markers_m"].attrs["unit"] == "m"
        assert "y up" in file["body_positions_m"].attrs["frame"]


def test_equal_solutions_make_equal_bytes(tmp_path: Path, solution: IkSolution) -> None:
    for name in ("a.h5", "b.h5"):
        write_ik_solution(tmp_path / name, solution, provenance={"model": "x"})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_clock_without_times_is_refused(tmp_path: Path, solution: IkSolution) -> None:
    times_s = solution.times_s.copy()
    times_s[2] = np.inf
    write_ik_solution(tmp_path / "a.h5", replace(solution, times_s=times_s), provenance={})
    with pytest.raises(InputError):
        read_ik_solution(tmp_path / "a.h5")


def test_strangers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_ik_solution(tmp_path / "no.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = "something else"
    with raises_recorded(InputError):
        read_ik_solution(tmp_path / "other.h5")


RESULT = ScaleResult(
    body_names=("femur_r", "femur_l"),
    body_factors=np.array([[1.0, 1.1, 1.2], [0.9, 1.0, 1.1]]),
    measurement_names=("thigh",),
    measurement_factors=np.array([1.05]),
    marker_names=("A", "B"),
    marker_weights=np.array([20.0, 1.0]),
    marker_errors_m=np.array([0.004, np.nan]),
    landmark_rms_m=0.004,
    landmark_max_m=0.004,
    mass_kg=70.0,
    height_m=float("nan"),
    pelvis_middle_angle_rad=0.01,
    findings=("one finding",),
    audit=AuditGrade.REFUSED,
)


def test_scale_results_come_back(tmp_path: Path) -> None:
    write_scale_result(tmp_path / "scale.json", RESULT, provenance={"model": "x.osim"})
    json.loads((tmp_path / "scale.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    back = read_scale_result(tmp_path / "scale.json")
    for item in fields(ScaleResult):
        np.testing.assert_array_equal(getattr(back, item.name), getattr(RESULT, item.name), err_msg=item.name)


@pytest.mark.parametrize(("passed", "grade"), [(True, AuditGrade.SOUND), (False, AuditGrade.REFUSED)])
def test_results_without_a_grade_mean_what_they_meant(tmp_path: Path, passed: bool, grade: AuditGrade) -> None:
    write_scale_result(tmp_path / "scale.json", RESULT, provenance={})
    content = json.loads((tmp_path / "scale.json").read_text())
    del content["audit"]
    (tmp_path / "scale.json").write_text(json.dumps({**content, "passed": passed}))
    assert read_scale_result(tmp_path / "scale.json").audit is grade


def test_other_json_is_no_scale_result(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"format": "else"}')
    (tmp_path / "b.json").write_text("{")
    for name in ("a.json", "b.json"):
        with pytest.raises(InputError):
            read_scale_result(tmp_path / name)
    with pytest.raises(MissingError):
        read_scale_result(tmp_path / "no.json")


@pytest.mark.parametrize("n_block", [1, 3, 4])
def test_a_solution_in_blocks_is_the_file_of_a_solution_as_a_whole(
    tmp_path: Path, solution: IkSolution, n_block: int
) -> None:
    write_ik_solution(tmp_path / "whole.h5", solution, provenance={})
    head = {"solver": solution.solver, "rate_hz": solution.rate_hz, "provenance": {}}
    with open_ik_writer(tmp_path / "blocks.h5", n_rows=len(solution.times_s), **head) as append:
        for start in range(0, len(solution.times_s), n_block):
            append(solution.rows(slice(start, start + n_block)))
    whole, blocks = (read_ik_solution(tmp_path / name) for name in ("whole.h5", "blocks.h5"))
    for item in fields(IkSolution):
        np.testing.assert_array_equal(getattr(blocks, item.name), getattr(whole, item.name), err_msg=item.name)
    with h5py.File(tmp_path / "whole.h5") as one, h5py.File(tmp_path / "blocks.h5") as other:
        assert one["coordinates"].chunks == other["coordinates"].chunks


def test_angles_only_come_back_without_the_rest(tmp_path: Path, solution: IkSolution) -> None:
    write_ik_solution(tmp_path / "a.h5", solution.angles(), provenance={})
    back = read_ik_solution(tmp_path / "a.h5", slice(1, 3))
    np.testing.assert_array_equal(back.coordinates, solution.coordinates[1:3])
    assert (back.marker_names, back.body_names, back.joint_names) == ((), (), ())
    assert back.body_rotations.shape == (2, 0, 3, 3)
    with h5py.File(tmp_path / "a.h5") as file:
        assert "body_rotations" not in file


def test_a_part_of_the_bodies_is_a_damaged_file(tmp_path: Path, solution: IkSolution) -> None:
    write_ik_solution(tmp_path / "a.h5", solution, provenance={})
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["body_rotations"]
    with pytest.raises(InputError) as caught:
        read_ik_solution(tmp_path / "a.h5")
    assert "body_rotations" in caught.value.got
