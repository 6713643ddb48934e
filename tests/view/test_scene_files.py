"""Files for other programs: each is opened by another library, which finds the model where the solution has it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import opensim
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from movi_prep.cli import main
from movi_prep.errors import InputError
from movi_prep.formats.bvh import bvh_text
from movi_prep.formats.glb import glb_bytes
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.osim.body_geometry import add_simple_geometry
from movi_prep.records.ik_solution import IkSolution
from movi_prep.records.rig import Rig
from movi_prep.trials.marker_files import solve_marker_files
from movi_prep.view.scene_files import export_scenes
from movi_prep.view.solution_rig import make_rig
from movi_prep.view.work import find_trials
from tests.builders.small_model import build_model
from tests.builders.small_world import SmallWorld, write_small_world

BODIES = ("pelvis", "thigh_r", "shank_r")
JOINTS = ("ground_pelvis", "hip_r", "knee_r")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    folder = tmp_path_factory.mktemp("world")
    world = write_small_world(folder)
    solve_marker_files([folder / "walk.trc"], world.config, static_file=folder / "static.trc")
    return world


@pytest.fixture(scope="module")
def solution(world: SmallWorld) -> IkSolution:
    (trial,) = find_trials(world.work)
    return read_ik_solution(trial.solution)


@pytest.fixture(scope="module")
def rig(world: SmallWorld, solution: IkSolution) -> Rig:
    rig, n_held = make_rig(solution, read_model_outline(world.work.root / "models" / "scaled.osim"))
    assert n_held == 0
    return rig


def joint_centres(solution: IkSolution) -> NDArray[np.float64]:
    return solution.joint_centres_m[:, [solution.joint_names.index(joint) for joint in JOINTS]]


def test_bones_stand_at_joints_and_turn_with_bodies(rig: Rig, solution: IkSolution) -> None:
    assert rig.names == BODIES
    assert rig.parents.tolist() == [-1, 0, 1]
    rotations, positions_m = rig.world_poses()
    bodies = [solution.body_names.index(name) for name in BODIES]
    assert np.allclose(rotations, solution.body_rotations[:, bodies], atol=1e-6)
    assert np.allclose(positions_m, joint_centres(solution), atol=1e-6)


def test_a_frame_without_a_pose_repeats_the_one_before(world: SmallWorld, solution: IkSolution) -> None:
    rotations = solution.body_rotations.copy()
    rotations[[0, 3]] = np.nan
    outline = read_model_outline(world.work.root / "models" / "scaled.osim")
    rig, n_held = make_rig(replace(solution, body_rotations=rotations), outline)
    assert n_held == 2
    assert np.array_equal(rig.rotations[3], rig.rotations[2])
    assert np.array_equal(rig.rotations[0], rig.rotations[1])
    with pytest.raises(InputError):
        make_rig(replace(solution, body_rotations=np.full_like(rotations, np.nan)), outline)


def test_gltf_moves_its_nodes_as_the_model_moved(rig: Rig, solution: IkSolution) -> None:
    pygltflib = pytest.importorskip("pygltflib")
    gltf = pygltflib.GLTF2.load_from_bytes(glb_bytes(rig, name="small"))
    content = gltf.binary_blob()

    def values(index: int) -> NDArray[np.float64]:
        accessor = gltf.accessors[index]
        view = gltf.bufferViews[accessor.bufferView]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
        start = view.byteOffset
        return np.frombuffer(content, "<f4", accessor.count * width, start).reshape(-1, width).astype(np.float64)

    (animation,) = gltf.animations
    moved: dict[tuple[str, str], NDArray[np.float64]] = {}
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        assert np.allclose(values(sampler.input)[:, 0], solution.times_s - solution.times_s[0], atol=1e-6)
        moved[gltf.nodes[channel.target.node].name, channel.target.path] = values(sampler.output)
    n = solution.n_rows
    rotation, position = np.broadcast_to(np.eye(3), (n, 3, 3)), np.zeros((n, 3))
    (node,) = [gltf.nodes[child] for child in gltf.nodes[0].children if gltf.nodes[child].name == BODIES[0]]
    for expected in joint_centres(solution).transpose(1, 0, 2):
        place = moved.get((node.name, "translation"), np.broadcast_to(node.translation, (n, 3)))
        turns = moved.get((node.name, "rotation"), np.broadcast_to(node.rotation, (n, 4)))
        position = position + (rotation @ place[:, :, None])[..., 0]
        rotation = rotation @ Rotation.from_quat(turns).as_matrix()
        assert np.allclose(position, expected, atol=1e-5)
        node = gltf.nodes[node.children[0]] if node.children else node


def test_gltf_shows_the_surface_of_the_first_frame(rig: Rig) -> None:
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load_scene(io.BytesIO(glb_bytes(rig, name="small")), file_type="glb")
    (surface,) = scene.geometry.values()
    rotations, positions_m = (poses[0] for poses in rig.world_poses())
    bones = rig.vertex_bones
    expected = (rotations[bones] @ rig.vertices_m[:, :, None])[..., 0] + positions_m[bones]
    assert len(surface.faces) == len(rig.faces)
    assert np.allclose(np.sort(surface.bounds, axis=0), [expected.min(axis=0), expected.max(axis=0)], atol=1e-5)
    # Seen from outside: the volume of a closed surface has a sign.
    assert surface.volume > 0


def test_bvh_puts_every_joint_where_the_model_has_it(rig: Rig, solution: IkSolution) -> None:
    bvh = pytest.importorskip("bvh")
    text, slide_m = bvh_text(rig)
    assert slide_m < 1e-6
    tree = bvh.Bvh(text)
    assert tree.nframes == solution.n_rows
    assert tree.frame_time == pytest.approx(1.0 / solution.rate_hz)
    expected = joint_centres(solution)
    for frame in range(tree.nframes):
        rotation, position = np.eye(3), np.zeros(3)
        for name, centre_m in zip(BODIES, expected[frame], strict=True):
            angles = [tree.frame_joint_channel(frame, name, f"{axis}rotation") for axis in "ZXY"]
            position = position + rotation @ np.array(tree.joint_offset(name))
            if name == BODIES[0]:
                position = [tree.frame_joint_channel(frame, name, f"{axis}position") for axis in "XYZ"]
            rotation = rotation @ Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
            assert np.allclose(np.asarray(position) / 100.0, centre_m, atol=1e-5)


def test_bodies_without_geometry_are_drawn_along_themselves() -> None:
    model = build_model()
    assert add_simple_geometry(model) == BODIES
    model.initSystem()
    thigh = model.getBodySet().get("thigh_r")
    (ellipsoid,) = [part for part in thigh.getComponentsList() if part.getConcreteClassName() == "Ellipsoid"]
    shape = opensim.Ellipsoid.safeDownCast(ellipsoid)
    radii_m = [shape.get_radii().get(axis) for axis in range(3)]
    frame = opensim.PhysicalOffsetFrame.safeDownCast(shape.getFrame())
    centre_m = [frame.get_translation().get(axis) for axis in range(3)]
    # The knee is 0.4 m below the hip, along -y of the thigh.
    assert radii_m[1] == pytest.approx(0.2)
    assert max(radii_m[0], radii_m[2]) < radii_m[1]
    assert centre_m == pytest.approx([0.0, -0.2, 0.0])
    # A second time there is nothing left to draw.
    assert add_simple_geometry(model) == ()


@pytest.mark.parametrize(("kind", "name"), [("glb", "walk.glb"), ("bvh", "walk.bvh"), ("osim", "scaled.osim")])
def test_the_command_writes_one_file_each(
    world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str
) -> None:
    assert main(["export", "--to", kind, str(world.work.root), str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert str(tmp_path / "out" / name) in capsys.readouterr().out
    if kind == "osim":
        drawn = opensim.Model(str(tmp_path / "out" / name))
        drawn.initSystem()
        before = opensim.Model(str(world.work.root / "models" / name))
        state = before.initSystem()
        assert drawn.getTotalMass(drawn.initSystem()) == pytest.approx(before.getTotalMass(state))


def test_flags_of_training_codes_are_refused(world: SmallWorld, tmp_path: Path) -> None:
    assert main(["export", "--to", "glb", "--train", "1", str(world.work.root), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_model_is_never_written_over_itself(world: SmallWorld) -> None:
    models = world.work.root / "models"
    before = (models / "scaled.osim").read_bytes()
    assert main(["export", "--to", "osim", str(world.work.root), str(models)]) == 2
    # Whoever calls the function may name any folder.
    assert export_scenes(world.work.root, models, "osim").failed
    assert (models / "scaled.osim").read_bytes() == before
