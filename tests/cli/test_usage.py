"""Wrong usage and configuration: one line, what exists, what was meant, exit code 2."""

from __future__ import annotations

import errno
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from movi_prep.cli.commands import COMMANDS
from movi_prep.cli.flags import FLAGS, POSITIONALS, SUMMARIES
from tests.builders.small_world import write_small_world
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runn"], "did you mean 'run'"),
        (["run", "--subject", "1"], "did you mean '--subjects'"),
        (["ik", "--solver", "magic"], "converged"),
        (["markers"], "static needs --amass, --body-models"),
        (["markers", "--config", "nowhere.yaml"], "--config: expected a file, but nowhere.yaml is not there"),
        (["markers", "--set", "markers.rat=video"], "did you mean 'rate'"),
        (["markers", "--set", "jpeg_quality=3"], "the whole name of a setting (shard.jpeg_quality), but got 'jpeg"),
        (["run", "--cameras", "a/b"], "shard.cameras.0: expected a name of letters"),
        (["markers", "--set", "rate"], "expected NAME=VALUE"),
        (["markers", "--set", "markers.rate="], "markers.rate=: expected a value, but got none"),
        (["markers", "--set", "markers.rate=[1"], "expected a value (YAML)"),
        (["status", "a", "--work", "b"], "expected one work folder, but got 'a' and --work 'b'"),
        (["run", "--subjects", "5-1"], "counts up"),
        (["demo", "--workers", "0"], "argument --workers: expected a whole number from 1, but got '0'"),
        (["verify", "--workers", "many"], "expected a whole number from 1, but got 'many'"),
        (["status", "--work", "nowhere"], "expected a work folder, but got nothing there"),
        (["verify", "nowhere"], "expected a work folder or a folder of shards"),
        (["ik", "--static-file", "a.trc", "--subjects", "1"], "but got --subjects; leave it out"),
        (["ik", "--setup", "a.xml", "--marker-file", "b.trc"], "but got both"),
        (["ik", "--setup", "a.xml", "--model", "b.osim", "--dry-run"], "but got --model, --dry-run; the document"),
        (["ik", "--marker-file", "b.trc", "--subjects", "1"], "but got --subjects; leave it out"),
        (
            ["ik", "--marker-file", __file__, "--set", "scaling.method=static"],
            "expected a scaled model (--model), or a static trial",
        ),
    ],
)
def test_what_is_wrong_is_one_line(movi_prep: CommandLine, arguments: list[str], said: str) -> None:
    code, out, err = movi_prep(*arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "nowhere"], 2),
        (["runn"], 2),
        (["run", "--subject", "1"], 2),
        (["ik", "--setup", "nowhere.xml"], 2),
        (["inspect", "nowhere.npz"], 2),
        (["inspect", __file__], 1),
    ],
)
def test_an_error_is_an_object_too_where_one_is_asked_for(
    movi_prep: CommandLine, arguments: list[str], code: int
) -> None:
    ended, result = movi_prep.json(*arguments)
    assert ended == code
    assert result.get("exit_code", code) == code
    assert result.get("error") or result["failed"][0]["reason"]


def test_clips_that_are_not_there_are_named_by_their_flag_beside_those_that_are(movi_prep: CommandLine) -> None:
    code, _, err = movi_prep("markers", *movi_prep.flags(), "--clips", "99")
    assert code == 2
    assert "--clips" in err
    assert "1-2" in err


def test_a_subject_that_is_not_there_is_named(movi_prep: CommandLine) -> None:
    code, _, err = movi_prep("markers", *movi_prep.flags(), "--subjects", "99")
    assert code == 2
    assert "expected subjects with AMASS clips (1,15), but got 99" in err


@pytest.mark.parametrize("arguments", [("markers",), ("markers", "--dry-run"), ("check",)])
def test_a_device_that_is_not_there_is_said_once(movi_prep: CommandLine, arguments: tuple[str, ...]) -> None:
    code, out, err = movi_prep(*arguments, *movi_prep.flags(), "--device", "cuda:97")
    assert code == 2
    assert (out + err).count("expected a torch device that works here, but got 'cuda:97'") == 1
    assert not movi_prep.work.exists()


