"""C3D: the same trial as TRC gives the same trajectories; what is no marker and what was not seen is left out."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.c3d import TO_GROUND, _markers, read_c3d
from tests.builders.c3d_files import write_c3d
from tests.builders.small_model import trajectories

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.records.markers import MarkerTrajectories

pytestmark = pytest.mark.skipif(find_spec("ezc3d") is None, reason="ezc3d, an extra, is not installed")

UNITS = {"mm": 1000.0, "cm": 100.0, "m": 1.0}


@pytest.fixture
def markers() -> MarkerTrajectories:
    positions = np.random.default_rng(1).uniform(-1.0, 1.0, (6, 3, 3))
    positions[2, 1] = np.nan
    return trajectories(positions, ("HEAD", "R.ASIS", "L.ASIS"))


def _write(path: Path, markers: MarkerTrajectories, *, unit: str = "mm", up: str = "+Y", **parameters: Any) -> Path:
    """Write a trial; absent points get a residual of -1 and any place."""
    own = markers.positions_m @ (TO_GROUND[up] if up else np.eye(3)) * UNITS[unit]
    residuals = np.where(np.isnan(own).any(axis=-1), -1.0, 0.2)
    said = {"UNITS": [unit], "LABELS": list(markers.names), **({"Y_SCREEN": [up]} if up else {}), **parameters}
    return write_c3d(path, np.nan_to_num(own, nan=0.1), residuals, rate_hz=markers.rate_hz, **said)


@pytest.mark.parametrize("up", TO_GROUND)
@pytest.mark.parametrize("unit", UNITS)
def test_a_trial_comes_in_metres_with_y_up(tmp_path: Path, markers: MarkerTrajectories, unit: str, up: str) -> None:
    back = read_c3d(_write(tmp_path / "a.c3d", markers, unit=unit, up=up), up="z")
    assert back.names == markers.names
    assert back.rate_hz == pytest.approx(markers.rate_hz)
    # C3D keeps single precision.
    np.testing.assert_allclose(back.positions_m, markers.positions_m, atol=2e-6)
    np.testing.assert_allclose(np.diff(back.times_s), 1 / markers.rate_hz, rtol=1e-6)


@pytest.mark.parametrize("matrix", TO_GROUND.values())
def test_no_turn_is_a_mirror(matrix: np.ndarray) -> None:
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_the_setting_says_what_is_up_where_the_file_does_not(tmp_path: Path, markers: MarkerTrajectories) -> None:
    path = _write(tmp_path / "a.c3d", markers, up="")
    np.testing.assert_allclose(read_c3d(path, up="y").positions_m, markers.positions_m, atol=2e-6)
    turned = read_c3d(path, up="z").positions_m
    np.testing.assert_allclose(turned[..., 1], markers.positions_m[..., 2], atol=2e-6)


def test_zeros_are_points_that_were_not_seen(tmp_path: Path, markers: MarkerTrajectories) -> None:
    positions = markers.positions_m.copy()
    positions[4, 2] = 0.0
    back = read_c3d(_write(tmp_path / "a.c3d", replace(markers, positions_m=positions)), up="y")
    assert np.isnan(back.positions_m[4, 2]).all()


def test_points_that_are_no_markers_are_left_out_and_named(tmp_path: Path, markers: MarkerTrajectories) -> None:
    path = _write(tmp_path / "a.c3d", markers, LABELS=["HEAD", "LKneeAngles", "*12"], ANGLES=["LKneeAngles"])
    back = read_c3d(path, up="y")
    assert back.names == ("HEAD",)
    assert len(back.findings) == 2


def test_labels_beyond_the_points_are_passed_over(tmp_path: Path) -> None:
    # ezc3d refuses to write such a file; laboratories have them.
    content = {"POINT:LABELS": np.array(["A", "B"]), "POINT:LABELS2": np.array(["C", "LOST", "GONE"])}
    assert _markers(content, 3, tmp_path / "a.c3d") == ([0, 1, 2], ("A", "B", "C"), ())
    columns, names, findings = _markers({"POINT:LABELS": np.array(["A"])}, 3, tmp_path / "a.c3d")
    assert (columns, names, len(findings)) == ([0], ("A",), 1)


def test_a_unit_that_nobody_knows_is_refused(tmp_path: Path, markers: MarkerTrajectories) -> None:
    path = _write(tmp_path / "a.c3d", markers)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"mm", b"xx", 1))
    with pytest.raises(InputError) as caught:
        read_c3d(path, up="y")
    assert "UNITS" in caught.value.expected


@pytest.mark.parametrize("content", [b"", b"PathFileType\t4", bytes(600), b"\x02\x50" + bytes(510)])
def test_what_is_no_c3d_is_the_files_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.c3d").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_c3d(tmp_path / "a.c3d", up="y")
    assert caught.value.where.endswith("a.c3d")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_file_that_is_cut_is_the_files_error(tmp_path: Path, markers: MarkerTrajectories, share: float) -> None:
    path = _write(tmp_path / "a.c3d", markers)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError):
        read_c3d(path, up="y")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_c3d(tmp_path / "no.c3d", up="y")


def test_a_file_that_keeps_its_parser_busy_is_given_up(
    tmp_path: Path, markers: MarkerTrajectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path / "a.c3d", markers)
    (tmp_path / "ezc3d.py").write_text("def c3d(path):\n    while True:\n        pass\n")
    (tmp_path / "sitecustomize.py").write_text(
        "import resource\nset_limit = resource.setrlimit\n"
        "resource.setrlimit = lambda what, at: set_limit(what, (1, 2) if what == resource.RLIMIT_CPU else at)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError) as caught:
        read_c3d(path, up="y")
    assert "busy" in caught.value.got
