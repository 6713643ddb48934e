"""The D3KE layout: on World A, what D3KE's own code wrote; on small things, what the words say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from movi_prep.config.load import load_config
from movi_prep.config.root import Config
from movi_prep.config.shard import D3keCorpusSettings
from movi_prep.formats.d3ke import read_base_model
from movi_prep.formats.ik_file import read_ik_solution, write_ik_solution
from movi_prep.formats.label_tables import default_label_tables_path, read_body_scale_means, read_label_tables
from movi_prep.formats.packaged import packaged_path
from movi_prep.geometry.frame_labels import moved_since_used
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.find import select_clips
from movi_prep.recordings.folders import Folders
from movi_prep.records.base_model import BaseBody, BaseModel
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import StageReport, Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.d3ke.label_rows import unbroken_runs
from movi_prep.stages.d3ke.network_limits import held_off_zero, scales_beyond_reach, with_body_scales
from movi_prep.stages.d3ke.shard_d3ke import (
    ALL,
    D3KE_CORPUS,
    SHARD_D3KE,
    CorpusInputs,
    CorpusOutputs,
    _boxes_of_video,
)
from movi_prep.stages.d3ke.verify import verify_folder
from movi_prep.stages.order import entries_of, load_stage
from tests.builders.v3d_files import V3dFile

SUBJECT, CLIP = 1, 2


def test_a_frame_without_a_box_keeps_the_one_before() -> None:
    boxes = _boxes_of_video(np.array([5, 2]), np.array([[5, 5, 9, 9], [2, 2, 9, 9]]), 8)
    assert boxes[:, 0].tolist() == [2, 2, 2, 2, 2, 5, 5, 5]


def test_a_window_never_reaches_over_frames_that_have_no_row() -> None:
    assert unbroken_runs(np.array([7, 8, 9, 12, 13, 20])).tolist() == [[7, 9]] * 3 + [[12, 13]] * 2 + [[20, 20]]


def test_a_gap_of_one_frame_breaks_a_run_of_rows() -> None:
    assert unbroken_runs(np.array([7, 8, 10, 11, 13])).tolist() == [[7, 8]] * 2 + [[10, 11]] * 2 + [[13, 13]]


def test_a_body_without_a_mesh_takes_the_scale_about_which_the_network_predicts() -> None:
    drawn = BaseBody("femur_r", ("femur.vtp",), 1.0, (0.0, 0.0, 0.0), (1.0,) * 6, (1.1, 1.0, 1.1))
    bare, unlabelled = (replace(drawn, name=name, meshes=(), mesh_scale=(1.0,) * 3) for name in ("tibia_r", "lunate"))
    model = with_body_scales(BaseModel((drawn, bare, unlabelled), (), (), ()), {"tibia_r": (0.7, 0.9, 0.7)})
    assert [body.mesh_scale for body in model.bodies] == [(1.1, 1.0, 1.1), (0.7, 0.9, 0.7), (1.0, 1.0, 1.0)]


def test_coordinates_that_the_layer_takes_as_zero_and_the_model_does_not_are_named() -> None:
    tree = SimpleNamespace(
        coordinate_names=("hip", "elbow_y", "wrist", "knee"),
        coordinate_locked=np.array([True, True, True, False]),
        coordinate_default=np.array([0.2, -0.17, 0.0, 0.3]),
    )
    subject = SimpleNamespace(model=SimpleNamespace(tree=tree), tables=SimpleNamespace(coordinates=("hip",)))
    assert held_off_zero(subject) == ("elbow_y",)  # type: ignore[arg-type]


def test_scales_that_the_network_cannot_say_are_named() -> None:
    bodies = ("femur_r", "skull")
    means, reach = dict.fromkeys(bodies, (1.0, 0.7, 0.9)), {"femur_r": (0.1,) * 3, "skull": (0.1, 0.1, 0.0)}
    scales = np.array([[1.05, 0.9, 0.85], [0.95, 0.7, 0.91]])
    assert scales_beyond_reach(scales, bodies, means, reach) == ("femur_r_y", "skull_z")


@pytest.mark.reference
def test_mean_scales_are_those_of_d3kes_model_times_a_persons_factor(shared: Path) -> None:
    from movi_prep.osim.base_model import read_base_model as read_model_parts

    model = read_model_parts(shared / "reference" / "d3ke_models" / "full_body_wo_hands.osim")
    meshes, means = {body.name: np.array(body.mesh_scale) for body in model.bodies}, read_body_scale_means()
    assert tuple(means) == read_label_tables().bodies
    factors = np.stack([np.array(scale) / meshes[name] for name, scale in means.items()])
    assert abs(np.median(factors) - 1.0) < 0.03
    assert np.abs(factors - 1.0).max() < 0.3


class WorldRun:
    """One clip of World A through every stage up to the D3KE layout, on D3KE's model and tables."""

    def __init__(self, shared: Path, folder: Path) -> None:
        reference = shared / "reference"
        self.world, self.theirs = reference / "world_a", reference / "world_a_d3ke"
        self.config = self._config(reference, folder)
        self.work = WorkFolder(folder)
        folders = Folders(
            amass=self.world / "amass",
            body_models=self.world,
            v3d=self.world / "v3d",
            videos=self.world / "videos",
            calibration=self.world / "cameras",
        )
        self.recordings = select_clips(find_bmlmovi(folders), subjects=[str(SUBJECT)], clips=[str(CLIP)])
        self.reports: dict[str, StageReport] = {}
        for entry in entries_of("shard", self.config):
            stage = load_stage(entry)
            for unit in stage.plan(self.recordings, self.work, self.config):
                self.reports[unit.id] = stage.run_unit(unit)

    @staticmethod
    def _config(reference: Path, folder: Path) -> Config:
        flags: Mapping[str, object] = {
            "work": folder,
            "markers": {"rate": "mocap"},
            "scaling": {
                "model": reference / "d3ke_models" / "full_body.osim",
                "setup": packaged_path("opensim_models", "scaling_d3ke.yaml"),
                "keep_failed_audit": True,
            },
            "ik": {"setup": packaged_path("opensim_models", "ik_d3ke.yaml")},
            "shard": {"layout": "d3ke"},
        }
        return load_config(None, flags)

    def ours(self, name: str) -> h5py.File:
        """Open one of our files."""
        return h5py.File(self.work.d3ke_shards() / name)


