"""A solution of angles only: the same labels in a small file, and the rest comes back from model and markers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from movi_prep.config.load import dump_config, load_config
from movi_prep.errors import InputError
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.marker_file import read_markers, write_markers
from movi_prep.runtime.file_identity import FileIdentities
from movi_prep.runtime.settings_identity import describe_settings
from movi_prep.stages.ik import IK, ik_content
from movi_prep.stages.scale import SCALE
from movi_prep.stages.whole_solution import read_whole_solution
from tests.builders.small_world import CLIP, SmallWorld, write_small_world

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.records.ik_solution import IkSolution

LABELS = ("coordinates", "coordinate_valid", "statuses", "iterations", "gradient_norms", "constraint_errors")
ROOT = ("root_frame_rotations", "root_frame_positions_m")
REST = ("model_markers_m", "observed_markers_m", "body_rotations", "body_positions_m", "joint_centres_m")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    world = write_small_world(tmp_path_factory.mktemp("world"), solver="converged")
    (unit,) = SCALE.plan(world.recordings, world.work, world.config)
    SCALE.run_unit(unit)
    return world


def _solve(world: SmallWorld, content: Literal["everything", "angles"]) -> IkSolution:
    config = world.config.model_copy(update={"ik": world.config.ik.model_copy(update={"content": content})})
    (unit,) = IK.plan(world.recordings, world.work, config)
    IK.run_unit(unit)
    return read_ik_solution(world.work.ik_solution(CLIP))


def _setup(world: SmallWorld) -> Path:
    (unit,) = IK.plan(world.recordings, world.work, world.config)
    path: Path = unit.inputs.setup
    return path


@pytest.fixture(scope="module")
def everything(world: SmallWorld) -> IkSolution:
    return _solve(world, "everything")


@pytest.fixture
def angles(world: SmallWorld) -> IkSolution:
    return _solve(world, "angles")


def test_labels_are_the_same_bytes(everything: IkSolution, angles: IkSolution) -> None:
    assert everything.is_whole
    assert not angles.is_whole
    for name in (*LABELS, *ROOT):
        np.testing.assert_array_equal(getattr(angles, name), getattr(everything, name), err_msg=name)
    np.testing.assert_allclose(angles.objectives, everything.objectives, rtol=1e-9, atol=1e-18)
    assert angles.label_std is not None
    assert everything.label_std is not None
    # At the ends both are computed; between, one changes in proportion, and of the other its factor does.
    np.testing.assert_allclose(angles.label_std[[0, -1]], everything.label_std[[0, -1]], rtol=5e-3)


def test_markers_bodies_and_joints_come_back(world: SmallWorld, everything: IkSolution, angles: IkSolution) -> None:
    assert not any(getattr(angles, name).size for name in REST)
    restored = read_whole_solution(world.work, CLIP, _setup(world))
    assert restored.marker_names == everything.marker_names
    for name in REST:
        # The whole file holds them in single precision.
        np.testing.assert_allclose(getattr(restored, name), getattr(everything, name), atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(restored.marker_weights, everything.marker_weights)
    np.testing.assert_array_equal(restored.coordinate_valid, angles.coordinate_valid)
    np.testing.assert_array_equal(restored.label_std, angles.label_std)


@pytest.mark.usefixtures("angles")
def test_markers_of_another_run_are_refused(world: SmallWorld) -> None:
    path = world.work.markers(CLIP)
    content = path.read_bytes()
    write_markers(path, read_markers(path).rows(slice(0, -1)), provenance={})
    with pytest.raises(InputError) as caught:
        read_whole_solution(world.work, CLIP, _setup(world))
    assert caught.value.where == str(world.work.ik_solution(CLIP))
    path.write_bytes(content)


def test_clips_of_amass_by_subset_give_angles_and_no_motion_file_unless_asked(world: SmallWorld) -> None:
    by_subset = replace(world.recordings, reader="amass")
    settings = world.config.ik
    assert ik_content(settings, by_subset) == "angles"
    assert ik_content(settings, world.recordings) == "everything"
    assert ik_content(settings.model_copy(update={"content": "everything"}), by_subset) == "everything"
    (unit,) = IK.plan(by_subset, world.work, world.config)
    assert unit.outputs.motion is None
    asked = world.config.model_copy(update={"ik": settings.model_copy(update={"write_mot": True})})
    (unit,) = IK.plan(by_subset, world.work, asked)
    assert unit.outputs.motion == world.work.ik_motion(CLIP)


def test_a_mask_that_needs_observability_in_each_frame_gets_it(world: SmallWorld) -> None:
    settings = world.config.ik
    assert settings.for_unit(keep_failed_audit=False).converged.observe_every is None
    some = settings.for_unit(keep_failed_audit=False, content="angles").converged.observe_every
    assert some is not None
    assert some > 1
    masked = settings.model_copy(update={"converged": settings.converged.model_copy(update={"mask_unseen": True})})
    assert masked.for_unit(keep_failed_audit=False, content="angles").converged.observe_every is None


def test_the_configuration_that_a_run_leaves_asks_for_the_same(world: SmallWorld, tmp_path: Path) -> None:
    by_subset = replace(world.recordings, reader="amass")
    (before,) = IK.plan(by_subset, world.work, world.config)
    (tmp_path / "config.yaml").write_text(dump_config(world.config))
    (after,) = IK.plan(by_subset, world.work, load_config(tmp_path / "config.yaml", {}))
    assert describe_settings(after.settings, FileIdentities()) == describe_settings(before.settings, FileIdentities())
