"""Altered test sets: labels bit for bit where only the picture changes, mirrored where it is mirrored."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from movi_prep import ShardDataset
from movi_prep.cli import main
from movi_prep.errors import AuditError, InputError, UsageError
from movi_prep.export.alterations import Alteration, parse_alterations
from movi_prep.export.augment import augment
from movi_prep.export.augment_d3ke import Folder, _mirror_rows, augment_folder
from movi_prep.formats import d3ke
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels, read_label_names
from movi_prep.geometry.mirror import mirror_order
from movi_prep.geometry.mirror_world import mirror_of
from movi_prep.geometry.projection import project_points
from movi_prep.records.base_model import BaseModel
from movi_prep.stages.shards.verify import verify_shard
from movi_prep.video.altered_pictures import brighten, coarsen, keep_middle, stretch_contrast
from movi_prep.video.pictures import decode_picture
from tests.builders.shard import DISC_JOINT, small_camera, write_small_shard
from tests.export.conftest import side_camera, write_shards
from tests.geometry.test_mirror_world import rolled_camera

ALL = parse_alterations("brightness=+40,contrast=0.6,resize=0.33,crop=0.7")


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all kinds that change pictures only."""
    folder = tmp_path_factory.mktemp("altered")
    augment(write_shards(folder / "shards"), folder / "out", ALL)
    return folder


@pytest.mark.parametrize("kind", [item.kind for item in ALL])
def test_where_only_the_picture_changes_every_label_is_the_same_bit_for_bit(altered: Path, kind: str) -> None:
    sources = sorted((altered / "shards").glob("*.h5"))
    assert [path.name for path in sources] == [path.name for path in sorted((altered / "out" / kind).glob("*.h5"))]
    for source in sources:
        with ShardFile(source) as before, ShardFile(altered / "out" / kind / source.name) as after:
            assert before.fields() == after.fields()
            for field in before.fields():
                if field not in ("crops/bytes", "crops/offset", "crops/length", "statistics/image_bgr"):
                    np.testing.assert_array_equal(before.read(field), after.read(field), err_msg=field)
            pictures = [
                [decode_picture(shard.picture(row)) for row in range(before.n_rows)] for shard in (before, after)
            ]
            assert all((one != other).any() for one, other in zip(*pictures, strict=True))
            assert after.provenance["altered"] == {
                "kind": kind,
                "amount": next(item.amount for item in ALL if item.kind == kind),
                "of": source.name,
            }
        assert verify_shard(altered / "out" / kind / source.name).faults == ()
    assert {entry["file"] for entry in json.loads((altered / "out" / kind / "index.json").read_text())["shards"]} == {
        path.name for path in sources
    }