@pytest.fixture(scope="module")
def world(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> WorldRun:
    return WorldRun(shared, tmp_path_factory.mktemp("world"))


@pytest.mark.reference
@pytest.mark.slow
def test_rows_and_positions_are_those_that_d3kes_code_wrote(world: WorldRun) -> None:
    with world.ours("subject_1.hdf5") as ours, h5py.File(world.theirs / "subject_1.hdf5") as theirs:
        rows = theirs["videoID"][:] == CLIP
        for name in ("ImgList", "subjectID", "videoID", "frame", "cameraType", "globalFrame", "startFrame"):
            np.testing.assert_array_equal(ours[name][:], theirs[name][:][rows], err_msg=name)
        for name in ("globalStartFrame", "globalEndFrame"):
            np.testing.assert_array_equal(ours[name][:], theirs[name][:][rows], err_msg=name)
        np.testing.assert_allclose(ours["pos3d"][:], theirs["pos3d"][:][rows], atol=1e-5)
        # D3KE overwrites the twelve floor markers, which come last, with what its IK simulated
        markers = ours["marker_pos3d"][:, :43], theirs["marker_pos3d"][:][rows][:, :43]
        np.testing.assert_allclose(*markers, atol=1e-5)
    with world.ours("subject_1_opensim.hdf5") as ours, h5py.File(world.theirs / "subject_1_opensim.hdf5") as theirs:
        np.testing.assert_allclose(ours["1_boneScale"][:], theirs["1_boneScale"][:], atol=1e-4)
        # radians: the released degrees would be sixty times as large
        assert np.abs(ours["coordinateAngle"][:]).max() < 2 * np.pi


@pytest.mark.reference
@pytest.mark.slow
def test_the_used_flag_is_the_released_one_given_its_own_labels(world: WorldRun) -> None:
    tables = read_label_tables()
    labels = np.load(world.theirs / f"Subject_{SUBJECT}_F_{CLIP}_gt.npz")
    names = [str(name) for name in labels["marker_names"]]
    positions_m = labels["label"][:, [names.index(name) for name in tables.markers]].astype(np.float64)
    flags = moved_since_used(positions_m, distance_m=0.02, rule="any")[::4]
    with h5py.File(world.theirs / "subject_1.hdf5") as theirs:
        rows = (theirs["videoID"][:] == CLIP) & (theirs["cameraType"][:] == b"PG1")
        np.testing.assert_array_equal(flags, theirs["usedFrame"][:][rows])
    with world.ours("subject_1.hdf5") as ours:
        ours_pg1 = ours["usedFrame"][:][ours["cameraType"][:] == b"PG1"]
    np.testing.assert_array_equal(ours_pg1, flags)


@pytest.mark.reference
@pytest.mark.slow
def test_joint_centres_are_opensims_own(world: WorldRun) -> None:
    from movi_prep.osim.models import array, read_model, set_pose

    model = read_model(world.work.scaled_model(movi_subject(SUBJECT)))
    solution = read_ik_solution(world.work.ik_solution(movi_clip(SUBJECT, CLIP)))
    state = model.initSystem()
    with world.ours("subject_1_opensim.hdf5") as file:
        written = file["openSimJointPos"][:]
    names = read_label_tables().opensim_joints
    for frame in (0, 17, 44):
        set_pose(model, state, solution.coordinates[list(solution.sample_indices).index(4 * frame)])
        model.realizePosition(state)
        frames = [model.getJointSet().get(name).getChildFrame() for name in names]
        centres = np.stack([array(child.getPositionInGround(state)) for child in frames])
        np.testing.assert_allclose(written[frame], ground_to_amass(centres), atol=1e-5)


@pytest.mark.reference
@pytest.mark.slow
def test_d3kes_layer_gives_back_the_joint_centres(world: WorldRun) -> None:
    assert world.reports["shard_d3ke S001"].numbers["layer_error_mm"] < 0.01


@pytest.mark.reference
@pytest.mark.slow
def test_pictures_are_the_videos_inside_the_box_and_black_outside(world: WorldRun) -> None:
    from movi_prep.video.reader import VideoReader

    with world.ours("subject_1.hdf5") as labels, world.ours("1_PG1_img.hdf5") as file:
        frame = int(labels["globalFrame"][20])
        left, top, width, height = (int(value) for value in labels["bbox"][20])
        stored = file["images"][frame]
        assert file["images"].shape[1:] == (600, 800, 3)
    _, image = next(VideoReader(world.world / "videos" / "F_PG1_Subject_1_L.avi").frames({frame}))
    inside = np.zeros((600, 800), dtype=bool)
    inside[max(top, 0) : top + height, max(left, 0) : left + width] = True
    np.testing.assert_array_equal(stored[inside], image[inside])
    assert not stored[~inside].any()


@pytest.mark.reference
@pytest.mark.slow
def test_what_all_subjects_share_reads_as_the_released_code_reads_it(world: WorldRun) -> None:
    folder = world.work.d3ke_shards()
    clips = np.load(folder / "videoIdx.npy", allow_pickle=True).item()
    theirs = np.load(world.theirs / "videoIdx.npy", allow_pickle=True).item()
    np.testing.assert_array_equal(clips[SUBJECT], theirs[SUBJECT])
    assert clips[SUBJECT].dtype == theirs[SUBJECT].dtype
    boxes = np.load(folder / "all_bbox.npy", allow_pickle=True).item()
    assert set(boxes[SUBJECT]) == {"PG1", "PG2"}
    assert boxes[SUBJECT]["PG1"].shape[1] == 4
    assert (folder / "pyBaseModel.pkl").is_file()


@pytest.mark.reference
@pytest.mark.slow
def test_verification_finds_nothing_wrong_and_then_what_was_broken(world: WorldRun, tmp_path: Path) -> None:
    folder = shutil.copytree(world.work.d3ke_shards(), tmp_path / "shards-d3ke")
    assert verify_folder(tmp_path).is_sound
    with h5py.File(folder / "subject_1.hdf5", "r+") as labels, h5py.File(folder / "1_PG1_img.hdf5", "r+") as images:
        labels["pos3d_mask"][3, 0] = 0.5
        labels["globalEndFrame"][:5] += 1
        images["images"][int(labels["globalFrame"][0])] = 0
    with h5py.File(folder / "subject_1_opensim.hdf5", "r+") as opensim:
        opensim["coordinateAngle"][5, 30] += 0.2
    found = {fault.where: fault.what for fault in verify_folder(tmp_path).faults}
    assert "0 and 1" in found["pos3d_mask"]
    assert "5 rows" in found["globalEndFrame"]
    assert "network's layer" in found["layer"]
    assert any("black inside" in what for where, what in found.items() if where.startswith("1_PG1_img.hdf5"))


@pytest.mark.reference
@pytest.mark.slow
def test_frames_without_a_pose_have_no_row_and_no_window_reaches_over_them(world: WorldRun, tmp_path: Path) -> None:
    """The released code masks neither joint centres nor the root, and counts rows where it means frames."""
    unit = SHARD_D3KE.plan(world.recordings, world.work, world.config)[0]
    solution = read_ik_solution(world.work.ik_solution(movi_clip(SUBJECT, CLIP)))
    statuses = solution.statuses.copy()
    statuses[[list(solution.sample_indices).index(4 * frame) for frame in (10, 11)]] = FrameStatus.FAILED
    broken = tmp_path / f"S{SUBJECT:03d}" / f"C{CLIP:02d}.h5"
    write_ik_solution(broken, replace(solution, statuses=statuses), provenance={})
    outputs = {
        name: tuple(tmp_path / path.name for path in paths) if isinstance(paths, tuple) else tmp_path / paths.name
        for name, paths in vars(unit.outputs).items()
    }
    report = SHARD_D3KE.run_unit(
        replace(unit, inputs=replace(unit.inputs, solutions=(broken,)), outputs=replace(unit.outputs, **outputs))
    )
    assert sum("no pose in S001/C02" in warning for warning in report.warnings) == 2
    with h5py.File(tmp_path / "subject_1.hdf5") as labels:
        frames = labels["frame"][:][labels["cameraType"][:] == b"PG1"].tolist()
        windows = np.stack([labels[name][:] for name in ("globalFrame", "startFrame", "globalEndFrame")])
    assert frames == [*range(10), *range(12, frames[-1] + 1)]
    first = windows[0, 0]
    assert windows[:, 9].tolist() == [first + 9, first, first + 9]
    assert windows[1:, 10].tolist() == [first + 12, first + frames[-1]]
    with h5py.File(tmp_path / "subject_1_opensim.hdf5") as opensim:
        assert opensim["openSimJointPos"][:].any(axis=(1, 2)).all()


def test_a_run_of_some_subjects_keeps_what_is_there_of_the_others(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work")
    subjects, cameras = (1, 2, 15), ("PG1", "PG2")
    everything = Recordings(
        motions={movi_clip(subject, 1): tmp_path / f"{subject}_poses.npz" for subject in subjects},
        sessions={movi_subject(subject): tmp_path / f"F_v3d_Subject_{subject}.mat" for subject in subjects},
        videos={
            (movi_subject(subject), camera): tmp_path / f"{subject}_{camera}.avi"
            for subject in subjects
            for camera in cameras
        },
        intrinsics={camera: tmp_path / f"{camera}_intrinsics.npz" for camera in cameras},
        extrinsics={camera: tmp_path / f"{camera}_extrinsics.npz" for camera in cameras},
    )
    config = load_config(None, {"work": work.root, "amass": tmp_path, "exclude": ["S015"]})

    def corpus_inputs(chosen: int | None) -> CorpusInputs:
        recordings = select_clips(
            everything, subjects=None if chosen is None else [str(chosen)], clips=None, exclude=["S015"]
        )
        (unit,) = D3KE_CORPUS.plan(recordings, work, config)
        return unit.inputs

    assert [path.name for path in corpus_inputs(2).boxes if path] == ["2_PG1_bbox.npy", "2_PG2_bbox.npy"]
    work.d3ke_shards().mkdir(parents=True)
    for subject in subjects:
        for camera in cameras:
            (work.d3ke_shards() / f"{subject}_{camera}_bbox.npy").touch()
    assert corpus_inputs(2) == corpus_inputs(None)
    assert [path.name for path in corpus_inputs(2).sessions if path] == ["F_v3d_Subject_1.mat", "F_v3d_Subject_2.mat"]


def test_files_that_all_subjects_share_do_not_wait_for_one_that_failed(tmp_path: Path) -> None:
    np.save(tmp_path / "1_PG1_bbox.npy", np.ones((3, 4)))
    v3d = V3dFile(flags30=((6, 17),), motions=["walk"], n_samples=80).write(tmp_path)
    names = ("all_bbox.npy", "videoIdx.npy", "pyBaseModel.pkl")
    unit = Unit(
        stage=D3KE_CORPUS.name,
        key=ALL,
        inputs=CorpusInputs(
            base_model=packaged_path("opensim_models", "movi_full_body.osim"),
            labels=default_label_tables_path(),
            reader="bmlmovi",
            sessions=(v3d, None),
            scaled_models=(None, None),
            scales=(None, None),
            boxes=(tmp_path / "1_PG1_bbox.npy", None),
        ),
        outputs=CorpusOutputs(*(tmp_path / name for name in names)),
        settings=D3keCorpusSettings(),
    )
    report = D3KE_CORPUS.run_unit(unit)
    assert report.numbers == {"subjects": 1, "subjects_of_marker_sites": 0}
    # The released code opens a file of occluders by default; who has none must be reported.
    assert any("OCCLUSION.PROB" in finding for finding in report.findings)
    assert all((tmp_path / name).is_file() for name in names)
    pelvis = next(body for body in read_base_model(tmp_path / "pyBaseModel.pkl").bodies if body.name == "pelvis")
    assert pelvis.mesh_scale == read_body_scale_means()["pelvis"], "our model has no meshes"
