"""The marker stage from files to files: on an ellipsoid whose answers are known, and on World A."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from smplx.lbs import lbs

from movi_prep.config.markers import TrajectorySettings
from movi_prep.config.root import Config
from movi_prep.errors import InputError, MissingError
from movi_prep.formats.amass import read_motion
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.geometry.frames import amass_to_ground, ground_to_amass
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.find import select_clips
from movi_prep.recordings.folders import Folders
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject, number_of
from movi_prep.records.marker_set import JointCentre, Vertex
from movi_prep.records.motion import Motion
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import StageReport, Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.clip_watch import floor_findings
from movi_prep.stages.markers import MARKERS, POSED_TOGETHER, STATIC, RowClock, row_clock
from tests.builders.body import (
    HALF_HEIGHT_M,
    HIGHEST,
    NOSE,
    build_body_model,
    build_motion,
    model_arrays,
    old_release,
    resting,
    write_npz,
)
from tests.builders.v3d_files import V3dFile
from tests.sentences import raises_recorded

MARKER_SET = f"""
format: movi-prep marker set
version: 1
name: ellipsoid
markers:
  - {{name: TOP, vertex: {HIGHEST}}}
  - {{name: NOSE, vertex: {NOSE}}}
  - {{name: ROOT, joint: 0}}
  - {{name: BETWEEN, midpoint: [TOP, NOSE]}}
  - {{name: SHADOW, floor: NOSE}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Body model and DMPL files of the ellipsoid, called female."""
    folder, model = tmp_path_factory.mktemp("models"), build_body_model()
    return {
        "smplh": write_npz(folder / "smplh" / "female" / "model.npz", model_arrays(model)),
        "dmpl": write_npz(folder / "dmpls" / "female" / "model.npz", {"eigvec": model.soft_tissue_directions_m}),
    }


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "set.yaml").write_text(MARKER_SET)
    return {"marker_set": tmp_path / "set.yaml"}


@pytest.fixture
def build_recordings(tmp_path: Path, models: dict[str, Path]) -> Callable[..., Recordings]:
    """Return a function that writes clips of subject 1 and returns what a search would find."""

    def build(*clips: dict[str, Any], **found: Any) -> Recordings:
        paths = {
            movi_clip(1, k): write_npz(tmp_path / "amass" / f"Subject_1_F_{k}_poses.npz", arrays)
            for k, arrays in enumerate(clips, start=1)
        }
        known = {"body_models": {("SMPL+H", "female"): models["smplh"]}, "dmpl_models": {"female": models["dmpl"]}}
        return Recordings(motions=paths, **{**known, **found})

    return build


def run(units: tuple[Unit, ...], stage: Any) -> list[StageReport]:
    return [stage.run_unit(unit) for unit in units]


def make_static(recordings: Recordings, tmp_path: Path, **settings: Any) -> tuple[Any, StageReport]:
    (unit,) = STATIC.plan(recordings, WorkFolder(tmp_path / "work"), Config(markers=settings))
    report = STATIC.run_unit(unit)
    return read_static_trial(unit.outputs.trial), report  # type: ignore[attr-defined]


def make_markers(recordings: Recordings, tmp_path: Path, **settings: Any) -> list[Any]:
    units = MARKERS.plan(recordings, WorkFolder(tmp_path / "work"), Config(markers=settings))
    run(units, MARKERS)
    return [read_markers(unit.outputs.markers) for unit in units]  # type: ignore[attr-defined]


def mean_shape(motion: Motion) -> Motion:
    return replace(motion, betas=np.zeros(16))


def test_the_static_trial_of_an_ellipsoid(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    trial, report = make_static(
        build_recordings(old_release(mean_shape(build_motion(5)))), tmp_path, **settings, mass_kg_per_m3=1000
    )
    assert trial.height_m == pytest.approx(2 * HALF_HEIGHT_M)
    # Four thirds pi a b c, 85.5 l, less what the facets cut off.
    assert trial.mass_kg == pytest.approx(85.45, rel=0.003)
    assert (trial.sex, trial.mass_source, report.findings) == ("female", "volume", ())
    top, nose, _, between, shadow = trial.markers.positions_m[0]
    np.testing.assert_allclose(top, [0, 2 * HALF_HEIGHT_M, 0], atol=1e-9)
    assert nose[0] == pytest.approx(0.12, abs=1e-3)
    np.testing.assert_allclose(between, (top + nose) / 2)
    np.testing.assert_allclose(shadow, [nose[0], 0, nose[2]])
    assert (tmp_path / "work" / "markers" / "S001" / "static.trc").is_file()


def test_a_body_at_rest_lies_on_its_back_in_ground(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    # AMASS is z up: unposed, the y-up template lies there, its top pointing along y, which is -z of ground.
    (markers,) = make_markers(build_recordings(old_release(resting(mean_shape(build_motion(9))))), tmp_path, **settings)
    np.testing.assert_allclose(markers.positions_m[:, 0], np.tile([0, 0, -HALF_HEIGHT_M], (3, 1)), atol=1e-9)


def test_the_video_clock_is_every_fourth_sample(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings(old_release(build_motion(13, rate_hz=120.00004578)))
    (video,) = make_markers(recordings, tmp_path, **settings)
    (mocap,) = make_markers(recordings, tmp_path, **settings, rate="mocap", batch_samples=5)
    assert video.sample_indices.tolist() == [0, 4, 8, 12]
    assert mocap.sample_indices.tolist() == list(range(13))
    np.testing.assert_allclose(video.times_s, np.arange(4) / 30, atol=1e-6)
    assert video.rate_hz == pytest.approx(30, rel=1e-6)
    np.testing.assert_allclose(mocap.positions_m[::4], video.positions_m, atol=1e-7)


def test_how_many_rows_are_read_at_once_changes_no_bit(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings(old_release(build_motion(2 * POSED_TOGETHER + 17)))
    (first, *others) = (
        make_markers(recordings, tmp_path / str(count), **settings, rate="mocap", batch_samples=count)[0].positions_m
        for count in (512, 1, 7, POSED_TOGETHER, POSED_TOGETHER + 1, 100_000)
    )
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_a_rate_that_is_no_multiple_is_refused(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings(old_release(build_motion(13, rate_hz=100.0)))
    with raises_recorded(InputError):
        make_markers(recordings, tmp_path, **settings)
    (markers,) = make_markers(recordings, tmp_path, **settings, video_rate_hz=25)
    assert markers.n_rows == 4


def test_soft_tissue_moves_vertices_when_asked(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings(old_release(build_motion(5)))
    (off,) = make_markers(recordings, tmp_path, **settings)
    (on,) = make_markers(recordings, tmp_path, **settings, soft_tissue=True)
    assert np.abs(on.positions_m - off.positions_m).max() > 1e-3


def test_soft_tissue_without_coefficients_says_why(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings({**old_release(build_motion(13)), "dmpls": np.zeros((8, 8))})
    with raises_recorded(InputError):
        make_markers(recordings, tmp_path, **settings, soft_tissue=True)
    assert make_markers(recordings, tmp_path, **settings)[0].n_rows == 4


def test_a_bad_first_clip_costs_itself_and_no_other(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    good = old_release(build_motion(9))
    recordings = build_recordings({**good, "poses": np.full((9, 156), np.nan)}, good)
    recordings.motions[movi_clip(1, 1)].write_bytes(recordings.motions[movi_clip(1, 1)].read_bytes()[:3000])
    trial, report = make_static(recordings, tmp_path, **settings)
    assert trial.sex == "female"
    assert len(report.findings) == 1
    assert "Subject_1_F_1" in report.findings[0]
    bad, fine = MARKERS.plan(recordings, WorkFolder(tmp_path / "work"), Config(markers=settings))
    with raises_recorded(InputError):
        MARKERS.run_unit(bad)
    assert MARKERS.run_unit(fine).numbers["n_rows"] == 3
    assert sorted(path.name for path in (tmp_path / "work" / "markers" / "S001").iterdir()) == [
        "C02.h5",
        "static.h5",
        "static.trc",
    ]


def test_nothing_half_written_stays_of_a_clip_that_fails_late(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    arrays = old_release(build_motion(POSED_TOGETHER + 10))
    arrays["poses"] = arrays["poses"].copy()
    arrays["poses"][-1] = np.inf
    with raises_recorded(InputError):
        make_markers(build_recordings(arrays), tmp_path, **settings, rate="mocap", batch_samples=10)
    assert list((tmp_path / "work").rglob("*.h5")) == []


def test_a_clip_of_another_fit_is_a_finding(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    motion = build_motion(5)
    other = {**old_release(motion), "betas": motion.betas + 0.25}
    _, report = make_static(build_recordings(old_release(motion), other), tmp_path, **settings)
    assert [re.search(r"Subject_1_F_2.*0\.25", finding) is not None for finding in report.findings] == [True]


def of_another_body(motion: Motion, *, stated: bool) -> dict[str, Any]:
    """Return a clip of SMPL-X whose betas would make another man; the old release does not state its model."""
    poses = np.zeros((motion.n_samples, 165))
    arrays = {**old_release(motion), "poses": poses, "betas": motion.betas + 1.0}
    return {**arrays, "surface_model_type": np.array("smplx")} if stated else arrays


@pytest.mark.parametrize("stated", [True, False])
def test_betas_of_another_body_model_shape_nobody(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any], *, stated: bool
) -> None:
    motion = build_motion(5)
    alone, _ = make_static(build_recordings(old_release(motion)), tmp_path, **settings)
    other = of_another_body(motion, stated=stated)
    mixed, report = make_static(build_recordings(other, old_release(motion)), tmp_path, **settings)
    assert mixed.height_m == alone.height_m
    assert len(report.findings) == 1
    with pytest.raises(InputError) as caught:
        make_static(build_recordings(other), tmp_path / "nothing", **settings)
    assert "SMPL-X" in caught.value.expected
    assert caught.value.got == "only SMPL+H female"
    assert not list((tmp_path / "nothing").rglob("*.h5"))


def test_a_clip_that_is_left_out_shapes_nobody(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    motion = build_motion(5)
    found = build_recordings({**old_release(motion), "betas": motion.betas + 0.25}, old_release(motion))
    recordings = select_clips(found, subjects=None, clips=None, exclude=("S001/C01",))
    config = Config(markers=settings, exclude=("S001/C01",))
    (unit,) = STATIC.plan(recordings, WorkFolder(tmp_path / "work"), config)
    assert [path.name for path in unit.inputs.motions] == ["Subject_1_F_2_poses.npz"]  # type: ignore[attr-defined]
    # A clip that is only not asked for now still counts: a body does not change with the choice of clips.
    recordings = select_clips(found, subjects=None, clips=["2"])
    (unit,) = STATIC.plan(recordings, WorkFolder(tmp_path / "work"), Config(markers=settings))
    assert len(unit.inputs.motions) == 2  # type: ignore[attr-defined]


def test_a_body_that_does_not_reach_the_floor_is_a_finding(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    motion = resting(mean_shape(build_motion(5)))
    # Unposed, the ellipsoid lies on the floor with its joints in one level line.
    heights = {
        0.0: (),
        1.0: ("the body's lowest point is at +1.000 m",),
        -0.5: ("the body's lowest point is at -0.500 m",),
    }
    for height_m, said in heights.items():
        lifted = replace(motion, translation_m=motion.translation_m + np.array([0, 0, height_m]))
        (unit,) = MARKERS.plan(build_recordings(old_release(lifted)), WorkFolder(tmp_path), Config(markers=settings))
        findings = MARKERS.run_unit(unit).findings
        assert len(findings) == len(said)
        assert all(finding.startswith(start) for finding, start in zip(findings, said, strict=True))


def test_betas_that_make_no_person_are_refused(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    giant = {**old_release(build_motion(5)), "betas": np.full(16, 1e4)}
    with raises_recorded(InputError):
        make_static(build_recordings(giant), tmp_path, **settings)
    assert not (tmp_path / "work" / "markers").exists()


def test_a_missing_body_model_is_named(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings({**old_release(build_motion(5)), "gender": np.array("neutral")})
    with raises_recorded(MissingError):
        make_markers(recordings, tmp_path, **settings)
    with raises_recorded(MissingError):
        make_static(recordings, tmp_path, **settings)


def test_a_marker_on_a_vertex_that_does_not_exist(build_recordings: Callable[..., Recordings], tmp_path: Path) -> None:
    (tmp_path / "far.yaml").write_text(MARKER_SET.replace(f"vertex: {NOSE}", "vertex: 6890"))
    recordings = build_recordings(old_release(build_motion(5)))
    for make in (make_markers, make_static):
        with raises_recorded(InputError):
            make(recordings, tmp_path, marker_set=tmp_path / "far.yaml")


def test_a_changed_marker_set_is_read_again(build_recordings: Callable[..., Recordings], tmp_path: Path) -> None:
    recordings, path = build_recordings(old_release(build_motion(5))), tmp_path / "own.yaml"
    path.write_text(MARKER_SET)
    (before,) = make_markers(recordings, tmp_path, marker_set=path)
    path.write_text(
        MARKER_SET.replace("name: NOSE, vertex", "name: CHIN, vertex")
        .replace("NOSE]", "CHIN]")
        .replace("floor: NOSE", "floor: CHIN")
    )
    (after,) = make_markers(recordings, tmp_path, marker_set=path)
    assert ("NOSE" in before.names, "CHIN" in after.names) == (True, True)


def test_a_gender_that_v3d_contradicts_is_a_finding(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    file = V3dFile(person={"sex": "Male"}).write(tmp_path)
    recordings = build_recordings(old_release(build_motion(5)), sessions={"S001": file})
    trial, report = make_static(recordings, tmp_path, **settings)
    assert trial.sex == "female"
    assert ["says male" in finding for finding in report.findings] == [True]


def test_mass_from_v3d_only_when_asked(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    file = V3dFile(person={"sex": "female", "mass": 61.5}).write(tmp_path)
    recordings = build_recordings(old_release(build_motion(5)), sessions={"S001": file})
    assert make_static(recordings, tmp_path, **settings)[0].mass_source == "volume"
    trial, _ = make_static(recordings, tmp_path, **settings, mass="v3d")
    assert (trial.mass_kg, trial.mass_source) == (61.5, "v3d")
    with raises_recorded(InputError):
        make_static(replace(recordings, sessions={}), tmp_path, **settings, mass="v3d")


def test_units_carry_their_own_settings_and_files(build_recordings: Callable[..., Recordings], tmp_path: Path) -> None:
    recordings, work = (
        build_recordings(old_release(build_motion(5)), old_release(build_motion(5))),
        WorkFolder(tmp_path),
    )
    plain = [*STATIC.plan(recordings, work, Config()), *MARKERS.plan(recordings, work, Config())]
    assert [unit.id for unit in plain] == ["static S001", "markers S001/C01", "markers S001/C02"]
    other = Config(markers={"static_duration_s": 1.0})
    assert MARKERS.plan(recordings, work, other) == MARKERS.plan(recordings, work, Config())
    assert STATIC.plan(recordings, work, other) != STATIC.plan(recordings, work, Config())
    second = select_clips(recordings, subjects=None, clips=["2"])
    assert [unit.key for unit in MARKERS.plan(second, work, Config())] == ["S001/C02"]
    # A subset of clips is still the same subject.
    assert STATIC.plan(second, work, Config()) == STATIC.plan(recordings, work, Config())


def test_trc_files_when_asked(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    make_markers(build_recordings(old_release(build_motion(5))), tmp_path, **settings, write_trc=True)
    assert (tmp_path / "work" / "markers" / "S001" / "C01.trc").is_file()


PEAK_OF_ONE_CLIP = """
import sys
from pathlib import Path
import movi_prep.body.marker_points, movi_prep.body.skinning
from movi_prep.config.root import Config
from movi_prep.records.recordings import Recordings
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject, number_of
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.clip_watch import floor_findings
from movi_prep.stages.markers import MARKERS

def memory_mb(field):
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) / 1024

