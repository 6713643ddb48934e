"""Tracks: points by their definition, frames unbroken and common to all cameras; what is wrong is named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError, UsageError
from movi_prep.export.human36m import NAMES, define_points
from movi_prep.export.targets import TARGETS, export
from movi_prep.export.tracks import Corpus, Wanted, find_shards, read_corpus
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels, read_label_names
from movi_prep.formats.shard_schema import SHARD_SCHEMA
from movi_prep.records.lens import opencv_lens
from tests.builders.shard import CLIPS, showing_frames, small_camera, write_small_shard
from tests.export.conftest import side_camera, write_shards


def _point(shards: Path, name: str, *, opensim: bool = False) -> np.ndarray:
    corpus = read_corpus(find_shards(shards), Wanted(joints="opensim" if opensim else "smpl"))
    return corpus.tracks[0].world_m[:, NAMES.index(name)]


def _label(shards: Path, group: str, name: str) -> np.ndarray:
    with h5py.File(shards / "S001_PG1.h5") as file:
        at = [entry.decode() for entry in file[f"names/{group}"][()]].index(name)
        return np.asarray(file[f"labels/{group}_world_m"][: CLIPS[0][1], at], dtype=np.float64)


def test_points_are_what_their_definition_says(shards: Path) -> None:
    hip = (_label(shards, "joints", "LHIPJ") + _label(shards, "joints", "RHIPJ")) / 2
    thorax = (_label(shards, "markers", "C7") + _label(shards, "markers", "CLAV")) / 2
    expected = {
        "Hip": hip,
        "Thorax": thorax,
        "Spine": (hip + thorax) / 2,
        "Nose": _label(shards, "surface", "NOSE"),
        "Head": _label(shards, "surface", "HEADTOP"),
        "LKnee": _label(shards, "joints", "LKJC"),
        "RKnee": _label(shards, "joints", "RKJC"),
        "LWrist": _label(shards, "joints", "LWRIST"),
    }
    for name, world_m in expected.items():
        np.testing.assert_allclose(_point(shards, name), world_m, atol=1e-9, err_msg=name)


def test_left_is_left_in_both_sources_of_joints(shards: Path) -> None:
    centres = {
        "LHip": "hip_l",
        "RHip": "hip_r",
        "LShoulder": "shoulder2_l",
        "RElbow": "elbow",
        "LWrist": "radiocarpal_l",
    }
    for name, centre in centres.items():
        expected = _label(shards, "opensim_joints", centre)
        np.testing.assert_allclose(_point(shards, name, opensim=True), expected, atol=1e-9, err_msg=name)
    assert define_points("smpl")["RKnee"] == "SMPL joint RKJC"
    assert define_points("opensim")["RKnee"] == "OpenSim joint centre knee_r"


def test_opensims_centres_end_where_a_frame_is_not_solved(shards: Path) -> None:
    # The builder's last frame has no pose: one frame less, and no track is bridged over it.
    smpl, opensim = (read_corpus(find_shards(shards), Wanted(joints=joints)) for joints in ("smpl", "opensim"))
    assert [len(track.frames) for track in smpl.tracks] == [6, 4, 6, 4]
    assert [len(track.frames) for track in opensim.tracks] == [6, 3, 6, 3]


def test_tracks_are_unbroken_and_the_same_in_every_camera(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    gap = showing_frames([0, 1, 2, 4, 5, 6, 0, 1, 2, 3])
    write_small_shard(tmp_path / "S001_PG2.h5", camera=side_camera(), changes=gap)
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    # PG1 has frames 0 to 5, PG2 0 to 2 and 4 to 6: together 0 to 2, and 4 and 5.
    assert [(track.clip.clip, track.run, track.frames.tolist()) for track in corpus.tracks] == [
        ("C01", 1, [0, 1, 2]),
        ("C01", 2, [4, 5]),
        ("C03", 0, [0, 1, 2, 3]),
    ]
    assert corpus.tracks[1].views[0].rows.tolist() == [4, 5]
    assert corpus.tracks[1].views[1].rows.tolist() == [3, 4]
    assert len(corpus.findings) == 1
    assert [track.frames.tolist() for track in read_corpus(find_shards(tmp_path), Wanted(cameras=("PG1",))).tracks] == [
        list(range(6)),
        list(range(4)),
    ]


def test_a_lens_that_a_code_does_not_know_leaves_its_shard_out(tmp_path: Path) -> None:
    write_small_shard(tmp_path / "S001_PG1.h5")
    bent = replace(small_camera("PG2"), lens=opencv_lens([-0.2, 0.1, 0.001, 0.0], source="test"))
    write_small_shard(tmp_path / "S001_PG2.h5", camera=bent)
    found = read_corpus(find_shards(tmp_path), Wanted(plain_cameras=True))
    assert len(found.left_out) == 3  # the shard, and both clips, which lack a camera
    assert found.left_out[0].startswith(str(tmp_path / "S001_PG2.h5"))
    assert len(read_corpus(find_shards(tmp_path), Wanted()).tracks) == len(CLIPS)


def test_a_point_that_was_not_seen_breaks_a_track(tmp_path: Path) -> None:
    def hidden(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed[2, 0] = 0.0
        return changed

    changes = dict.fromkeys(("labels/surface_world_m", "labels/surface_camera_m"), hidden)
    write_small_shard(tmp_path / "S001_PG1.h5", changes=changes)
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert [track.frames.tolist() for track in corpus.tracks] == [[0, 1], [3, 4, 5], [0, 1, 2, 3]]


def test_a_clip_that_a_camera_lacks_is_left_out_and_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    (tmp_path / "S015_PG2.h5").unlink()
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert corpus.subjects == ("S001",)
    assert [text.split(":")[0] for text in corpus.left_out] == ["S015/C01", "S015/C03"]
    assert all("PG2" in text for text in corpus.left_out)


def _make_old(path: Path) -> None:
    """Take away what shards before version 4 lack, and every later one whose marker set has no such points."""
    with h5py.File(path, "r+") as file:
        for name in [item.name for item in SHARD_SCHEMA.fields if "surface" in item.name and item.name in file]:
            del file[name]


def test_a_released_shard_of_an_older_version_is_named() -> None:
    released = Path(__file__).parents[1] / "data" / "shard_v3.h5"
    with pytest.raises(InputError) as caught:
        read_corpus([released], Wanted())
    assert caught.value.where == str(released)
    assert "NOSE" in caught.value.got


def test_an_older_shard_is_named_and_the_rest_is_exported(tmp_path: Path) -> None:
    write_shards(tmp_path)
    _make_old(tmp_path / "S001_PG1.h5")
    _make_old(tmp_path / "S001_PG2.h5")
    corpus = read_corpus(find_shards(tmp_path), Wanted())
    assert corpus.subjects == ("S015",)
    assert len(corpus.left_out) == 2
    for path in find_shards(tmp_path):
        _make_old(path)
    with pytest.raises(InputError) as caught:
        read_corpus(find_shards(tmp_path), Wanted())
    assert caught.value.where == str(tmp_path / "S001_PG1.h5")
    assert "HEADTOP" in caught.value.got
    assert "movi-prep run" in caught.value.remedy


def test_a_definition_that_the_labels_cannot_make_names_the_points(shards: Path) -> None:
    from movi_prep.export.human36m import make_points

    with ShardFile(shards / "S001_PG1.h5") as shard:
        labels, names = read_frame_labels(shard), read_label_names(shard)
    without = replace(names, markers=tuple("C8" if name == "C7" else name for name in names.markers))
    with pytest.raises(InputError) as caught:
        make_points(labels, without, joints="smpl", source="a shard")
    assert "Spine" in caught.value.expected
    assert "Thorax" in caught.value.expected
    assert caught.value.got == "labels without C7"


def _parts(corpus: Corpus) -> dict[str, list[str]]:
    return {part: sorted({track.clip.subject for track in corpus.of(part)}) for part in ("train", "test")}


def test_splits_are_those_of_the_shards_or_those_given(shards: Path) -> None:
    files = find_shards(shards)
    assert _parts(read_corpus(files, Wanted())) == {"train": ["S001"], "test": ["S015"]}
    given = read_corpus(files, Wanted(train=("15",), test=("S001",)))
    assert _parts(given) == {"train": ["S015"], "test": ["S001"]}
    # Who is in no part is not exported.
    assert read_corpus(files, Wanted(train=("1",))).subjects == ("S001",)
    for flag, wanted in (
        ("--train", Wanted(train=("1", "7"))),
        ("--test", Wanted(train=("1",), test=("1-20",))),
        ("--cameras", Wanted(cameras=("PG3",))),
    ):
        with pytest.raises(InputError) as caught:
            read_corpus(files, wanted)
        assert caught.value.where == flag


@pytest.mark.parametrize("target", [name for name, target in TARGETS.items() if target.parts])
def test_a_target_with_two_parts_needs_both_and_leaves_nothing_behind(
    shards: Path, tmp_path: Path, target: str
) -> None:
    with pytest.raises(UsageError):
        export(shards, tmp_path / "out", target=target, wanted=Wanted(train=("1", "15")))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_kind_is_refused_and_one_of_the_same_kind_replaced(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    with pytest.raises(UsageError):
        export(shards, out, target="videopose3d", wanted=Wanted())
    assert (out / "mine").is_dir()
    shutil.rmtree(out)
    export(shards, out, target="videopose3d", wanted=Wanted())
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "stale.txt").write_text("of an earlier export")
    export(shards, out, target="videopose3d", wanted=Wanted())
    # Equal inputs give equal bytes; nothing of the earlier one is left.
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    with pytest.raises(UsageError):
        export(shards, out, target="csv", wanted=Wanted())
    assert list(tmp_path.iterdir()) == [out]


def test_an_export_that_fails_on_the_way_leaves_the_earlier_one(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(shards, out, target="pose-hg-3d", wanted=Wanted())
    before = sorted(path.name for path in out.rglob("*"))

    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(ShardFile, "picture", broken)
    with pytest.raises(OSError, match="full"):
        export(shards, out, target="pose-hg-3d", wanted=Wanted())
    assert sorted(path.name for path in out.rglob("*")) == before
    assert list(tmp_path.iterdir()) == [out]


def test_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        find_shards(tmp_path)
    with pytest.raises(MissingError):
        export(tmp_path, tmp_path / "out", target="csv", wanted=Wanted())


def test_one_camera_is_enough_where_only_one_is_wanted(shards: Path) -> None:
    corpus = read_corpus(find_shards(shards), Wanted(cameras=("PG2",)))
    assert {view.camera.name for track in corpus.tracks for view in track.views} == {"PG2"}
    assert small_camera().name not in {view.camera.name for track in corpus.tracks for view in track.views}