def test_nobody_waits_for_the_compiler_to_be_reported_of_a_wrong_name(
    movi_prep: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("movi_prep.stages.compile_solver.compile_solver", lambda _say: pytest.fail("compiled first"))
    code, _, err = movi_prep("ik", "--setup", "nowhere.xml")
    assert code != 0
    assert "nowhere.xml" in err
    movi_prep.work.mkdir()
    for name in ("walk.trc", "model.osim"):
        (movi_prep.work / name).touch()
    (movi_prep.work / "bomb.yaml").write_text("a: &a [1, 1]\nb: &b [*a, *a, *a]\nmarker_weights: [*b, *b, *b]\n")
    files = {"--marker-file": "walk.trc", "--model": "model.osim", "--ik-setup": "bomb.yaml"}
    code, _, err = movi_prep(
        "ik", *(word for flag, name in files.items() for word in (flag, str(movi_prep.work / name)))
    )
    assert code == 2
    assert "bomb.yaml" in err


@pytest.mark.parametrize("setting", ["ik-setup", "scale-setup"])
@pytest.mark.parametrize("solver", ["opensim", "converged"])
def test_a_set_up_that_cannot_be_read_is_wrong_usage_whatever_it_is_for(
    movi_prep: CommandLine, tmp_path: Path, setting: str, solver: str
) -> None:
    write_small_world(tmp_path)
    (tmp_path / "bad.yaml").write_text("[1, 2")
    trial = ("--marker-file", str(tmp_path / "walk.trc"), "--model", str(tmp_path / "generic.osim"))
    setups = {"ik-setup": "ik.yaml", "scale-setup": "scale.yaml", setting: "bad.yaml"}
    flags = [word for name, file in setups.items() for word in (f"--{name}", str(tmp_path / file))]
    for given in (trial, movi_prep.flags()):
        code, _, err = movi_prep("ik", *given, *flags, "--solver", solver, "--work", str(tmp_path / "out"))
        assert code == 2
        assert err.count("bad.yaml") == 1
        assert not (tmp_path / "out").exists()


def test_a_work_folder_that_cannot_be_is_one_line(movi_prep: CommandLine) -> None:
    movi_prep.work.write_bytes(b"a file where the folder should be")
    code, _, err = movi_prep("markers", *movi_prep.flags(), "--executor", "serial")
    assert code == 2
    assert err.startswith(f"movi-prep: work: expected a folder that can be written, but {movi_prep.work}")
    assert len(err.strip().splitlines()) == 1


def test_results_of_marker_files_are_known_as_such(movi_prep: CommandLine) -> None:
    (movi_prep.work / "ik").mkdir(parents=True)
    for command in ("status", "report"):
        code, _, err = movi_prep(command, "--work", str(movi_prep.work))
        assert code == 2
        assert "but got results of marker files" in err


def test_what_the_system_refuses_is_one_line(movi_prep: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/logs/run.log")

    monkeypatch.setattr("movi_prep.cli.commands.find_command", lambda _name: refuse)
    code, _, err = movi_prep("status")
    assert code == 1
    assert err.splitlines() == [
        "movi-prep: /disk/logs/run.log: No space left on device; check the path, permissions and free space"
    ]


def test_every_command_is_dispatched_and_documented() -> None:
    assert set(COMMANDS) == SUMMARIES.keys()
    for flag in FLAGS:
        assert set(flag.commands) <= set(SUMMARIES)
        assert flag.help
    assert {positional.command for positional in POSITIONALS} <= set(SUMMARIES)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from movi_prep.cli import main; code = main(['--help']); "
        "print(sorted({'torch', 'opensim', 'cv2', 'numba', 'dask', 'pydantic', 'numpy'} & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.rstrip().endswith("[] 0")


@pytest.mark.parametrize("solver", ["opensim", "converged"])
def test_a_static_trial_alone_scales_the_model(solver: str, movi_prep: CommandLine, tmp_path: Path) -> None:
    write_small_world(tmp_path)
    files = ["--static-file", str(tmp_path / "static.trc"), "--model", str(tmp_path / "generic.osim")]
    asked = ["ik", *files, "--scale-setup", str(tmp_path / "scale.yaml"), "--work", str(tmp_path / "out")]
    code, result = movi_prep.json(*asked, "--solver", solver)
    assert code == 0
    assert result["scaling"]["numbers"]["passed"] is True
    assert [Path(path).name for path in result["outputs"]] == ["scaled.osim", "scale.json"]
    assert not (tmp_path / "out" / "report").exists()
    code, out, _ = movi_prep(*asked, "--solver", solver)
    assert "landmark_rms_mm" in out
    following = shlex.split(out.splitlines()[-1].removeprefix("next: movi-prep "))
    assert movi_prep(*following)[0] == 0


def test_several_marker_files_end_in_one_table(movi_prep: CommandLine, tmp_path: Path) -> None:
    write_small_world(tmp_path)
    shutil.copy(tmp_path / "walk.trc", tmp_path / "again.trc")
    (tmp_path / "empty.trc").touch()
    names = [str(tmp_path / f"{name}.trc") for name in ("walk", "again", "empty")]
    setups = ["--model", str(tmp_path / "generic.osim"), "--ik-setup", str(tmp_path / "ik.yaml")]
    asked = ["ik", "--marker-file", *names, *setups, "--solver", "opensim", "--work", str(tmp_path / "out")]
    code, out, _ = movi_prep(*asked)
    assert code == 3
    for name, state in (("walk", "solved"), ("again", "solved"), ("empty", "FAILED")):
        assert re.search(rf"{name}\.trc +{state}", out)
    place, following = out.splitlines()[-2:]
    assert place.endswith(str(tmp_path / "out"))
    assert following == f"next: movi-prep inspect {tmp_path / 'empty.trc'}"
    code, result = movi_prep.json(*asked)
    assert code == 3
    assert [Path(file["file"]).stem for file in result["files"]] == ["walk", "again"]
    assert all(file["numbers"]["usable_rows"] == 8 for file in result["files"])
    assert [Path(entry["unit"]).stem for entry in result["failed"]] == ["empty"]
