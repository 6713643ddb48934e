"""The Python API gives what the command line gives, from a few lines of a notebook."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import movi_prep as mp
from movi_prep.errors import UsageError
from movi_prep.formats.trc import read_trc
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.stages.ik import IK
from movi_prep.stages.scale import SCALE
from tests.builders.small_model import MARKERS
from tests.builders.small_world import CLIP, SmallWorld, write_small_world
from tests.sentences import raises_recorded
from tools.site_pages import API

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def world(folder: Path) -> SmallWorld:
    return write_small_world(folder, solver="converged")


def test_a_few_lines_give_the_angles_of_the_command_line(world: SmallWorld, folder: Path) -> None:
    for stage in (SCALE, IK):
        (unit,) = stage.plan(world.recordings, world.work, world.config)
        stage.run_unit(unit)
    by_command = mp.read_ik_solution(world.work.ik_solution(CLIP))

    subject, result = mp.scale_model(
        mp.read_markers(folder / "static.trc"), model=folder / "generic.osim", setup=folder / "scale.yaml"
    )
    solution = mp.solve_ik(subject, mp.read_markers(str(folder / "walk.trc")), setup=folder / "ik.yaml")

    assert result.passed
    # A TRC file has six decimals of a millimetre.
    np.testing.assert_allclose(solution.coordinates, by_command.coordinates, atol=1e-6)
    np.testing.assert_allclose(solution.coordinates, world.coordinates, atol=0.01)


def test_markers_of_no_set_up_count_alike(world: SmallWorld, folder: Path) -> None:
    model, markers = mp.read_model(folder / "generic.osim"), mp.read_markers(folder / "walk.trc")
    solution = mp.solve_ik(model, markers)
    assert dict(zip(solution.marker_names, solution.marker_weights.tolist(), strict=True)) == dict.fromkeys(MARKERS, 1)
    np.testing.assert_allclose(solution.coordinates, world.coordinates, atol=1e-3)


def test_our_model_takes_its_own_weights() -> None:
    model = mp.read_model()
    still = np.repeat(np.array(list(model.default_markers_m.values()))[None], 3, axis=0)
    markers = MarkerTrajectories(tuple(model.default_markers_m), still, np.arange(3) / 30, np.arange(3), 30.0, "still")
    solution = mp.solve_ik(model, markers)
    assert len(set(solution.marker_weights.tolist())) > 1, "landmarks weigh more than other markers"
    assert np.nanmax(solution.residuals_m()) < 1e-6


def test_weights_decide_which_markers_count(world: SmallWorld, folder: Path) -> None:
    model, markers = mp.read_model(folder / "generic.osim"), mp.read_markers(folder / "walk.trc")
    solution = mp.solve_ik(model, markers, weights={name: 2.0 for name in MARKERS if not name.startswith("shank")})
    knee = solution.coordinate_names.index("knee")
    assert not solution.coordinate_valid[:, knee].any()
    assert np.delete(solution.coordinate_valid, knee, axis=1).all()
    with raises_recorded(UsageError):
        mp.solve_ik(model, markers, weights={"pelvis_a": 1.0}, setup=folder / "ik.yaml")


def test_a_model_of_ones_own_needs_a_set_up(world: SmallWorld, folder: Path) -> None:
    with raises_recorded(UsageError):
        mp.scale_model(mp.read_markers(folder / "static.trc"), model=folder / "generic.osim")


def test_curves_show_what_is_valid(world: SmallWorld, folder: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    solution = mp.solve_ik(mp.read_model(folder / "generic.osim"), mp.read_markers(folder / "walk.trc"))
    (axis,) = mp.plot_coordinates(solution, ["hip"]).axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), np.degrees(world.coordinates[:, 6]), atol=0.01)
    assert len(mp.plot_coordinates(solution, most=3).axes) == 3
    with raises_recorded(UsageError):
        mp.plot_coordinates(solution, ["hipp"])


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'opensim', 'h5py', 'numba', 'cv2', 'numpy'}"
    code = f"import sys, movi_prep; dir(movi_prep); sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_of_the_api_is_there() -> None:
    for name in mp.__all__:
        assert getattr(mp, name) is not None
    with pytest.raises(AttributeError):
        mp.nothing  # noqa: B018


def test_marker_files_of_either_kind_are_read(world: SmallWorld, folder: Path) -> None:
    of_work, of_trial = mp.read_markers(world.work.markers(CLIP)), read_trc(folder / "walk.trc")
    np.testing.assert_allclose(of_work.positions_m, of_trial.positions_m, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in mp.__all__ if name != "__version__"])
def test_the_page_documents_every_name_with_all_that_it_takes_and_returns(name: str) -> None:
    thing = getattr(mp, name)
    assert "movi_prep.api" in API
    if inspect.isclass(thing):
        assert f"{thing.__module__}.{name}" in API
        return
    text = inspect.getdoc(thing) or ""
    arguments, _, rest = text.partition("Args:\n")[2].partition("Returns:\n")
    assert rest, "what it returns"
    for parameter in inspect.signature(thing).parameters:
        assert f"    {parameter}: " in arguments, parameter


def test_the_page_documents_every_record_that_the_functions_take_or_return() -> None:
    from movi_prep import api
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.scale_result import ScaleResult

    known = {
        **vars(api),
        "MarkerTrajectories": MarkerTrajectories,
        "ScaledModel": ScaledModel,
        "IkSolution": IkSolution,
        "ScaleResult": ScaleResult,
    }
    named = {
        word
        for name in api.__all__
        for hint in inspect.get_annotations(getattr(api, name)).values()
        for word in re.findall(r"[A-Z]\w+", str(hint))
    }
    ours = {word for word in named if getattr(known.get(word), "__module__", "").startswith("movi_prep.")}
    assert ours >= {"MarkerTrajectories", "StaticTrial", "ScaledModel", "IkSolution", "ScaleResult"}
    assert {word for word in ours if not any(entry.endswith(f".{word}") for entry in API)} <= {"IkSettings"}