clip, model, work = map(Path, sys.argv[1:])
recordings = Recordings(motions={movi_clip(1, 1): clip}, body_models={("SMPL+H", "female"): model})
before = memory_mb("VmRSS")
(unit,) = MARKERS.plan(recordings, WorkFolder(work), Config(markers={"rate": "mocap"}))
MARKERS.run_unit(unit)
print(memory_mb("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_clip(tmp_path: Path, models: dict[str, Path]) -> None:
    # Held as a whole, the long clip would take 37 MB of poses and 102 MB of markers.
    # The short one has several blocks: what is posed together is in memory at once, and the block before it.
    once = old_release(build_motion(300))
    peaks = []
    for name, n_rows in (("short", 4 * POSED_TOGETHER), ("long", 30_000)):
        arrays = {key: np.resize(v, (n_rows, v.shape[1])) if np.ndim(v) == 2 else v for key, v in once.items()}
        clip = write_npz(tmp_path / f"{name}.npz", arrays)
        command = [sys.executable, "-c", PEAK_OF_ONE_CLIP, str(clip), str(models["smplh"]), str(tmp_path / name)]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < peaks[0] + 40
    assert peaks[1] < 500


# --- World A: a fake download with known truth ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def world_a(shared: Path) -> Path:
    return shared / "reference" / "world_a"


def find_world_a(world: Path) -> Recordings:
    return find_bmlmovi(Folders(amass=world / "amass", body_models=world, v3d=world / "v3d"))


@pytest.mark.reference
def test_world_a_within_a_hundredth_of_a_millimetre(world_a: Path, tmp_path: Path) -> None:
    recordings, work = find_world_a(world_a), WorkFolder(tmp_path)
    run(MARKERS.plan(recordings, work, Config(markers={"rate": "mocap"})), MARKERS)
    rules = read_marker_set(default_marker_set_path()).rules
    vertices = [name for name, rule in rules.items() if isinstance(rule, Vertex)]
    joints = {rule.index: name for name, rule in rules.items() if isinstance(rule, JointCentre)}
    with np.load(world_a / "truth.npz") as truth:
        for clip in recordings.motions:
            markers = read_markers(work.markers(clip))
            for names, kind in ((vertices, "markers"), ([joints[k] for k in range(52)], "joints")):
                found = ground_to_amass(markers.select(names).positions_m)
                expected = truth[f"S{number_of(clip.subject)}_C{number_of(clip.clip)}_{kind}"]
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5, err_msg=f"{clip} {kind}")


@pytest.mark.reference
@pytest.mark.parametrize("soft_tissue", [False, True])
def test_world_a_agrees_with_smplx_on_the_whole_mesh(world_a: Path, tmp_path: Path, *, soft_tissue: bool) -> None:
    """All 118 vertices and joints, all 16 betas, within 1e-6 m of `smplx.lbs.lbs` in float64."""
    found, clip = find_world_a(world_a), movi_clip(15, 2)
    recordings, work = replace(found, motions={clip: found.motions[clip]}), WorkFolder(tmp_path)
    run(MARKERS.plan(recordings, work, Config(markers={"soft_tissue": soft_tissue})), MARKERS)
    markers = read_markers(work.markers(clip))

    motion = read_motion(found.motions[clip])
    model = read_body_model(
        found.body_models["SMPL+H", "female"], sex="female", soft_tissue=found.dmpl_models["female"]
    )
    directions = np.concatenate([model.shape_directions_m, model.soft_tissue_directions_m], axis=2)
    posing = torch.tensor(model.pose_directions_m.reshape(-1, 459).T.astype(np.float64))
    rules = read_marker_set(default_marker_set_path()).rules
    direct = [name for name, rule in rules.items() if isinstance(rule, Vertex | JointCentre)]
    assert len(direct) == 118
    for row, sample in enumerate(markers.sample_indices):
        dmpls = motion.dmpls[sample] if soft_tissue else np.zeros(8)
        vertices, joints = lbs(
            torch.tensor(np.concatenate([motion.betas, dmpls]))[None],
            torch.tensor(motion.poses_rad[sample].reshape(1, -1)),
            torch.tensor(model.template_m)[None],
            torch.tensor(directions),
            posing,
            torch.tensor(model.joint_regressor),
            torch.tensor(model.parents),
            torch.tensor(model.skinning_weights),
        )
        for name in direct:
            points = vertices if isinstance(rules[name], Vertex) else joints
            expected = points[0, rules[name].index].numpy() + motion.translation_m[sample]
            np.testing.assert_allclose(
                markers.positions_m[row, markers.column(name)], amass_to_ground(expected), rtol=0, atol=1e-6
            )


@pytest.mark.reference
@pytest.mark.parametrize("subject", [1, 15])
def test_world_a_static_trial_is_that_of_the_superseded_code(shared: Path, tmp_path: Path, subject: int) -> None:
    """Same markers to 1e-5 m; only the floor differs: ours is y = 0, theirs the lowest vertex wherever it is."""
    world = shared / "reference" / "world_a"
    recordings, work = find_world_a(world), WorkFolder(tmp_path)
    (unit,) = STATIC.plan(select_clips(recordings, subjects=[str(subject)], clips=None), work, Config())
    report = STATIC.run_unit(unit)
    assert report.findings == ()
    trial = read_static_trial(work.static_trial(movi_subject(subject)))
    with np.load(shared / "reference" / "world_a_d3ke" / f"subject_{subject}_static_markers.npz") as theirs:
        their_names = tuple(theirs["names"])
        assert trial.markers.names == (*their_names, "NOSE", "HEADTOP")
        on_floor = theirs["markers"] - [0, theirs["markers"][:, 1].min(), 0]
    np.testing.assert_allclose(trial.markers.select(their_names).positions_m[0], on_floor, rtol=0, atol=1e-5)
    assert trial.height_m == pytest.approx({1: 1.7999, 15: 1.6817}[subject], abs=1e-4)
    litres = {1: 67.1, 15: 57.63}[subject]
    assert trial.mass_kg == pytest.approx(78.11652702058652 / 0.07745817923272397 * litres / 1000, rel=1e-3)


def test_a_clip_more_leaves_the_static_trial_as_it_was(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    recordings = build_recordings(old_release(build_motion(5)))
    (clip, path), *_ = recordings.motions.items()
    later = path.with_name("Subject_1_F_9_poses.npz")
    later.write_bytes(path.read_bytes())

    def written(motions: dict[Any, Path]) -> list[bytes]:
        (unit,) = STATIC.plan(
            replace(recordings, motions=motions), WorkFolder(tmp_path / "work"), Config(markers=settings)
        )
        STATIC.run_unit(unit)
        return [unit.outputs.trial.read_bytes(), unit.outputs.trc.read_bytes()]

    before = written({clip: later})
    # The new clip comes first, so that it is the one whose shape is taken.
    assert written({movi_clip(1, 1): path, movi_clip(1, 9): later}) == before


def test_samples_that_are_copies_are_said_though_no_row_shows_them(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    motion = mean_shape(build_motion(41))
    poses, translation_m = motion.poses_rad.copy(), motion.translation_m.copy()
    # Samples 18 and 19 lie between rows 16 and 20 of the video clock.
    poses[18:20], translation_m[18:20] = poses[17], translation_m[17]
    for clip, copies in ((motion, ""), (replace(motion, poses_rad=poses, translation_m=translation_m), "18 to 19")):
        recordings = build_recordings(old_release(clip))
        (unit,) = MARKERS.plan(recordings, WorkFolder(tmp_path), Config(markers=settings))
        said = [text for text in MARKERS.run_unit(unit).findings if "repeat the one before" in text]
        assert len(said) == bool(copies)
        assert copies in " ".join(said)


@pytest.mark.parametrize(
    ("lowest_m", "trunk", "cause"),
    [
        (0.3, (0.0, -1.0, 0.0), "mirrored"),
        (-1.16, (0.1, 0.0, -0.99), "y up"),
        (-1.8, (0.0, -1.0, 0.0), "point down"),
        (940.0, (0.0, 1.0, 0.0), "millimetres"),
    ],
)
def test_a_clip_of_another_world_is_reported_with_its_cause(
    lowest_m: float, trunk: tuple[float, float, float], cause: str
) -> None:
    (finding,) = floor_findings(lowest_m, np.array(trunk))
    assert cause in finding
    # Where the floor is where it should be, somebody may lie down.
    assert floor_findings(0.02, np.array(trunk)) == ()


@pytest.mark.parametrize(
    ("rate_hz", "clock"),
    [
        (120.0, RowClock(2)),
        (120.00004578, RowClock(2)),
        (60.0, RowClock(1)),
        (100.0, RowClock(1, 60.0)),
        (250.0, RowClock(1, 60.0)),
        (30.0, RowClock(1, 60.0)),
    ],
)
def test_rows_at_a_rate_that_is_asked_for_are_samples_where_these_fall_on_it(rate_hz: float, clock: RowClock) -> None:
    settings = TrajectorySettings(rate="mocap", resample_hz=60.0)
    assert row_clock(rate_hz, settings, source="clip") == clock
    assert row_clock(rate_hz, TrajectorySettings(rate="mocap"), source="clip") == RowClock(1)


def test_a_clip_of_100_hz_has_rows_at_60_hz_if_these_are_asked_for(
    build_recordings: Callable[..., Recordings], tmp_path: Path, settings: dict[str, Any]
) -> None:
    motion = build_motion(51, rate_hz=100.0)
    (markers,) = make_markers(
        build_recordings(old_release(motion)), tmp_path, **settings, rate="mocap", resample_hz=60.0
    )
    assert (markers.rate_hz, markers.n_rows) == (60.0, 31)
    np.testing.assert_allclose(markers.times_s, np.arange(31) / 60)
    (own,) = make_markers(build_recordings(old_release(motion)), tmp_path, **settings, rate="mocap")
    # Every third row falls on every fifth sample.
    np.testing.assert_allclose(markers.positions_m[::3], own.positions_m[::5], atol=1e-9)
