"""Marker files round-trip, explain themselves, and appear whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.marker_file import (
    open_marker_writer,
    read_markers,
    read_static_trial,
    write_markers,
    write_static_trial,
)
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from tests.sentences import raises_recorded


@pytest.fixture
def markers() -> MarkerTrajectories:
    positions = np.random.default_rng(0).normal(size=(7, 2, 3))
    positions[3, 1] = np.nan
    return MarkerTrajectories(
        names=("LASI", "RÄSI"),
        positions_m=positions,
        times_s=np.arange(7) / 30,
        sample_indices=np.arange(0, 28, 4),
        rate_hz=30.0,
        source="clip",
    )


def assert_same(read: MarkerTrajectories, written: MarkerTrajectories) -> None:
    assert (read.names, read.rate_hz) == (written.names, written.rate_hz)
    for name in ("positions_m", "times_s", "sample_indices"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_trajectories_round_trip(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_markers(tmp_path / "C01.h5", markers, provenance={"motion": "a.npz"})
    read = read_markers(tmp_path / "C01.h5")
    assert_same(read, markers)
    assert read.source.endswith("C01.h5")


@pytest.mark.parametrize(("sex", "source"), [("female", "volume"), (None, "given")])
def test_static_trial_round_trips(tmp_path: Path, markers: MarkerTrajectories, sex: object, source: str) -> None:
    trial = StaticTrial(markers=markers, height_m=1.7, mass_kg=66.5, sex=sex, mass_source=source)  # type: ignore[arg-type]
    write_static_trial(tmp_path / "static.h5", trial, provenance={})
    read = read_static_trial(tmp_path / "static.h5")
    assert_same(read.markers, markers)
    assert read.as_dict() == trial.as_dict()


def test_blocks_make_the_same_file(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_markers(tmp_path / "whole.h5", markers, provenance={"by": "test"})
    with open_marker_writer(
        tmp_path / "blocks.h5",
        names=markers.names,
        times_s=markers.times_s,
        sample_indices=markers.sample_indices,
        rate_hz=markers.rate_hz,
        source=markers.source,
        provenance={"by": "test"},
    ) as writer:
        writer.append(markers.positions_m[:4])
        writer.append(markers.positions_m[4:])
    assert_same(read_markers(tmp_path / "blocks.h5"), read_markers(tmp_path / "whole.h5"))


def test_the_file_says_what_it_holds(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_markers(tmp_path / "C01.h5", markers, provenance={"motion": "a.npz"})
    with h5py.File(tmp_path / "C01.h5") as file:
        assert file.attrs["format"] == "movi-prep markers"
        assert '"motion": "a.npz"' in file.attrs["provenance"]
        assert dict(file["positions"].attrs)["unit"] == "m"
        assert dict(file["positions"].attrs)["dims"] == '["row", "marker", 3]'
        assert dict(file["positions"].attrs)["frame"] == "OpenSim ground"


def test_equal_contents_give_equal_bytes(tmp_path: Path, markers: MarkerTrajectories) -> None:
    for name in ("a.h5", "b.h5"):
        write_markers(tmp_path / name, markers, provenance={})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def write_and_fail(path: Path, markers: MarkerTrajectories) -> None:
    with open_marker_writer(
        path,
        names=markers.names,
        times_s=markers.times_s,
        sample_indices=markers.sample_indices,
        rate_hz=30.0,
        source="",
        provenance={},
    ) as writer:
        writer.append(markers.positions_m[:4])
        raise InputError("clip", expected="numbers", got="NaN", remedy="leave it out")


def test_nothing_stays_of_a_file_that_was_not_finished(tmp_path: Path, markers: MarkerTrajectories) -> None:
    with pytest.raises(InputError):
        write_and_fail(tmp_path / "C01.h5", markers)
    assert list(tmp_path.iterdir()) == []


def test_a_static_trial_is_not_a_clip(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_markers(tmp_path / "C01.h5", markers, provenance={})
    with raises_recorded(InputError):
        read_static_trial(tmp_path / "C01.h5")


def test_a_full_disk_is_noticed_before_it_is_full(
    tmp_path: Path, markers: MarkerTrajectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(OSError, match="the disk is full"):
        write_and_fail(tmp_path / "C01.h5", markers)
    assert list(tmp_path.iterdir()) == []
