"""The drop-in writes what OpenSim's tool writes, where it writes it, and never over what it reads."""

from __future__ import annotations

import os
import shutil
from contextlib import chdir
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.errors import InputError, UsageError
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import read_trc, write_trc
from movi_prep.osim.models import quiet_opensim
from movi_prep.trials.tool_documents import run_setup_documents, solve_setup_document
from tests.builders.small_world import write_small_world
from tests.sentences import raises_recorded
from tests.trials.test_marker_files import DOCUMENT, MARKER_TASKS

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = IkSettings()


def ik_document(folder: Path, motion: str = "small_ik.mot", *, name: str = "setup.xml") -> Path:
    write_small_world(folder)
    text = DOCUMENT.format(tasks=MARKER_TASKS, coordinates="").replace("small_ik.mot", motion)
    (folder / name).write_text(text)
    return folder / name


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("motion", ["walk.trc", "generic.osim", "setup.xml", "./generic.osim", "../F/walk.trc"])
def test_a_result_never_replaces_what_is_read(tmp_path: Path, motion: str) -> None:
    (tmp_path / "F").mkdir()
    document = ik_document(tmp_path / "F", motion)
    before = _bytes(tmp_path / "F")
    with pytest.raises(UsageError):
        solve_setup_document(document, SETTINGS)
    assert _bytes(tmp_path / "F") == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_do_not_hide_what_is_read(tmp_path: Path, link: object) -> None:
    document = ik_document(tmp_path, "out.mot")
    link(tmp_path / "walk.trc", tmp_path / "out.mot")  # type: ignore[operator]
    before = _bytes(tmp_path)
    with pytest.raises(UsageError):
        solve_setup_document(document, SETTINGS)
    assert _bytes(tmp_path) == before


def test_a_result_goes_over_an_earlier_one_and_over_nothing_else(tmp_path: Path) -> None:
    document = ik_document(tmp_path, "bone.vtp")
    (tmp_path / "bone.vtp").write_text("<VTKFile/>")
    with pytest.raises(UsageError):
        solve_setup_document(document, SETTINGS)
    (tmp_path / "bone.vtp").unlink()
    solve_setup_document(document, SETTINGS)
    solve_setup_document(document, SETTINGS)


def test_a_result_never_replaces_what_another_document_reads(tmp_path: Path) -> None:
    first = ik_document(tmp_path)
    second = tmp_path / "second.xml"
    second.write_text(first.read_text().replace('name="small"', 'name="other"').replace("small_ik.mot", "setup.xml"))
    before = first.read_bytes()
    solved, refused = run_setup_documents([first, second], Config(work=tmp_path / "work"))
    assert (bool(solved.error), bool(refused.error)) == (False, True)
    assert first.read_bytes() == before


def test_a_model_is_scaled_and_then_tracked_in_one_call_again_and_again(tmp_path: Path) -> None:
    scale, track = scale_document(tmp_path), tmp_path / "setup.xml"
    track.write_text(DOCUMENT.format(tasks=MARKER_TASKS, coordinates="").replace("generic.osim", "placed.osim"))
    config = Config(work=tmp_path / "work")
    for _ in range(2):
        assert [result.error for result in run_setup_documents([scale, track], config)] == ["", ""]


