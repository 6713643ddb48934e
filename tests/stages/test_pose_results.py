"""Markers from files of 3DPW: an ellipsoid as SMPL, two people in one file, a world that is upside down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.root import Config
from movi_prep.errors import MissingError, UsageError
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.recordings.find import find_recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.markers import MARKERS, STATIC
from tests.builders.body import HIGHEST, LOWEST, build_body_model, smpl_arrays
from tests.builders.pose_result_files import network_results, upright_poses, write_3dpw
from tests.builders.python2_pickle import ch, csc, write_python2_pickle

DOWN = np.array([0.0, -1.0, 0.0])
SET = f"""
format: movi-prep marker set
version: 1
name: ends
markers:
  - {{name: TOP, vertex: {HIGHEST}}}
  - {{name: BOTTOM, vertex: {LOWEST}}}
  - {{name: FINGER, joint: 23}}
"""


def test_people_of_one_file_become_markers_with_their_own_bodies(tmp_path: Path) -> None:
    arrays = smpl_arrays(build_body_model())
    content = {**arrays, "shapedirs": ch(arrays["shapedirs"]), "J_regressor": csc(arrays["J_regressor"])}
    for sex in ("MALE", "FEMALE"):
        write_python2_pickle(tmp_path / "models" / f"SMPL_{sex}.pkl", content)
    people = [upright_poses(12, up=DOWN, seed=seed) for seed in (0, 1)]
    write_3dpw(tmp_path / "3dpw/courtyard_arguing_00.pkl", people, ["m", "f"])
    (tmp_path / "set.yaml").write_text(SET)
    config = Config(amass=tmp_path / "3dpw", body_models=tmp_path / "models", reader="3dpw", work=tmp_path / "work")
    config = config.model_copy(
        update={"markers": config.markers.model_copy(update={"marker_set": tmp_path / "set.yaml"})}
    )
    recordings, work = find_recordings(config), WorkFolder(config.work)
    assert set(recordings.body_models) == {("SMPL", "male"), ("SMPL", "female")}
    for unit in STATIC.plan(recordings, work, config):
        STATIC.run_unit(unit)
        trial = read_static_trial(unit.outputs.trial)  # type: ignore[attr-defined]
        assert (trial.markers.names, trial.lost) == (("TOP", "BOTTOM"), ("FINGER",))
    sexes = [read_static_trial(work.static_trial(subject)).sex for subject in recordings.subjects]
    assert sexes == ["male", "female"]
    heights = []
    for unit in MARKERS.plan(recordings, work, config):
        report = MARKERS.run_unit(unit)
        assert any("-y is up" in text for text in report.findings)
        assert any("no finger joints" in text for text in report.findings)
        markers = read_markers(unit.outputs.markers)  # type: ignore[attr-defined]
        top, bottom = markers.positions_m[:, 0], markers.positions_m[:, 1]
        assert top[:, 1].mean() > bottom[:, 1].mean() + 0.8
        heights.append(markers.positions_m[..., 1].mean())
    # The second person stands a metre along the file's y, which points down.
    assert np.isclose(heights[1] - heights[0], -1, atol=0.2)


def test_a_reader_beside_what_it_does_not_read_is_refused(tmp_path: Path) -> None:
    for more in ({"subset": ("ACCAD",)}, {"videos": tmp_path}):
        with pytest.raises(UsageError):
            find_recordings(Config(amass=tmp_path, reader="3dpw", **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("said", [None, "male", "female"])
def test_a_sex_that_nobody_says_is_asked_for_where_models_have_one(tmp_path: Path, said: str | None) -> None:
    write_python2_pickle(tmp_path / "models" / "SMPL_MALE.pkl", smpl_arrays(build_body_model()))
    np.savez(tmp_path / "walk.npz", **network_results(upright_poses(12, up=-DOWN), matrices=False))
    entry = {"subject": "A", "clip": "walk", "motion": "walk.npz", **({} if said is None else {"sex": said})}
    (tmp_path / "recordings.yaml").write_text(json.dumps({"body_models": "models", "recordings": [entry]}))
    (tmp_path / "set.yaml").write_text(SET)
    config = Config(manifest=tmp_path / "recordings.yaml", work=tmp_path / "work")
    config = config.model_copy(
        update={"markers": config.markers.model_copy(update={"marker_set": tmp_path / "set.yaml"})}
    )
    (unit,) = STATIC.plan(find_recordings(config), WorkFolder(config.work), config)
    if said == "male":
        STATIC.run_unit(unit)
        assert read_static_trial(unit.outputs.trial).sex == "male"  # type: ignore[attr-defined]
        return
    with pytest.raises(MissingError) as caught:
        STATIC.run_unit(unit)
    # Who says a sex has said enough: then its model is missing.
    assert ("`sex`" in caught.value.remedy) == (said is None)
