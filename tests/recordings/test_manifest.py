"""A manifest: what it lists is there, in either form; what cannot be used is named, and the rest is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from movi_prep.config.footage import MotionChoice
from movi_prep.config.load import load_config
from movi_prep.config.root import Config
from movi_prep.errors import InputError, UsageError
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.recordings.find import find_recordings
from movi_prep.recordings.manifest import find_manifest
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.markers import plan_markers, plan_static
from movi_prep.stages.order import idle_cameras

WALK = ClipId("Anna", "walk")


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def _manifest(folder: Path, **changes: Any) -> Path:
    _files(folder, "walk.npz", "jump.npz", "front.mp4", "side.mp4", "front.json", "side.toml")
    content = {
        "cameras": {
            "front": {"calibration": "front.json", "metres_per_unit": 0.001, "world_up": "y"},
            "side": {"calibration": "side.toml", "calibration_name": "cam02"},
        },
        "recordings": [
            {
                "subject": "Anna",
                "clip": "walk",
                "motion": "walk.npz",
                "cameras": {
                    "front": {"video": "front.mp4", "first_frame": 12, "offset_s": 0.25},
                    "side": {"video": "side.mp4", "rate_hz": 29.97},
                },
            },
            {"subject": "Anna", "clip": "jump", "motion": "jump.npz"},
        ],
        **changes,
    }
    path = folder / "recordings.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


TABLE = """subject;clip;motion;camera;video;first_frame;offset_s;rate_hz;calibration;metres_per_unit;world_up;\
calibration_name
Anna;walk;walk.npz;front;front.mp4;12;0.25;;front.json;0.001;y;
Anna;walk;walk.npz;side;side.mp4;;;29.97;side.toml;;;cam02
Anna;jump;jump.npz;;;;;;;;;
"""


def test_what_is_listed_is_there(tmp_path: Path) -> None:
    there = find_manifest(_manifest(tmp_path), None)
    assert there.findings == ()
    assert there.motions == {ClipId("Anna", "jump"): tmp_path / "jump.npz", WALK: tmp_path / "walk.npz"}
    assert there.filmed == {("Anna", "front"), ("Anna", "side")}
    front = there.footage[WALK, "front"]
    assert (front.video, front.clock.first_frame, front.clock.offset_s) == (tmp_path / "front.mp4", 12, 0.25)
    assert front.camera.options is not None
    assert (front.camera.options.metres_per_unit, front.camera.options.world_up) == (0.001, "y")
    assert there.cameras_wanted(None) == ("front", "side")
    assert there.cameras_wanted(("side",)) == ("side",)


def test_a_table_says_the_same(tmp_path: Path) -> None:
    listed = find_manifest(_manifest(tmp_path), None)
    table = tmp_path / "recordings.csv"
    for text in (TABLE, TABLE.replace(";", ",")):
        table.write_text(text)
        assert find_manifest(table, None) == listed


def test_what_a_motion_leaves_open_is_said_of_its_clip(tmp_path: Path) -> None:
    said = {"person": 1, "body": "SMPL-X", "sex": "female"}
    there = _found(tmp_path, [{**_entry(), **said}, _entry(clip="jump")])
    assert there.choices == {WALK: MotionChoice(**said)}
    table = tmp_path / "recordings.csv"
    # A row may leave out what another row of its clip says.
    table.write_text(
        "subject,clip,motion,person,body,sex,camera,video,calibration\n"
        "Anna,walk,walk.npz,1,,,front,front.mp4,front.json\n"
        "Anna,walk,walk.npz,,SMPL-X,female,side,side.mp4,side.toml\n"
        "Anna,jump,jump.npz,,,,,,\n"
    )
    assert find_manifest(table, None).choices == there.choices


@pytest.mark.parametrize("said", [{"person": 1}, {"body": "SMPL-X"}, {"sex": "female"}])
def test_another_person_or_body_is_another_unit(tmp_path: Path, said: dict[str, Any]) -> None:
    before, after = (_found(tmp_path, [{**_entry(), **more}]) for more in ({}, said))
    work, config = WorkFolder(tmp_path / "work"), Config()
    for plan in (plan_static, plan_markers):
        (old,), (new,) = plan(before, work, config), plan(after, work, config)
        assert old.id == new.id
        assert old.settings != new.settings


def test_the_command_line_finds_it(tmp_path: Path) -> None:
    path = _manifest(tmp_path)
    assert find_recordings(load_config(None, {"manifest": str(path), "clips": "walk"})).motions.keys() == {WALK}
    with pytest.raises(UsageError):
        find_recordings(load_config(None, {"manifest": str(path), "amass": str(tmp_path)}))
    with pytest.raises(UsageError):
        find_recordings(load_config(None, {"manifest": str(path), "shard": {"layout": "d3ke"}}))
    with pytest.raises(UsageError):
        find_recordings(load_config(None, {"manifest": str(tmp_path / "none.yaml")}))


def _found(tmp_path: Path, entries: list[dict[str, Any]], **more: Any) -> Recordings:
    return find_manifest(_manifest(tmp_path, recordings=entries, **more), None)


def _entry(subject: str = "Anna", clip: str = "walk", motion: str = "walk.npz", **cameras: Any) -> dict[str, Any]:
    return {"subject": subject, "clip": clip, "motion": motion, "cameras": cameras}


@pytest.mark.parametrize(
    ("entries", "left", "words"),
    [
        ([_entry(motion="none.npz"), _entry(clip="jump")], {"Anna/jump"}, ("none.npz",)),
        ([_entry("Ann a"), _entry("Ann/a"), _entry("Bea")], {"Bea/walk"}, ("'Ann a'", "'Ann/a'")),
        ([_entry(clip="walk 1"), _entry(clip="walk (1)"), _entry(clip="x")], {"Anna/x"}, ("walk 1", "walk (1)")),
        ([_entry(), _entry(), _entry(clip="x")], {"Anna/walk", "Anna/x"}, ("2 times",)),
        ([_entry(), _entry(motion="jump.npz"), _entry(clip="x")], {"Anna/x"}, ("Anna/walk",)),
    ],
    ids=["missing motion", "subjects clash", "clips clash", "listed twice", "two motions of one clip"],
)
def test_what_cannot_be_used_is_named_and_the_rest_is_used(
    tmp_path: Path, entries: list[dict[str, Any]], left: set[str], words: tuple[str, ...]
) -> None:
    there = _found(tmp_path, entries)
    assert set(map(str, there.motions)) == left
    (finding,) = there.findings
    assert all(word in finding for word in words)


@pytest.mark.parametrize(
    ("cameras", "word"),
    [
        ({"front": {"video": "none.mp4"}}, "none.mp4"),
        ({"frnt": {"video": "front.mp4"}}, "did you mean"),
        ({"front": {"video": "front.mp4", "poses": "poses.npz"}}, "poses.npz"),
        ({"front": {"video": "front.mp4", "calibration": "other.json"}}, "other.json"),
    ],
    ids=["video", "unknown camera", "poses", "calibration"],
)
def test_a_video_that_cannot_be_used_costs_no_angles(tmp_path: Path, cameras: dict[str, Any], word: str) -> None:
    there = _found(tmp_path, [_entry(**cameras)])
    assert set(there.motions) == {WALK}
    assert there.footage == {}
    (finding,) = there.findings
    assert word in finding


def test_footage_is_grouped_by_the_subject(tmp_path: Path) -> None:
    film = {"front": {"video": "front.mp4"}, "side": {"video": "side.mp4"}}
    there = _found(tmp_path, [_entry(**film), _entry("Bea", **film), _entry(clip="jump")])
    for subject in ("Anna", "Bea", "Cid"):
        of_subject = {key: item for key, item in there.footage.items() if key[0].subject == subject}
        assert dict(there.footage_of(subject)) == of_subject


def test_a_mistyped_camera_is_asked_about(tmp_path: Path) -> None:
    (said,) = idle_cameras(find_manifest(_manifest(tmp_path), None), ["frnt", "side"]).values()
    assert "did you mean 'front'" in said


def test_two_shards_never_have_one_name(tmp_path: Path) -> None:
    camera = {"calibration": "front.json"}
    film = {"video": "front.mp4"}
    there = _found(
        tmp_path,
        [_entry("A_B", C=film), _entry("A", B_C=film)],
        cameras={"C": camera, "B_C": camera},
    )
    assert len(there.footage) == 1
    assert "A_B_C" in there.findings[0]


@pytest.mark.parametrize(
    "change",
    [
        {"recordings": []},
        {"recordings": [{"subject": "Anna", "clip": "walk"}]},
        {"recordings": [{**_entry(), "camera": {}}]},
        {"recordings": [_entry(front={"video": "front.mp4", "first_frame": -1})]},
        {"cameras": {"front": {"calibration": "front.json", "world_up": "x"}}},
        {"cameras": {"front": {"metres_per_unit": 1}}},
        {"recordings": [{**_entry(), "sex": "woman"}]},
        {"recordings": [{**_entry(), "body": "SMPLX"}]},
    ],
)
def test_an_entry_that_says_nothing_sensible_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = _manifest(tmp_path, **change)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(tmp_path: Path, encoding: str, separator: str) -> None:
    path = tmp_path / "recordings.csv"
    rows = ["subject,clip,motion", "Ünal,Gänge,walk.npz"]
    path.write_text("\n".join(rows).replace(",", separator), encoding=encoding)
    (clip,) = read_manifest(path).recordings
    assert (clip.subject, clip.clip) == ("Ünal", "Gänge")


def test_an_encoding_that_nothing_tells_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recordings.csv"
    path.write_text("subject,clip,motion\nA,b,walk.npz\nÜnal,c,walk.npz\n", encoding="cp1252")
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert caught.value.where == f"{path}: line 3"
    assert "UTF-8" in caught.value.remedy


@pytest.mark.parametrize(
    "rows",
    [
        "subject,clip,motion,video\n",
        "subject,clip,motion,vidoe\nAnna,walk,walk.npz,front.mp4\n",
        "subject,clip,motion\nAnna,walk\n",
        "subject,clip,motion,camera,video,calibration\nA,w,w.npz,f,f.mp4,a.json\nA,x,w.npz,f,f.mp4,b.json\n",
        "subject,clip,motion,camera,video,calibration\nA,w,w.npz,f,f.mp4,a.json\nA,w,w.npz,f,g.mp4,a.json\n",
        "subject,clip,motion,sex,camera\nA,w,w.npz,male,f\nA,w,w.npz,female,g\n",
    ],
    ids=["no rows", "misspelt column", "short row", "two calibrations", "doubled row", "two sexes"],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "recordings.csv"
    path.write_text(rows)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert caught.value.where.startswith(str(path))


def test_json_is_yaml_too(tmp_path: Path) -> None:
    path = tmp_path / "recordings.yaml"
    path.write_text(json.dumps({"recordings": [{"subject": "A", "clip": "b", "motion": "c.npz"}]}))
    assert read_manifest(path).recordings[0].motion == tmp_path / "c.npz"


def test_a_table_that_is_too_large_is_refused_and_never_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("movi_prep.formats.manifest_file._LARGEST_BYTES", 40)
    path = tmp_path / "recordings.csv"
    path.write_text("subject,clip,motion\n" + "A,walk,walk.npz\n" * 5)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert caught.value.expected.startswith("at most")
