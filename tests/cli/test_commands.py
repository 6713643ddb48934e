"""Commands on a small recordings, in this process: what they make, print and return."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from movi_prep.formats.marker_file import read_markers
from movi_prep.runtime.file_identity import FileIdentities
from movi_prep.runtime.unit_record import FileRecord, UnitRecord, write_record
from tests.builders.body import build_motion, old_release, write_npz
from tests.builders.shard import write_small_shard
from tests.cli.conftest import CommandLine

SERIAL = ("--executor", "serial")


def test_markers_are_made_once(movi_prep: CommandLine) -> None:
    code, first = movi_prep.json("markers", *movi_prep.flags(), *SERIAL)
    assert code == 0
    assert first["stages"]["markers"] == {"done": 4, "current": 0, "failed": 0, "waiting": 0}
    assert read_markers(movi_prep.work / "markers" / "S001" / "C02.h5").rate_hz == 30.0
    assert "markers/S001/C02.h5" in first["outputs"]

    code, second = movi_prep.json("markers", *movi_prep.flags(), *SERIAL)
    assert code == 0
    assert second["stages"]["markers"] == {"done": 0, "current": 4, "failed": 0, "waiting": 0}
    assert second["stages"]["static"]["done"] == 0


def test_without_json_a_table_is_on_standard_output(movi_prep: CommandLine) -> None:
    code, out, err = movi_prep("markers", *movi_prep.flags(), *SERIAL, "--clips", "1")
    assert code == 0
    assert re.search(r"markers +2 +0 +0 +0", out)
    assert "markers is through: 2 units" in err


def test_a_bad_clip_is_named_with_a_command_that_repeats_it(movi_prep: CommandLine, tmp_path: Path) -> None:
    amass = tmp_path / "amass"
    shutil.copytree(movi_prep.data / "amass", amass)
    bad = next(amass.rglob("Subject_1_F_2_poses.npz"))
    whole = bad.read_bytes()
    bad.write_bytes(whole[:1000])
    code, result = movi_prep.json("markers", *movi_prep.flags(), *SERIAL, "--amass", str(amass))
    assert code == 3
    assert result["stages"]["markers"]["failed"] == 1
    failure = result["failed"][0]
    assert failure["unit"] == "markers S001/C02"
    assert "Subject_1_F_2_poses.npz" in failure["reason"]

    status, state = movi_prep.json("status", "--work", str(movi_prep.work))
    assert status == 3
    assert state["stages"]["markers"] == {"done": 3, "current": 3, "failed": 1, "waiting": 0}

    bad.write_bytes(whole)
    program, *arguments = shlex.split(failure["redo"])
    assert program == "movi-prep"
    assert movi_prep(*arguments)[0] == 0
    assert movi_prep.json("status", "--work", str(movi_prep.work))[1]["stages"]["markers"]["done"] == 4


def test_a_dry_run_says_what_and_why_and_writes_nothing(movi_prep: CommandLine) -> None:
    code, out, _ = movi_prep("markers", *movi_prep.flags(), "--dry-run")
    assert code == 0
    assert "6 of 6 units would run" in out
    assert "never ran" in out
    assert not movi_prep.work.exists()
    assert movi_prep("markers", *movi_prep.flags(), *SERIAL)[0] == 0
    _, plan = movi_prep.json("markers", *movi_prep.flags(), "--dry-run", "--rate", "mocap", "--subjects", "1")
    assert plan["would_run"][0] == {
        "unit": "markers S001/C01", "state": "stale", "why": "setting rate: 'video' -> 'mocap'"
    }  # fmt: skip


def test_force_repeats_the_stages_of_the_command(movi_prep: CommandLine) -> None:
    movi_prep("markers", *movi_prep.flags(), *SERIAL)
    _, result = movi_prep.json("markers", *movi_prep.flags(), *SERIAL, "--force")
    assert result["stages"]["markers"]["done"] == 4


def test_trc_files_come_when_asked_for(movi_prep: CommandLine) -> None:
    movi_prep("markers", *movi_prep.flags(), *SERIAL, "--trc", "--subjects", "1", "--clips", "1")
    assert (movi_prep.work / "markers" / "S001" / "C01.trc").read_text().startswith("PathFileType")


def test_check_says_what_is_there_and_what_will_run(movi_prep: CommandLine) -> None:
    code, out, _ = movi_prep("check", *movi_prep.flags())
    assert code == 0
    assert "4 clips of 2 subjects" in out
    assert "never ran (4)" in out
    assert "it needs --v3d, --videos, --calibration" in out
    assert not movi_prep.work.exists()


def test_check_without_data_says_what_is_needed(movi_prep: CommandLine) -> None:
    code, out, _ = movi_prep("check", "--work", str(movi_prep.work))
    assert code == 2
    assert "AMASS clips and body models are needed" in out


@pytest.mark.parametrize("part", ["amass", "body_models"])
def test_check_says_which_of_two_folders_holds_nothing(movi_prep: CommandLine, tmp_path: Path, part: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    folders = {"amass": movi_prep.data / "amass", "body_models": movi_prep.data / "models"} | {part: empty}
    named = [word for name, folder in folders.items() for word in (f"--{name.replace('_', '-')}", str(folder))]
    code, result = movi_prep.json("check", *named, "--work", str(movi_prep.work))
    assert code == 2
    assert [text.partition(":")[0] for text in result["findings"] if str(empty) in text] == [part]


def test_a_subset_of_amass_runs_under_its_own_names(movi_prep: CommandLine, tmp_path: Path) -> None:
    subject = tmp_path / "amass" / "KIT" / "3 (new)"
    subject.mkdir(parents=True)
    clip = min((movi_prep.data / "amass").rglob("*_poses.npz"))
    shutil.copyfile(clip, subject / "walk [slow]_poses.npz")
    work = ("--work", str(movi_prep.work), *SERIAL)
    data = ("--amass", str(tmp_path / "amass"), "--body-models", str(movi_prep.data / "models"), *work)
    code, result = movi_prep.json("markers", *data, "--subset", "kit", "--clips", "walk*")
    assert code == 0
    assert "markers/KIT_3_new/walk_slow.h5" in result["outputs"]
    _, again = movi_prep.json("markers", *data, "--subset", "all")
    assert (again["stages"]["markers"]["done"], again["stages"]["markers"]["current"]) == (0, 1)
    assert list(movi_prep.json("check", *data[:-2], "--subset", "all")[1]["will_run"]) == [
        "static",
        "markers",
        "scale",
        "ik",
    ]
    code, _, err = movi_prep("shard", *data, "--subset", "all")
    assert code == 2
    assert "but these have none" in err


def test_check_says_once_what_is_nearly_right(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "F_PG1_Subject_1_L.mp4").touch()
    (tmp_path / "videos.zip").touch()
    folders = [f"--{part}={tmp_path}" for part in ("v3d", "videos", "calibration")]
    code, out, _ = movi_prep("check", *movi_prep.flags(), *folders)
    assert code == 2
    for reported in ("F_PG1_Subject_1_L.mp4 is nearly", "videos.zip is still packed"):
        assert out.count(reported) == 1


def test_check_says_which_folder_holds_nothing(movi_prep: CommandLine, tmp_path: Path) -> None:
    empty = [f"--{part}={tmp_path}" for part in ("v3d", "videos", "calibration")]
    code, out, _ = movi_prep("check", *movi_prep.flags(), *empty, "--json")
    assert code == 2
    assert f"v3d: expected F_v3d_Subject_N.mat below {tmp_path}, but got none; correct the path" in out
    assert json.loads(out)["will_run"] == {}


@pytest.mark.parametrize("name", ["Subject_1_F_1_poses.npz", "Subject_15_F_2_stageii.npz", "model.npz"])
def test_inspect_tells_dims_units_and_frames(movi_prep: CommandLine, name: str) -> None:
    code, result = movi_prep.json("inspect", str(next(movi_prep.data.rglob(name))))
    assert code == 0
    arrays = {item["name"]: item for item in result["files"][0]["arrays"]}
    if name == "model.npz":
        assert result["files"][0]["kind"] in ("SMPL+H body model", "DMPL soft tissue directions")
    else:
        assert arrays["poses"]["shape"] == [41, 156]
        assert arrays["trans"]["unit"] == "m"
        assert result["files"][0]["facts"]["n_samples"] == 41


def test_inspect_reads_what_the_project_writes(movi_prep: CommandLine) -> None:
    movi_prep("markers", *movi_prep.flags(), *SERIAL, "--trc", "--subjects", "1")
    written = [path for path in movi_prep.work.rglob("*") if path.suffix in (".h5", ".trc", ".json", ".yaml")]
    assert len(written) > 6
    code, result = movi_prep.json("inspect", *map(str, written))
    assert code == 0
    kinds = {item["kind"] for item in result["files"]}
    assert {"movi-prep markers", "marker trajectories (TRC)", "movi-prep-record", "YAML"} <= kinds


def test_inspect_refuses_what_it_does_not_know(movi_prep: CommandLine, tmp_path: Path) -> None:
    strange = tmp_path / "notes.txt"
    strange.touch()
    code, _, err = movi_prep("inspect", str(strange))
    assert code == 1
    assert "expected one of" in err


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5", ".trc", ".mot", ".osim", ".avi", ".json", ".npy", ".pkl"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00garbage\n" * 40], ids=["empty", "garbage"])
def test_inspect_tells_damaged_files_in_one_line(
    movi_prep: CommandLine, tmp_path: Path, suffix: str, content: bytes
) -> None:
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    code, out, err = movi_prep("inspect", str(damaged), "--json")
    assert (code, [item["file"] for item in json.loads(out)["failed"]]) == (1, [str(damaged)])
    assert err.startswith(f"movi-prep: {damaged}: expected ")
    assert len(err.strip().splitlines()) == 1


def test_inspect_goes_on_after_a_file_that_it_cannot_read(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty.trc").touch()
    known = next(movi_prep.data.rglob("Subject_1_F_1_poses.npz"))
    code, out, err = movi_prep("inspect", str(tmp_path / "empty.trc"), str(known), "--json")
    assert code == 1
    assert [Path(file["file"]) for file in json.loads(out)["files"]] == [known]
    assert "empty.trc: expected a first line" in err


def test_inspect_reads_no_yaml_that_is_not_text(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\x00")
    code, _, err = movi_prep("inspect", str(tmp_path / "a.yaml"))
    assert code == 1
    assert "expected YAML" in err


def test_batch_writes_scripts_that_a_shell_accepts(movi_prep: CommandLine) -> None:
    code, result = movi_prep.json("batch", *movi_prep.flags(), "--chunk", "1")
    assert code == 0
    scripts = [Path(name) for name in result["outputs"] if name.endswith((".sbatch", ".sh"))]
    assert [path.name for path in scripts] == ["submit.sh", "markers.sbatch", "ik.sbatch", "finish.sbatch"]
    for path in scripts:
        subprocess.run(["bash", "-n", str(path)], check=True)
    assert (movi_prep.work / "batch" / "tasks.txt").read_text() == "S001\nS015\n"
    assert "#SBATCH --array=1-2" in scripts[1].read_text()


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "movi_prep", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("movi-prep ")


@pytest.fixture
def filmed(movi_prep: CommandLine) -> CommandLine:
    """A finished marker stage, and a shard of it that a record vouches for."""
    assert movi_prep("markers", *movi_prep.flags(), *SERIAL, "--subjects", "1")[0] == 0
    shard = movi_prep.work / "shards" / "S001_PG1.h5"
    write_small_shard(shard)
    written = FileRecord("shards/S001_PG1.h5", FileIdentities().identity(shard))
    record = UnitRecord("shard", "S001/PG1", "done", 1, {}, outputs={"shard": written})
    write_record(movi_prep.work / "records/shard/S001/PG1.json", record, scratch=movi_prep.work / ".scratch")
    return movi_prep


@pytest.mark.parametrize("named", ["", "shards"])
def test_verify_tells_shards_of_an_earlier_run_and_so_does_the_exit_code(filmed: CommandLine, named: str) -> None:
    folder = str(filmed.work / named)
    code, result = filmed.json("verify", folder)
    assert (code, result["outdated"], result["notes"]) == (0, [], [])

    (filmed.work / "records/shard/S001/PG1.json").unlink()
    code, result = filmed.json("verify", folder)
    assert code == 3
    assert [(item["files"], item["reason"].partition(":")[0]) for item in result["outdated"]] == [
        (["shards/S001_PG1.h5"], "no record names it")
    ]
    assert result["shards"][0]["faults"] == [], "it is sound, but not what it should be"
    code, out, _ = filmed("status", "--work", str(filmed.work))
    assert code == 0
    assert "1 shard file is out of date, but training would read it" in out
    assert "shards/S001_PG1.h5: no record names it" in out


def test_verify_of_shards_that_were_copied_asks_for_no_records(filmed: CommandLine, tmp_path: Path) -> None:
    shutil.copytree(filmed.work / "shards", tmp_path / "copied")
    code, result = filmed.json("verify", str(tmp_path / "copied"))
    assert (code, result["outdated"], result["notes"]) == (0, [], [])


def test_verify_without_the_data_says_what_it_did_not_compare(filmed: CommandLine, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    filmed.work.rename(moved)
    config = moved / "config.yaml"
    config.write_text(config.read_text().replace(str(filmed.data), str(tmp_path / "out of reach")))
    code, out, _ = filmed("verify", str(moved))
    assert code == 0
    assert "not compared with the last run" in out
    assert "out of reach" in out


def test_a_cause_is_reported_once_and_the_rest_on_request(movi_prep: CommandLine, tmp_path: Path) -> None:
    amass = tmp_path / "amass"
    shutil.copytree(movi_prep.data / "amass", amass)
    clips = sorted(amass.rglob("Subject_*_*_*_*.npz"))
    for clip in clips:
        clip.write_bytes(b"")
    code, out, err = movi_prep("markers", *movi_prep.flags(), *SERIAL, "--amass", str(amass))
    assert code == 3
    assert err.count("failed;") <= 2, "one line for a stage"
    assert sum(str(clip) in out for clip in clips) == 1, "one clip stands for all"
    assert "--only" not in out
    again = next(line for line in out.splitlines() if "continue with: " in line).partition("continue with: ")[2]
    program, command, *_ = shlex.split(again)
    assert (program, command) == ("movi-prep", "markers")
    assert f"next: movi-prep status {movi_prep.work}" in out.splitlines()[-1]

    code, out, _ = movi_prep("status", str(movi_prep.work), "-v")
    assert code == 3
    assert all(str(clip) in out for clip in clips)
    assert "--only" in out


def test_a_run_ends_with_time_place_and_what_is_next(movi_prep: CommandLine) -> None:
    _, out, _ = movi_prep("markers", *movi_prep.flags(), *SERIAL, "--clips", "1")
    ended, following = out.splitlines()[-2:]
    assert re.fullmatch(rf"done in \d+ s: {movi_prep.work}", ended)
    assert following == f"next: movi-prep report {movi_prep.work}"


def test_a_work_folder_is_taken_with_and_without_its_flag(filmed: CommandLine) -> None:
    for command in ("status", "report", "verify"):
        plain, by_flag = filmed(command, str(filmed.work)), filmed(command, "--work", str(filmed.work))
        assert plain[:2] == by_flag[:2]


def test_an_error_blames_the_flag_that_brought_it_and_the_file_for_its_own(
    movi_prep: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("markers: {rate: video}\n")
    for flag in ("--set markers.rate=vido", "--set markers.rat=video", "--set ik.landmark_weight=many"):
        code, _, err = movi_prep("status", "--config", str(file), *flag.split())
        assert (code, err.startswith(f"movi-prep: {flag}: ")) == (2, True), err
        assert str(file) not in err
    file.write_text("markers: {rate: vido}\n")
    code, _, err = movi_prep("status", "--config", str(file), "--set", "ik.solver=opensim")
    assert err.startswith(f"movi-prep: {file}: ")
    assert "--set" not in err


def test_check_counts_what_would_fail_and_that_is_what_fails(movi_prep: CommandLine, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(movi_prep.data, data)
    folder = data / "amass" / "BMLmovi" / "Subject_1_F_MoSh"
    for path in folder.glob("*_poses.npz"):
        write_npz(path, {**old_release(build_motion(41)), "gender": np.array("male")})
    shutil.rmtree(data / "models" / "smplh" / "male")
    shutil.rmtree(data / "models" / "dmpls")
    flags = ["--amass", str(data / "amass"), "--body-models", str(data / "models"), "--work", str(movi_prep.work)]
    code, result = movi_prep.json("check", *flags)
    assert code == 3
    assert len(result["faults"]) == 1
    assert "among the findings" not in result["faults"][0], "there are none"
    expected = {unit for unit in result["would_fail"] if unit.startswith(("static", "markers"))}
    assert expected == {"static S001", "markers S001/C01", "markers S001/C02"}
    assert {unit.rpartition(" ")[2].partition("/")[0] for unit in result["would_fail"]} == {"S001"}
    _, ran = movi_prep.json("markers", *flags, *SERIAL)
    assert {failure["unit"] for failure in ran["failed"]} == expected
