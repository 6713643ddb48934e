"""V3D files: what real files do, said aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.v3d import read_v3d
from tests.builders.v3d_files import V3dFile
from tests.sentences import raises_recorded


def test_flags_become_half_open_ranges(tmp_path: Path) -> None:
    subject = read_v3d(V3dFile(flags30=[[268, 413], [414, 525]]).write(tmp_path))
    assert subject.video_ranges.tolist() == [[267, 413], [413, 525]]
    # 146 video frames see samples 4 * 267 .. 4 * 412, inclusive.
    assert subject.mocap_ranges.tolist() == [[1068, 1649], [1652, 2097]]


def test_sex_case_motions_and_units(tmp_path: Path) -> None:
    subject = read_v3d(V3dFile().write(tmp_path))
    assert (subject.subject, subject.sex, subject.motions) == (1, "female", ("walking", "throw/catch"))
    assert subject.height_m == pytest.approx(1.68)
    assert subject.mass_kg == 58.5
    assert any("168 read as centimetres" in finding for finding in subject.findings)


@pytest.mark.parametrize(("height", "metres"), [(1.7, 1.7), (170.0, 1.7), (1700.0, 1.7), (17.0, None), (np.nan, None)])
def test_height_is_reported_by_size_or_left_out(tmp_path: Path, height: float, metres: float | None) -> None:
    subject = read_v3d(V3dFile(person={"sex": "m", "height": height, "mass": 70.0}).write(tmp_path))
    assert subject.sex == "male"
    assert subject.height_m == (None if metres is None else pytest.approx(metres))
    assert metres == 1.7 == height or any(finding.startswith("height") for finding in subject.findings)


@pytest.mark.parametrize("nesting", [0, 1, 3])
@pytest.mark.parametrize("lying", [False, True])
def test_nesting_and_orientation_change_nothing(tmp_path: Path, nesting: int, lying: bool) -> None:
    plain = read_v3d(V3dFile().write(tmp_path))
    odd = read_v3d(V3dFile(extra_nesting=nesting, lying=lying).write(tmp_path))
    assert odd.motions == plain.motions
    np.testing.assert_array_equal(odd.video_ranges, plain.video_ranges)
    np.testing.assert_array_equal(odd.markers_m, plain.markers_m)


def test_numeric_names_get_a_star(tmp_path: Path) -> None:
    subject = read_v3d(V3dFile().write(tmp_path))
    assert subject.marker_names == ("LFHD", "*1", "RFHD")
    assert any("1 of 3 names" in finding for finding in subject.findings)


def test_exact_zeros_are_missing_and_single_zeros_are_not(tmp_path: Path) -> None:
    markers = np.full((4, 3, 3), 250.0)
    markers[1, 2] = 0.0
    markers[2, 0] = (0.0, -1e-4, 0.0)
    subject = read_v3d(V3dFile(markers_mm=markers, n_samples=4).write(tmp_path))
    assert subject.markers_m is not None
    assert np.isnan(subject.markers_m[1, 2]).all()
    np.testing.assert_allclose(subject.markers_m[2, 0], (0.0, -1e-7, 0.0))
    assert np.isnan(subject.markers_m).sum() == 3
    assert subject.markers_m[0, 0, 0] == 0.25


def test_a_single_clip_keeps_its_shape(tmp_path: Path) -> None:
    subject = read_v3d(V3dFile(flags30=[[5, 9]], motions=["kicking"]).write(tmp_path))
    assert subject.video_ranges.tolist() == [[4, 9]]
    assert subject.motions == ("kicking",)


@pytest.mark.parametrize(
    ("file", "finding"),
    [
        (V3dFile(flags30=[[31, 45], [11, 20]]), "clip 2 starts at 11, before clip 1 at 31"),
        (V3dFile(flags30=[[11, 20], [18, 45]]), "clips 1 and 2 overlap by 3"),
        (V3dFile(flags30=[[11, 20], [45, 31]]), "clip 2 runs from 45 to 31"),
        (V3dFile(flags30=[[11, 20], [np.nan, np.nan]]), "clip 2 runs from nan to nan"),
        (V3dFile(motions=["walking"]), "1 names, flags30 2 clips"),
        (V3dFile(without=("flags120",)), "flags120: absent"),
        (V3dFile(flags120=[[41, 77], [200, 256]]), "flags120: clip 2 is samples 199 to 255"),
    ],
)
def test_odd_flags_are_reported_and_the_rest_is_kept(tmp_path: Path, file: V3dFile, finding: str) -> None:
    subject = read_v3d(file.write(tmp_path))
    assert any(finding in found for found in subject.findings), subject.findings
    assert [10, 20] in subject.video_ranges.tolist()
    assert subject.n_clips == len(subject.motions) == 2


def test_a_file_without_virtual_markers_is_read(tmp_path: Path) -> None:
    subject = read_v3d(V3dFile(without=("virtualMarkerName", "virtualMarkerLocation")).write(tmp_path))
    assert subject.virtual_markers_m is None
    assert subject.virtual_marker_names == ()


def test_bad_files_are_named(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        read_v3d(tmp_path / "F_v3d_Subject_9.mat")
    whole = V3dFile().write(tmp_path)
    truncated = tmp_path / "F_v3d_Subject_2.mat"
    truncated.write_bytes(whole.read_bytes()[:3000])
    garbage = tmp_path / "F_v3d_Subject_3.mat"
    garbage.write_bytes(b"not a mat file at all" * 40)
    empty = tmp_path / "F_v3d_Subject_4.mat"
    empty.write_bytes(b"")
    renamed = tmp_path / "F_v3d_Subject_5.mat"
    renamed.write_bytes(whole.read_bytes())
    for path in (truncated, garbage, empty, renamed):
        with pytest.raises(InputError, match=path.name) as caught:
            read_v3d(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (V3dFile(without=("flags30",)), "a field 'flags30'"),
        (V3dFile(person={"sex": "unknown", "height": 1.7, "mass": 70.0}), "'female' or 'male'"),
        (V3dFile(flags30=[[1, 2, 3], [4, 5, 6], [7, 8, 9]]), r"shape \(k, 2\)"),
        (V3dFile(markers_mm=np.zeros((5, 3))), r"shape \(t, m, 3\)"),
    ],
)
def test_what_every_file_has_must_be_there(tmp_path: Path, file: V3dFile, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_v3d(file.write(tmp_path))


@pytest.mark.reference
def test_world_a(shared: Path) -> None:
    subject = read_v3d(shared / "reference/world_a/v3d/F_v3d_Subject_15.mat")
    assert subject.motions == ("running_in_spot", "throw/catch", "vertical_jumping")
    assert subject.video_ranges.tolist() == [[35, 111], [125, 188], [195, 317]]
    assert subject.mocap_ranges[:, 1].tolist() == [441, 749, 1265]
