"""Alignment files: what was measured comes back, whole runs of frames as three numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.alignment_file import read_alignment, write_alignment
from movi_prep.records.alignment import ClipAlignment, SubjectAlignment
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.timeline import Refusal, overlap_clocks


def _alignment() -> SubjectAlignment:
    timeline = overlap_clocks(movi_clip(3, 2), "kicking", video_range=(100, 160), n_samples=200, samples_per_frame=4)
    wanted = np.ones(timeline.n_frames, bool)
    wanted[[4, 5, 20]] = False
    clip = ClipAlignment(
        timeline=timeline.keep(wanted, "for a test"),
        first_video_frame=100,
        n_video_frames=60,
        lag_s=0.001,
        mismatch=None,
        rotation_deg=0.5,
        offset_m=0.01,
        rms_m=0.02,
        suspicions=("a",),
        findings=("b",),
    )
    return SubjectAlignment(subject="S003", clips=(clip,), findings=("c",))


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    before = _alignment()
    write_alignment(tmp_path / "S003.json", before, provenance={})
    after = read_alignment(tmp_path / "S003.json")
    (old,), (new,) = before.clips, after.clips
    np.testing.assert_array_equal(new.timeline.video_frames, old.timeline.video_frames)
    np.testing.assert_array_equal(new.timeline.mocap_samples, old.timeline.mocap_samples)
    assert new.timeline.refused == old.timeline.refused
    assert (new.lag_s, new.mismatch, new.suspicions, new.findings) == (0.001, None, ("a",), ("b",))
    assert after.findings == ("c",)


def test_version_1_which_had_numbers_still_reads(tmp_path: Path) -> None:
    path = tmp_path / "S003.json"
    write_alignment(path, _alignment(), provenance={})
    content = json.loads(path.read_text())
    assert (content["subject"], content["clips"][0]["clip"]) == ("S003", "C02")
    content |= {"version": 1, "subject": 3}
    content["clips"][0]["clip"] = 2
    path.write_text(json.dumps(content))
    after = read_alignment(path)
    assert after.subject == "S003"
    assert after.clips[0].timeline.clip == movi_clip(3, 2)


def test_runs_are_short(tmp_path: Path) -> None:
    write_alignment(tmp_path / "S003.json", _alignment(), provenance={})
    entry = json.loads((tmp_path / "S003.json").read_text())["clips"][0]
    assert entry["video_frames"] == [[100, 4, 1], [106, 14, 1], [121, 29, 1]]


def test_refusals_are_grouped_and_readable() -> None:
    refused = _alignment().clips[0].timeline.refused
    assert refused == (
        Refusal(150, 159, "the clip ends with mocap sample 199"),
        Refusal(104, 105, "for a test"),
        Refusal(120, 120, "for a test"),
    )
    assert str(refused[1]) == "frames 104 to 105 refused: for a test"
    assert str(refused[2]) == "frame 120 refused: for a test"


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "S003.json"
    with pytest.raises(MissingError):
        read_alignment(path)
    for content in ("{", "{}", "[]"):
        path.write_text(content)
        with pytest.raises(InputError):
            read_alignment(path)