def test_what_is_done_to_a_picture() -> None:
    picture = np.random.default_rng(0).integers(60, 190, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(brighten(picture, 40), picture + 40)
    np.testing.assert_array_equal(brighten(picture, -300), np.zeros_like(picture))
    dull = stretch_contrast(picture, 0.5).astype(float)
    np.testing.assert_allclose(dull - picture.mean(), (picture - picture.mean()) / 2, atol=0.51)
    flat = np.full_like(picture, 77)
    np.testing.assert_array_equal(coarsen(flat, 0.33), flat)
    assert coarsen(picture, 0.33).std() < 0.6 * picture.std()
    kept = keep_middle(picture, (30.0, 20.0), (20.0, 10.0))
    np.testing.assert_array_equal(kept[15:25, 20:40], picture[15:25, 20:40])
    assert np.count_nonzero(kept.any(axis=2)) == 200


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of a camera that rolls, and its mirror image; the builder's figure has no model, so it is asked for."""
    folder = tmp_path_factory.mktemp("flipped")
    write_small_shard(folder / "shards" / "S001_PG1.h5", camera=rolled_camera(), std_rad=0.02)
    augment(folder / "shards", folder / "out", parse_alterations("flip"), allow_asymmetric=True)
    return folder


def test_a_flip_mirrors_every_label_of_the_camera(flipped: Path) -> None:
    paths = (flipped / "shards" / "S001_PG1.h5", flipped / "out" / "flip" / "S001_PG1.h5")
    with ShardFile(paths[0]) as before, ShardFile(paths[1]) as after:
        old, new, names = read_frame_labels(before), read_frame_labels(after), read_label_names(before)
    camera = rolled_camera()
    mirror = mirror_of(camera)
    for points, were, order in (
        (new.joints, old.joints, mirror_order(names.joints)),
        (new.markers, old.markers, mirror_order(names.markers)),
        (new.surface, old.surface, np.arange(2)),
    ):
        np.testing.assert_allclose(points.world_m, mirror.points(were.world_m[:, order]), atol=1e-6)
        np.testing.assert_allclose(points.seen_px, project_points(camera, points.world_m.astype(float)), atol=2e-3)
    knees = [names.joints.index(name) for name in ("LKJC", "RKJC")]
    np.testing.assert_allclose(
        new.joints.world_m[:, knees[0]], mirror.points(old.joints.world_m[:, knees[1]]), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(new.root.rotation_world), 1.0, atol=1e-5)
    angles = {name: at for at, name in enumerate(names.coordinates)}
    for here, there, sign in (
        ("knee_angle_r", "knee_angle_l", 1.0),
        ("hip_flexion_l", "hip_flexion_r", 1.0),
        ("L5_S1_LB", "L5_S1_LB", -1.0),
        ("L5_S1_FE", "L5_S1_FE", 1.0),
    ):
        np.testing.assert_array_equal(
            new.coordinates.angles_rad[:, angles[here]], sign * old.coordinates.angles_rad[:, angles[there]]
        )
    sides = [names.bodies.index(name) for name in ("femur_r", "femur_l")]
    np.testing.assert_array_equal(new.scales.factors[sides], old.scales.factors[sides[::-1]])
    assert verify_shard(paths[1]).faults == ()


def test_a_flipped_picture_shows_a_point_where_its_label_says(flipped: Path) -> None:
    # The figure's root is drawn as a red disc; it has no partner on the other side.
    for row, sample in enumerate(ShardDataset(flipped / "out" / "flip")[:]):
        redness = (sample["image"][0] - sample["image"][1]).clamp(min=0).numpy()
        rows, columns = np.mgrid[: redness.shape[0], : redness.shape[1]]
        centre = np.array([(columns * redness).sum(), (rows * redness).sum()]) / redness.sum()
        np.testing.assert_allclose(centre, sample["pose2d"][50 + DISC_JOINT], atol=0.6, err_msg=str(row))


def test_a_flip_of_a_flip_is_where_it_began(flipped: Path, tmp_path: Path) -> None:
    augment(flipped / "out" / "flip", tmp_path, parse_alterations("flip"), allow_asymmetric=True)
    with ShardFile(flipped / "shards" / "S001_PG1.h5") as first, ShardFile(tmp_path / "flip" / "S001_PG1.h5") as twice:
        for field in (
            "labels/joints_world_m",
            "labels/coordinates_rad",
            "subject/body_scales",
            "labels/root_rotation_world",
        ):
            np.testing.assert_allclose(first.read(field), twice.read(field), atol=1e-5, err_msg=field)
        # Boxes stand on whole pixels, in both mirrors.
        np.testing.assert_allclose(first.read("crops/box_px"), twice.read("crops/box_px"), atol=1)


@pytest.mark.parametrize("tree", [True, False], ids=["another model", "no model"])
def test_a_model_that_is_no_mirror_image_is_refused_and_nothing_is_left(tmp_path: Path, tree: bool) -> None:
    write_small_shard(tmp_path / "shards" / "S001_PG1.h5", tree=tree)
    with pytest.raises(AuditError) as caught:
        augment(tmp_path / "shards", tmp_path / "out", parse_alterations("flip"))
    assert (" mm;" in str(caught.value)) == tree
    assert not (tmp_path / "out").exists()
    if tree:
        flip = parse_alterations("flip")
        (done,) = augment(tmp_path / "shards", tmp_path / "out", flip, allow_asymmetric=True).done
        assert done.error_m > 1e-3


def test_parts_folders_and_versions_are_checked_first(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards")
    (done,) = augment(shards, tmp_path / "out", parse_alterations("brightness=-10"), split="test").done
    assert sorted(path.name for path in done.folder.glob("*.h5")) == ["S015_PG1.h5", "S015_PG2.h5"]
    with pytest.raises(UsageError):
        augment(shards, tmp_path / "out", parse_alterations("brightness=-10"))
    with pytest.raises(UsageError):
        augment(shards, tmp_path / "other", parse_alterations("crop=0.5"), split="validation")
    for path in shards.glob("*.h5"):
        _make_old(path)
    with pytest.raises(InputError):
        augment(shards, tmp_path / "other", parse_alterations("crop=0.5"))
    assert not (tmp_path / "other").exists()


def _make_old(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 3


@pytest.mark.parametrize("split", [None, "train"])
def test_a_damaged_or_older_shard_is_named_and_the_rest_is_altered(tmp_path: Path, split: str | None) -> None:
    shards = write_shards(tmp_path / "shards")
    _make_old(shards / "S001_PG1.h5")
    (shards / "S015_PG2.h5").write_bytes(b"not HDF5")
    sets = augment(shards, tmp_path / "out", parse_alterations("brightness=9,crop=0.5"), split=split)
    whole = ["S001_PG2.h5"] if split else ["S001_PG2.h5", "S015_PG1.h5"]
    for item in sets.done:
        assert sorted(path.name for path in item.folder.glob("*.h5")) == whole
        listed = json.loads((item.folder / "index.json").read_text())["shards"]
        assert [entry["file"] for entry in listed] == whole
    # Each once, though both kinds lack them.
    assert sorted(Path(line.split(": ")[0]).name for line in sets.left_out) == ["S001_PG1.h5", "S015_PG2.h5"]


def test_a_model_that_cannot_be_flipped_does_not_cost_the_other_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_shard(tmp_path / "shards" / "S001_PG1.h5", tree=True)
    kinds = ["--kind", "flip,contrast=0.5"]
    assert main(["augment", *kinds, "--json", str(tmp_path / "shards"), str(tmp_path / "out")]) == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["contrast"]
    (line,) = json.loads(capsys.readouterr().out)["left_out"]
    assert " mm;" in line


@pytest.mark.parametrize(
    "text", ["", "flop", "flip,flip", "flip=2", "contrast", "contrast=much", "resize=3", "crop=0", "brightness=+400"]
)
def test_kinds_that_cannot_be_are_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_alterations(text)
    assert str(caught.value).startswith("--kind")


def test_amounts_are_read_with_their_sign() -> None:
    assert parse_alterations("brightness=+40, crop=0.7") == (Alteration("brightness", 40.0), Alteration("crop", 0.7))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = write_shards(tmp_path / "shards")
    assert (
        main(["augment", "--kind", "resize=0.5", "--split", "test", "--json", str(shards), str(tmp_path / "out")]) == 0
    )
    (folder,) = json.loads(capsys.readouterr().out)["folders"]
    assert folder == {"folder": str(tmp_path / "out" / "resize"), "files": 2, "off_mm": 0.0}


def _d3ke_rows(n: int) -> dict[str, np.ndarray]:
    tables, rng = read_label_tables(), np.random.default_rng(1)
    points = {"pos3d": len(tables.joints), "marker_pos3d": len(tables.markers)}
    rows: dict[str, np.ndarray] = {
        **{name: np.zeros(n, dtype) for name, dtype in d3ke.LABEL_DTYPES.items()},
        **{f"{kind}{name}": rng.uniform(0.2, 1.0, (n, k, 3)) for name, k in points.items() for kind in ("", "sim_")},
        **{f"{name}_mask": np.ones((n, k)) for name, k in points.items()},
        "bbox": np.tile([100, 50, 120, 120], (n, 1)),
        "cameraType": np.array([b"PG1"] * (n // 2) + [b"PG2"] * (n - n // 2)),
        "openSimJointPos": rng.uniform(0.2, 1.0, (n, len(tables.opensim_joints), 3)),
        "coordinateAngle": rng.normal(size=(n, len(tables.coordinates))),
        "coordinateMask": np.ones((n, len(tables.coordinates))),
        "rootRot": np.tile(np.eye(4), (n, 1, 1)),
    }
    return rows


def test_rows_of_d3kes_layout_are_mirrored_by_the_camera_that_they_are_of() -> None:
    rows, tables = _d3ke_rows(6), read_label_tables()
    cameras = {"PG1": rolled_camera(), "PG2": side_camera()}
    mirrors = {name: mirror_of(camera) for name, camera in cameras.items()}
    mirrored = _mirror_rows(rows, tables, mirrors)
    order = mirror_order(tables.joints)
    for row in range(6):
        camera = "PG1" if row < 3 else "PG2"
        seen = project_points(cameras[camera], mirrored["pos3d"][row])
        np.testing.assert_allclose(
            seen, mirrors[camera].pixels(project_points(cameras[camera], rows["pos3d"][row, order])), atol=1e-6
        )
        np.testing.assert_allclose(np.linalg.det(mirrored["rootRot"][row, :3, :3]), 1.0)
    assert (rows["rootRot"] == np.eye(4)).all()
    twice = _mirror_rows(mirrored, tables, mirrors)
    np.testing.assert_allclose(twice["marker_pos3d"], rows["marker_pos3d"], atol=1e-12)
    np.testing.assert_allclose(twice["coordinateAngle"], rows["coordinateAngle"])


def _write_d3ke_folder(source: Path, subjects: tuple[int, ...]) -> Path:
    """Write a folder in D3KE's layout: pictures of frames 2 and 4 have a grey box, the others none."""
    source.mkdir()
    rows, boxes = _d3ke_rows(4), np.tile([10.0, 5.0, 20.0, 20.0], (6, 1))
    image = np.zeros((40, 50, 3), np.uint8)
    image[5:25, 10:30] = 100
    labels = {name: rows[name] for name in d3ke.OPENSIM_DTYPES}
    for subject in subjects:
        d3ke.write_labels(source / f"subject_{subject}.hdf5", {name: rows[name] for name in d3ke.LABEL_DTYPES})
        path = source / f"subject_{subject}_opensim.hdf5"
        d3ke.write_opensim_labels(path, labels, subject=subject, bone_scale=np.ones((48, 3)))
        d3ke.write_images(source / f"{subject}_PG1_img.hdf5", [(2, image), (4, image)], name="video", shape=(6, 40, 50))
    d3ke.write_base_model(source / "pyBaseModel.pkl", BaseModel((), (), (), ()))
    d3ke.write_dictionary(source / "all_bbox.npy", {subject: {"PG1": boxes} for subject in subjects})
    d3ke.write_dictionary(source / "videoIdx.npy", dict.fromkeys(subjects, np.ones((2, 1), np.int32)))
    return source


@pytest.mark.parametrize(
    "damage",
    [
        "no labels of the model",
        "no pictures",
        "labels that are no HDF5",
        "no boxes",
    ],
)
def test_a_damaged_subject_of_d3kes_layout_is_named_and_the_rest_is_altered(tmp_path: Path, damage: str) -> None:
    source = _write_d3ke_folder(tmp_path / "shards-d3ke", (1, 15))
    if damage == "no labels of the model":
        (source / "subject_1_opensim.hdf5").unlink()
    elif damage == "no pictures":
        (source / "1_PG1_img.hdf5").unlink()
    elif damage == "labels that are no HDF5":
        (source / "subject_1.hdf5").write_bytes(b"not HDF5")
    else:
        boxes = d3ke.read_dictionary(source / "all_bbox.npy")
        d3ke.write_dictionary(source / "all_bbox.npy", {15: boxes[15]})
    sets = augment(source, tmp_path / "out", parse_alterations("contrast=0.5"))
    (line,) = sets.left_out
    assert str(source) in line
    names = {path.name for path in (tmp_path / "out" / "contrast").iterdir()}
    assert names == {
        *("subject_15.hdf5", "subject_15_opensim.hdf5", "15_PG1_img.hdf5", "15_PG1_bbox.npy"),
        *("all_bbox.npy", "videoIdx.npy", "pyBaseModel.pkl"),
    }
    for table in ("all_bbox.npy", "videoIdx.npy"):
        assert list(d3ke.read_dictionary(tmp_path / "out" / "contrast" / table)) == [15]


def test_pictures_of_d3kes_layout_change_inside_their_boxes_only(tmp_path: Path) -> None:
    source, out = _write_d3ke_folder(tmp_path / "shards-d3ke", (1,)), tmp_path / "out"
    out.mkdir()
    augment_folder(Folder(source, {}), out, Alteration("brightness", 40.0), subjects=[1])
    changed = d3ke.read_image(out / "1_PG1_img.hdf5", 4)
    assert changed[10, 15].tolist() == [140, 140, 140]
    assert np.count_nonzero(changed.any(axis=2)) == 400
    # Frames without a picture stay black, and take no room.
    assert d3ke.read_image_heads(out / "1_PG1_img.hdf5") == ("video", (6, 40, 50), [2, 4])
    for name, values in d3ke.read_rows(source / "subject_1.hdf5").items():
        np.testing.assert_array_equal(d3ke.read_rows(out / "subject_1.hdf5")[name], values)
    with h5py.File(out / "subject_1_opensim.hdf5") as file:
        assert json.loads(file.attrs["altered"]) == {"kind": "brightness", "amount": 40.0}
    with pytest.raises(UsageError):
        augment_folder(Folder(source, {"PG3": small_camera()}), out, Alteration("flip", 1.0), subjects=[1])
    assert cv2.countNonZero(d3ke.read_image(out / "1_PG1_img.hdf5", 0)[..., 0]) == 0
