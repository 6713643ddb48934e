"""What `inspect` tells of files that carry no description of their own, and of paths that are no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from benchmarks.fuzz_readers import sound_files
from movi_prep.errors import InputError, MissingError
from movi_prep.examine.inspect_file import inspect_file
from movi_prep.formats.d3ke import write_base_model, write_boxes, write_dictionary
from movi_prep.records.base_model import BaseBody, BaseModel
from tests.builders.avi_files import Layout, build_avi, encoded_frames
from tests.builders.coded_videos import write_coded_video
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path


def test_d3kes_datasets_are_reported_by_their_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "subject_1_opensim.hdf5", "w") as file:
        file["coordinateAngle"] = np.zeros((4, 69))
        file["1_boneScale"] = np.ones((48, 3))
    facts = inspect_file(tmp_path / "subject_1_opensim.hdf5")
    assert facts.kind == "D3KE's layout"
    reported = {item.name: (item.dims, item.unit) for item in facts.arrays}
    assert reported == {
        "coordinateAngle": ("(row, coordinate)", "rad"),
        "1_boneScale": ("(body, 3) scale factors", "1"),
    }


def test_hdf5_of_others_is_named_so_and_its_attributes_stand_in_order(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
        for name in "gbeadcf":
            file.attrs[name] = True
    facts = inspect_file(tmp_path / "other.h5")
    assert facts.kind == "HDF5 of another program"
    assert list(facts.facts.items()) == [(name, "true") for name in "abcdefg"]


def test_d3kes_boxes_frames_and_model_are_reported(tmp_path: Path) -> None:
    write_boxes(tmp_path / "1_PG1_bbox.npy", np.zeros((5, 4)))
    write_dictionary(tmp_path / "all_bbox.npy", {1: {"PG1": np.zeros((5, 4))}})
    write_dictionary(tmp_path / "videoIdx.npy", {1: np.array([[1], [5]])})
    (boxes,) = inspect_file(tmp_path / "1_PG1_bbox.npy").arrays
    (both,) = inspect_file(tmp_path / "all_bbox.npy").arrays
    (frames,) = inspect_file(tmp_path / "videoIdx.npy").arrays
    assert (boxes.unit, both.name, both.unit) == ("px", "1 PG1", "px")
    assert (frames.name, frames.shape, frames.frame) == ("1", (2, 1), "video, from 1")
    body = BaseBody("pelvis", (), 1.0, (0.0,) * 3, (0.0,) * 6, (1.0,) * 3)
    write_base_model(tmp_path / "pyBaseModel.pkl", BaseModel((body,), (), (), ()))
    assert inspect_file(tmp_path / "pyBaseModel.pkl").facts["bodies"] == 1


def test_a_set_up_of_opensim_is_reported_as_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "walk.trc").touch()
    tasks = '<IKTaskSet><objects><IKMarkerTask name="A"><weight>3</weight></IKMarkerTask></objects></IKTaskSet>'
    files = "<model_file>m.osim</model_file><marker_file>walk.trc</marker_file><time_range>0.5 2</time_range>"
    document = f"<InverseKinematicsTool name='walk'>{files}{tasks}</InverseKinematicsTool>"
    (tmp_path / "ik.xml").write_text(f"<OpenSimDocument Version='40000'>{document}</OpenSimDocument>")
    facts = inspect_file(tmp_path / "ik.xml")
    assert facts.kind == "OpenSim document: InverseKinematicsTool"
    assert (facts.facts["weights"], facts.facts["time range, s"]) == ("A 3", "0.5 to 2")
    assert facts.facts["files"] == f"model {tmp_path / 'm.osim'} (not there); markers {tmp_path / 'walk.trc'}"
    scaler = "<ModelScaler><scaling_order>measurements</scaling_order></ModelScaler>"
    (tmp_path / "s.xml").write_text(
        f"<ScaleTool><mass>70</mass>{scaler}<MarkerPlacer>{tasks}</MarkerPlacer></ScaleTool>"
    )
    facts = inspect_file(tmp_path / "s.xml")
    assert (facts.facts["mass_kg"], facts.facts["order"], facts.facts["files"]) == (70.0, "measurements", "none")


def test_a_video_says_what_headers_index_and_file_hold(tmp_path: Path) -> None:
    avi = build_avi(encoded_frames("MJPG"), Layout())
    begin, end = avi.middle(25), avi.middle(31)
    for name, content, frames, findings in (
        ("whole.avi", avi.content, ("60 (idx1)", 60), "none"),
        ("damaged.avi", avi.content[:begin] + bytes(end - begin) + avi.content[end:], ("60 (idx1)", 54), "are lost"),
        ("cut.avi", avi.content[:begin], ("no index", 26), "the file was cut: it holds 26 frames"),
    ):
        (tmp_path / name).write_bytes(content)
        facts = inspect_file(tmp_path / name).facts
        assert facts["frames by header"] == 60
        assert (facts["frames by index"], facts["frames in the file"]) == frames
        assert findings in str(facts["findings"])


def test_a_clock_that_varies_is_that_of_the_packets(tmp_path: Path) -> None:
    pytest.importorskip("av")
    times_s = [0.0, 0.02, 0.08, 0.1, 0.16]
    facts = inspect_file(write_coded_video(tmp_path / "phone.mov", times_s=times_s)).facts
    assert facts["rate_hz"] == pytest.approx(4 / 0.16)
    assert "varies" in str(facts["clock"])
    assert "clock" not in inspect_file(write_coded_video(tmp_path / "even.mp4", times_s=[0.0, 0.04, 0.08])).facts


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with raises_recorded(InputError):
        inspect_file(tmp_path)
    with raises_recorded(MissingError):
        inspect_file(tmp_path / "nothing.h5")


@pytest.mark.parametrize(
    ("name", "kind", "fact"),
    [
        ("trial.c3d", "C3D", "A, B, C"),
        ("Calib.toml", "Pose2Sim", "1280x720 px"),
        ("opencv.yaml", "OpenCV", "1280x720 px"),
        ("opencv.xml", "OpenCV", "1280x720 px"),
        ("recordings.csv", "manifest", "front"),
        ("recordings.yaml", "manifest", "front"),
        ("wham.pkl", "persons", "6 frames"),
        ("gvhmr.pt", "persons", "6 frames"),
        ("3dpw.pkl", "persons", "female, 10 betas, 6 frames, 30 Hz"),
        ("emdb.pkl", "persons", "female"),
        ("body.pkl", "body model", ""),
    ],
)
def test_files_of_others_say_what_they_hold(sound: Path, name: str, kind: str, fact: str) -> None:
    if not (sound / name).is_file():
        pytest.skip("ezc3d, an extra, is not installed")
    facts = inspect_file(sound / name)
    assert kind in facts.kind
    assert not fact or any(fact in str(value) for value in facts.facts.values())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    sound_files(folder)
    return folder