@pytest.mark.parametrize("is_there", [False, True])
def test_the_model_that_one_call_scales_is_the_one_that_it_tracks_wherever_results_go(
    is_there: bool, tmp_path: Path
) -> None:
    scale, track = scale_document(tmp_path), tmp_path / "setup.xml"
    track.write_text(DOCUMENT.format(tasks=MARKER_TASKS, coordinates="").replace("generic.osim", "placed.osim"))
    out = tmp_path / "out"
    if is_there:
        # Of an earlier call, and of no use to this one.
        (tmp_path / "placed.osim").write_bytes((tmp_path / "generic.osim").read_bytes())
    results = run_setup_documents([scale, track], Config(work=out), results_folder=out)
    assert [result.error for result in results] == ["", ""]
    run_setup_documents([scale], Config(work=tmp_path))
    alone = run_setup_documents([track], Config(work=tmp_path / "alone"), results_folder=tmp_path / "alone")[0]
    motions = [path for result in (results[1], alone) for path in result.outputs if path.suffix == ".mot"]
    assert motions[0].read_bytes() == motions[1].read_bytes()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_document_that_tracks_before_its_model_is_scaled_is_refused(is_there: bool, tmp_path: Path) -> None:
    scale, track = scale_document(tmp_path), tmp_path / "setup.xml"
    track.write_text(DOCUMENT.format(tasks=MARKER_TASKS, coordinates="").replace("generic.osim", "placed.osim"))
    if is_there:
        (tmp_path / "placed.osim").write_bytes((tmp_path / "generic.osim").read_bytes())
    before = sorted(tmp_path.iterdir())
    with raises_recorded(UsageError):
        run_setup_documents([track, scale], Config(work=tmp_path / "work"))
    with pytest.raises(UsageError):
        run_setup_documents([track, scale], Config(work=tmp_path / "work"), results_folder=tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before, "nothing was written"


def test_what_one_document_raises_leaves_the_others(tmp_path: Path) -> None:
    good = ik_document(tmp_path)
    text = good.read_text()
    strange, folder, blocked = (tmp_path / f"{name}.xml" for name in ("strange", "folder", "blocked"))
    strange.write_text('<?xml version="1.0" encoding="klingon"?><x/>')
    folder.mkdir()
    # A file stands where the folder of the results should be.
    blocked.write_text(text.replace('name="small"', 'name="b"').replace("small_ik.mot", "walk.trc/b.mot"))
    *failed, solved = run_setup_documents([strange, folder, blocked, good], Config(work=tmp_path / "work"))
    assert [bool(result.error) for result in failed] == [True, True, True]
    assert not solved.error


def test_set_up_and_static_trial_may_spell_the_model_s_markers_otherwise(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    expected = read_storage(solve_setup_document(document, SETTINGS).outputs[0])
    document.write_text(DOCUMENT.format(tasks=MARKER_TASKS.replace("pelvis", "PELVIS"), coordinates=""))
    result = solve_setup_document(document, SETTINGS)
    np.testing.assert_array_equal(read_storage(result.outputs[0]).values, expected.values)
    assert any("matched" in finding for finding in result.findings)

    scale = scale_document(tmp_path)
    (exact,) = run_setup_documents([scale], Config(work=tmp_path / "work"))
    markers = read_trc(tmp_path / "static.trc")
    write_trc(tmp_path / "static.trc", replace(markers, names=tuple(f"A:{name.upper()}" for name in markers.names)))
    (spelt,) = run_setup_documents([scale], Config(work=tmp_path / "work"))
    assert spelt.numbers == exact.numbers
    assert len(spelt.findings) == len(exact.findings) + 1


def test_marker_locations_stand_in_the_order_of_the_marker_file(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    markers = read_trc(tmp_path / "walk.trc")
    order = markers.names[::-1]
    write_trc(tmp_path / "walk.trc", markers.select(order))
    outputs = solve_setup_document(document, SETTINGS).outputs
    table = read_storage(outputs[-1])
    assert table.labels[::3] == tuple(f"{name}_tx" for name in order)


def test_names_that_differ_by_case_give_the_same_angles_and_a_word(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    expected = read_storage(solve_setup_document(document, SETTINGS).outputs[0])
    markers = read_trc(tmp_path / "walk.trc")
    write_trc(tmp_path / "walk.trc", replace(markers, names=tuple(f"Walker:{name.lower()}" for name in markers.names)))
    result = solve_setup_document(document, SETTINGS)
    np.testing.assert_array_equal(read_storage(result.outputs[0]).values, expected.values)
    assert any("matched" in finding for finding in result.findings)


def test_names_that_fit_no_marker_are_no_result(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    markers = read_trc(tmp_path / "walk.trc")
    write_trc(tmp_path / "walk.trc", replace(markers, names=tuple(f"p{index}" for index in range(len(markers.names)))))
    with pytest.raises(InputError) as caught:
        solve_setup_document(document, SETTINGS)
    assert caught.value.where.endswith("walk.trc")


def test_a_time_range_that_cuts_the_trial_is_said(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    assert any("time_range" in finding for finding in solve_setup_document(document, SETTINGS).findings)
    text = document.read_text().replace("<time_range>0.04 0.2</time_range>", "")
    document.write_text(text)
    assert not any("time_range" in finding for finding in solve_setup_document(document, SETTINGS).findings)


SCALE_DOCUMENT = """<OpenSimDocument Version="40000"><ScaleTool name="small"><mass>60</mass>
  <GenericModelMaker><model_file>generic.osim</model_file></GenericModelMaker>
  <ModelScaler><scaling_order>manualScale</scaling_order><ScaleSet><objects><Scale><scales>1.1 1.1 1.1</scales>
    <segment>pelvis</segment></Scale></objects></ScaleSet><output_model_file>sized.osim</output_model_file>
    <output_scale_file>factors.xml</output_scale_file></ModelScaler>
  <MarkerPlacer><IKTaskSet><objects>{tasks}</objects></IKTaskSet><marker_file>{static}</marker_file>
    <time_range>0.02 0.3</time_range><output_model_file>{output}</output_model_file>
    <output_marker_file>markers.xml</output_marker_file><output_motion_file>pose.mot</output_motion_file></MarkerPlacer>
</ScaleTool></OpenSimDocument>
"""


def scale_document(folder: Path, *, static: str = "static.trc", output: str = "placed.osim") -> Path:
    write_small_world(folder)
    (folder / "scale.xml").write_text(SCALE_DOCUMENT.format(tasks=MARKER_TASKS, static=static, output=output))
    return folder / "scale.xml"


def test_a_scale_tool_document_runs_like_the_tool(tmp_path: Path) -> None:
    (result,) = run_setup_documents([scale_document(tmp_path)], Config(work=tmp_path / "elsewhere"))
    written = ["sized.osim", "factors.xml", "placed.osim", "markers.xml", "pose.mot"]
    assert [path.name for path in result.outputs] == written
    assert not (tmp_path / "elsewhere").exists(), "a drop-in writes where the document says"
    sized, placed = (read_text_of_markers(path) for path in result.outputs[::2][:2])
    assert sized != placed, "markers are placed in the second model only"
    assert not any("not written" in finding for finding in result.findings)


def test_what_scaling_writes_beside_models_is_what_opensims_tool_writes(tmp_path: Path) -> None:
    document = scale_document(tmp_path)
    config = Config(work=tmp_path / "ours", ik=IkSettings(solver="opensim"))
    run_setup_documents([document], config, results_folder=tmp_path / "ours")
    quiet_opensim()
    with chdir(tmp_path):
        assert opensim.ScaleTool(str(document)).run()
    assert (tmp_path / "ours/factors.xml").read_bytes() == (tmp_path / "factors.xml").read_bytes()
    ours, tools = (read_storage(folder / "pose.mot") for folder in (tmp_path / "ours", tmp_path))
    assert (ours.name, ours.labels, ours.in_degrees) == (tools.name, tools.labels, tools.in_degrees)
    np.testing.assert_array_equal(ours.times_s, tools.times_s)
    np.testing.assert_allclose(ours.values, tools.values, atol=2e-4)
    placed, model = (read_text_of_markers(tmp_path / "ours" / name) for name in ("markers.xml", "placed.osim"))
    assert placed == model
    # Its own results are replaced, a set-up of the user's is not.
    run_setup_documents([document], config, results_folder=tmp_path / "ours")
    shutil.copy(document, tmp_path / "ours/factors.xml")
    with pytest.raises(UsageError):
        run_setup_documents([document], config, results_folder=tmp_path / "ours")


def test_models_of_a_scale_tool_document_go_where_the_user_says(tmp_path: Path) -> None:
    config = Config(work=tmp_path / "work")
    (result,) = run_setup_documents([scale_document(tmp_path)], config, results_folder=tmp_path / "work")
    assert {path.parent for path in result.outputs} == {tmp_path / "work"}


@pytest.mark.parametrize("output", ["generic.osim", "static.trc", "scale.xml"])
def test_a_scaled_model_never_replaces_what_is_read(tmp_path: Path, output: str) -> None:
    document = scale_document(tmp_path, output=output)
    before = _bytes(tmp_path)
    with pytest.raises(UsageError):
        run_setup_documents([document], Config(work=tmp_path / "work"))
    assert _bytes(tmp_path) == before


def test_a_scale_tool_document_without_a_static_trial_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run_setup_documents([scale_document(tmp_path, static="")], Config(work=tmp_path / "work"))


def read_text_of_markers(path: Path) -> list[str]:
    """Return the lines of a model that say where its markers are."""
    return [line.strip() for line in path.read_text().splitlines() if "<location>" in line]


def test_deviations_are_written_beside_the_motion_where_they_are_asked_for(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    plain = solve_setup_document(document, SETTINGS)
    motion = read_storage(tmp_path / "small_ik.mot")

    asked = solve_setup_document(document, SETTINGS.model_copy(update={"write_deviations": True}))

    added = [path.name for path in asked.outputs if path not in plain.outputs]
    assert added == ["small_ik_deviations.sto"]
    deviations = read_storage(tmp_path / "small_ik_deviations.sto")
    assert (deviations.labels, deviations.in_degrees) == (motion.labels, True)
    np.testing.assert_array_equal(deviations.times_s, motion.times_s)
    # Skin of some millimetres on limbs of some decimetres: between a tenth of a degree and some ten.
    hip_deg = deviations.values[:, deviations.labels.index("hip")]
    assert np.all((hip_deg > 0.1) & (hip_deg < 30.0))
    np.testing.assert_array_equal(read_storage(tmp_path / "small_ik.mot").values, motion.values)


def test_a_solver_without_deviations_is_refused_before_it_solves(tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    before = _bytes(tmp_path)
    with pytest.raises(UsageError):
        solve_setup_document(document, IkSettings(solver="opensim", write_deviations=True))
    assert _bytes(tmp_path) == before
