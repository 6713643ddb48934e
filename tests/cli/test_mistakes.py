"""Mistakes of somebody who is new: each ends in one line that says what is wrong, and in the exit code of its kind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from movi_prep.cli.flags import FLAGS, Flag
from movi_prep.cli.typed_inputs import check_typed_inputs
from movi_prep.errors import absent_package, describe_os_error
from tests.builders.small_world import write_small_world
from tests.cli.conftest import CommandLine
from tests.trials.test_tool_documents import ik_document

READ = [flag for flag in FLAGS if (flag.metavar or "").startswith(("FILE", "DIR"))]
READ = [flag for flag in READ if flag.name not in ("--work", "--output")]

POSITIONALS = {"augment": ("shards", "out")}
"""What a command wants besides its flags."""


@pytest.mark.parametrize(("flag", "command"), [(flag, name) for flag in READ for name in flag.commands])
def test_a_path_that_leads_nowhere_is_wrong_usage_and_names_its_flag(
    flag: Flag, command: str, movi_prep: CommandLine
) -> None:
    wanted = ["--kind", "flip"] if command == "augment" else []
    code, out, err = movi_prep(command, *POSITIONALS.get(command, ()), *wanted, flag.name, "nowhere")
    assert code == 2
    assert err.startswith(f"movi-prep: {flag.name}: expected a ")
    assert "nowhere is not there" in err
    assert len(err.splitlines()) == 1
    assert out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["status", ""],
            ["report", ""],
            ["verify", ""],
            ["view", ""],
            ["view", "work", ""],
            ["init", ""],
            ["demo", ""],
        ),
        *(["inspect", ""], ["inspect", __file__, ""], ["export", "--to", "csv", "", "out"]),
        *(["export", "--to", "csv", "work", ""], ["augment", "--kind", "flip", "work", ""]),
        *(["overlay", "", "S001/C01", "f.mp4", "--camera", "PG1"], ["ik", "--setup", ""], ["ik", "--marker-file", ""]),
        *(["ik", "--static-file", ""], ["report", "work", "--beside", ""], ["batch", "--output", ""]),
        *(["run", "--amass", ""], ["run", "--work", ""], ["run", "--config", ""]),
    ],
)
def test_an_empty_path_is_not_the_current_folder(
    arguments: list[str], movi_prep: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "records").mkdir()
    code, _, err = movi_prep(*arguments)
    assert code == 2
    assert "empty" in err
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


FOLDER_COMMANDS = [
    ["status", "FOLDER"],
    ["report", "FOLDER"],
    ["verify", "FOLDER"],
    ["view", "FOLDER"],
    ["overlay", "FOLDER", "S001/C01", "film.mp4", "--camera", "PG1"],
    ["export", "--to", "csv", "FOLDER", "out"],
    ["export", "--to", "glb", "FOLDER", "out"],
    ["export", "--to", "videopose3d", "FOLDER", "out"],
    ["augment", "--kind", "crop=0.7", "FOLDER", "out"],
]


def _told(movi_prep: CommandLine, command: list[str], folder: Path) -> str:
    """Return the one line in which a command refuses a folder, as wrong usage."""
    before = sorted(folder.rglob("*"))
    code, out, err = movi_prep(*(str(folder) if word == "FOLDER" else word for word in command))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before, "nothing was written into it"
    return err


@pytest.mark.parametrize("command", FOLDER_COMMANDS, ids=lambda command: " ".join(command[:3]))
@pytest.mark.parametrize("kind", ["nothing", "a file", "an empty folder"])
def test_a_folder_that_is_none_of_a_run_is_wrong_usage(
    command: list[str], kind: str, movi_prep: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a földer"
    if kind == "a file":
        folder.touch()
    elif kind == "an empty folder":
        folder.mkdir()
    assert str(folder) in _told(movi_prep, command, folder)


@pytest.mark.parametrize("command", FOLDER_COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_the_work_folder_below_a_data_set_is_what_is_meant(
    command: list[str], movi_prep: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "demo"
    (data / "work" / "records").mkdir(parents=True)
    (data / "work" / "shards").mkdir()
    (data / "work" / "shards" / "S001_PG1.h5").touch()
    # A data set has settings, too, and they name its work folder.
    (data / "config.yaml").write_text("work: work\n")
    assert str(data / "work") in _told(movi_prep, command, data)


def test_what_lies_in_a_work_folder_leads_to_it(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "work" / "records").mkdir(parents=True)
    (tmp_path / "work" / "ik" / "S001").mkdir(parents=True)
    assert f"did you mean {tmp_path / 'work'}?" in _told(movi_prep, ["view", "FOLDER"], tmp_path / "work" / "ik")


@pytest.mark.parametrize("command", ["verify", "export --to csv", "export --to videopose3d", "augment --kind flip"])
def test_solutions_of_marker_files_are_not_told_to_make_shards(
    command: str, movi_prep: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "work" / "ik").mkdir(parents=True)
    (tmp_path / "work" / "ik" / "walk.h5").touch()
    out = [] if command == "verify" else [str(tmp_path / "out")]
    code, _, err = movi_prep(*command.split(), str(tmp_path / "work"), *out)
    assert code == 2
    assert "but got solutions of marker files" in err
    assert "movi-prep shard" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--model", "walk.trc", "--marker-file", "small.osim"],
            ["walk.trc is a marker file", "small.osim is a model"],
        ),
        (["--model", "generic.osim", "--marker-file", "walk.mot"], ["walk.mot is a motion"]),
        (["--marker-file", "ik.xml"], ["ik.xml is a document, which --setup"]),
        (["--setup", "walk.trc"], ["walk.trc is a marker file, which --marker-file"]),
        (["--static-file", "GENERIC.OSIM"], ["GENERIC.OSIM is a model, which --model takes"]),
        (["--marker-file", "wlk.trc", "--model", "generic.osim"], ["wlk.trc is not there (did you mean 'walk.trc'?)"]),
        (["--marker-file", "walk.trc", "--model", "."], ["--model: expected a file, but . is a folder"]),
        (["--marker-file", "walk.trc", "nope.trc", "--model", "no.osim"], ["nope.trc", "no.osim"]),
    ],
)
def test_files_of_a_trial_that_were_exchanged_are_told_apart(
    arguments: list[str],
    says: list[str],
    movi_prep: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_small_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = movi_prep("ik", *arguments)
    assert (code, out) == (2, "")
    assert [text for text in says if text not in err] == []
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "work" / "ik").exists()


def test_markers_of_another_model_are_told_that_none_was_named(movi_prep: CommandLine, tmp_path: Path) -> None:
    write_small_world(tmp_path)
    code, _, err = movi_prep("ik", "--marker-file", str(tmp_path / "walk.trc"), "--work", str(tmp_path / "out"))
    assert code == 1
    assert err.startswith(f"movi-prep: {tmp_path / 'walk.trc'}: expected markers of the packaged model")
    assert "--model" in err


def test_nothing_is_asked_of_flags_that_are_not_given() -> None:
    from argparse import Namespace

    check_typed_inputs(Namespace(command="run", work="anything", output=None))


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["run", "settings.yaml"], "--config settings.yaml"),
        (["ik", "walk.TRC"], "--marker-file walk.TRC"),
        (["ik", "ik.xml"], "--setup ik.xml"),
        (["ik", "my clips"], "--amass 'my clips'"),
        (["check", "done"], "--work done"),
        (["report", "done", "S001"], "leave it out"),
        (["run", "--set", "markers.rate", "video"], "leave it out"),
    ],
)
def test_a_word_without_a_flag_leads_to_the_flag(
    arguments: list[str], meant: str, movi_prep: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my clips").mkdir()
    (tmp_path / "done" / "records").mkdir(parents=True)
    code, out, err = movi_prep(*arguments)
    assert (code, out) == (2, "")
    assert f"{arguments[0]}: expected a flag, but got {arguments[-1]!r}" in err
    assert meant in err
    assert len(err) < 250, "not all flags there are"


@pytest.mark.parametrize(
    "command", ["export --to csv", "export --to glb", "export --to videopose3d", "augment --kind flip"]
)
def test_folders_that_were_exchanged_are_told(command: str, movi_prep: CommandLine, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "records").mkdir(parents=True)
    code, _, err = movi_prep(*command.split(), str(tmp_path / "new"), str(work))
    assert code == 2
    assert err.endswith(f"{tmp_path / 'new'} is not there and {work} is; exchange them\n")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("place", ["records", "notes.txt"])
def test_the_data_set_is_not_written_among_other_files(place: str, movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "of the user" / place).mkdir(parents=True)
    code, _, err = movi_prep("demo", str(tmp_path / "of the user"))
    assert code == 2
    assert place in err
    assert [path.name for path in (tmp_path / "of the user").iterdir()] == [place]


def test_the_temporary_name_of_a_file_is_no_name_for_people() -> None:
    for inner in ("film.mp4", "film.mp4/film.mp4", "film.mp4/new"):
        refused = PermissionError(13, "Permission denied", f"/out/.partial-0123456789ab-{inner}")
        assert describe_os_error(refused).startswith("/out/film.mp4: Permission denied")
    inside = FileNotFoundError(2, "No such file", "/out/.partial-0123456789ab-set/new/data.npz")
    assert describe_os_error(inside).startswith("/out/set/data.npz: ")


def test_the_work_folder_comes_before_the_clip(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "work" / "records").mkdir(parents=True)
    for command in (["view", "S001/C01", "WORK"], ["overlay", "S001/C01", "WORK", "f.mp4", "--camera", "PG1"]):
        code, _, err = movi_prep(*(str(tmp_path / "work") if word == "WORK" else word for word in command))
        assert code == 2
        assert err.endswith(f"name the work folder first: {tmp_path / 'work'}\n")


def test_a_setting_of_a_section_that_is_none_is_quoted_as_typed(movi_prep: CommandLine) -> None:
    code, _, err = movi_prep("markers", "--set", "marker.rate=video")
    assert code == 2
    assert err.startswith("movi-prep: --set marker.rate=video: no setting 'marker' (did you mean 'markers'?)")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["help"], "movi-prep --help"),
        (["version"], "movi-prep --version"),
        (["ik", "help"], "movi-prep ik --help"),
        (["--json", "status", "work"], "movi-prep COMMAND --json"),
        (["shard", "--cameras", "PG1", "PG2"], "--cameras PG1,PG2"),
        (["run", "--subjects", "1", "15", "16"], "--subjects 1,15"),
    ],
)
def test_words_in_another_order_or_form_are_told(arguments: list[str], meant: str, movi_prep: CommandLine) -> None:
    code, _, err = movi_prep(*arguments)
    assert code == 2
    assert meant in err
    assert len(err.splitlines()) == 1


def test_a_document_whose_model_is_not_there_is_led_to_its_scaling(movi_prep: CommandLine, tmp_path: Path) -> None:
    document = ik_document(tmp_path)
    (tmp_path / "generic.osim").unlink()
    code, _, err = movi_prep("ik", "--setup", str(document), "--work", str(tmp_path / "out"))
    assert code == 1, "the path is wrong inside a file"
    assert err.startswith(f"movi-prep: {tmp_path / 'generic.osim'}: expected the model that {document} names")
    assert "scales it" in err


def test_what_run_refuses_batch_refuses(movi_prep: CommandLine) -> None:
    flags = [*movi_prep.flags(), "--work", str(movi_prep.data / "amass" / "work")]
    refusals = {movi_prep(command, *flags)[::2] for command in ("run", "batch")}
    assert len(refusals) == 1
    assert refusals.pop()[0] == 2


@pytest.fixture
def manifest(movi_prep: CommandLine, tmp_path: Path) -> Path:
    """One recording without any camera."""
    motion = next((movi_prep.data / "amass").rglob("*_poses.npz"))
    path = tmp_path / "recordings.yaml"
    path.write_text(f"recordings:\n  - subject: A\n    clip: walk\n    motion: {motion}\n")
    return path


def test_a_manifest_without_cameras_runs_as_far_as_it_goes(movi_prep: CommandLine, manifest: Path) -> None:
    asked = [
        "--manifest",
        str(manifest),
        "--body-models",
        str(movi_prep.data / "models"),
        "--work",
        str(movi_prep.work),
    ]
    code, result = movi_prep.json("run", *asked, "--dry-run")
    assert code == 0
    assert [entry["unit"] for entry in result["would_run"]] == ["static A", "markers A/walk", "scale A", "ik A/walk"]
    code, out, _ = movi_prep("check", *asked)
    assert code == 0
    assert f"shard is left out: it needs cameras with videos, and {manifest} names none" in out
    code, _, err = movi_prep("shard", *asked)
    assert code == 2
    assert f"{manifest} names none" in err
    assert "None" not in err


def test_what_a_manifest_lacks_is_looked_for_in_it(movi_prep: CommandLine, manifest: Path) -> None:
    code, _, err = movi_prep("ik", "--manifest", str(manifest))
    assert code == 2
    assert f"in {manifest} or with --body-models" in err
    assert "None" not in err


def test_a_manifest_and_settings_that_were_exchanged_are_told_apart(movi_prep: CommandLine, manifest: Path) -> None:
    code, _, err = movi_prep("run", "--config", str(manifest))
    assert (code, err.rpartition("; ")[2]) == (2, "name it with --manifest\n")
    settings = manifest.with_name("movi-prep.yaml")
    settings.write_text("manifest: recordings.yaml\n")
    code, _, err = movi_prep("run", "--manifest", str(settings))
    assert code == 2
    assert "name it with --config" in err


@pytest.mark.parametrize(
    ("package", "command"), [("h5py", ["inspect", "x.h5"]), ("h5py", ["export", "--to", "csv", "work", "out"])]
)
def test_a_package_that_is_not_installed_is_one_line(package: str, command: list[str], tmp_path: Path) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError('No module', name={package!r})\n")
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "work" / "shards").mkdir(parents=True)
    shutil.copy(tmp_path / "x.h5", tmp_path / "work" / "shards" / "S001_PG1.h5")
    done = subprocess.run(
        [sys.executable, "-m", "movi_prep", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"movi-prep: {package} is not installed in {sys.prefix}")
    assert len(done.stderr.splitlines()) == 1


def test_modules_that_files_name_are_no_packages_of_ours() -> None:
    assert absent_package(ModuleNotFoundError(name="torch.nn")) == "torch"
    assert absent_package(ModuleNotFoundError(name="chumpy.ch")) == ""
    assert absent_package(ModuleNotFoundError(name="movi_prep.nowhere")) == ""
    assert absent_package(ImportError("cannot import name", name="torch")) == ""


def test_all_packages_of_the_project_are_known() -> None:
    """Those that `pyproject.toml` names, by the names under which they are imported."""
    names = {"opencv_python_headless": "cv2", "pyyaml": "yaml"}
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for entry in tomllib.loads(text)["project"]["dependencies"]:
        name = re.split(r"[<>=~!; ]", entry)[0].lower().replace("-", "_")
        assert absent_package(ModuleNotFoundError(name=names.get(name, name))), entry


@pytest.mark.parametrize("command", ["export --to csv", "export --to glb", "augment --kind crop=0.7"])
@pytest.mark.parametrize("place", ["notes.txt", "work/ik", "work/shards/crop", "work/models/new/deep"])
def test_nothing_is_written_over_a_file_or_among_results(
    command: str, place: str, movi_prep: CommandLine, tmp_path: Path
) -> None:
    for name in ("ik", "shards", "models", "records"):
        (tmp_path / "work" / name).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    code, _, err = movi_prep(*command.split(), str(tmp_path / "work"), str(tmp_path / place))
    assert code == 2
    assert str(tmp_path / place) in err
    assert err.endswith("name another\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_scripts_are_not_written_into_a_file(movi_prep: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    code, _, err = movi_prep("batch", *movi_prep.flags(), "--output", str(tmp_path / "notes.txt"))
    assert code == 2
    assert err.startswith("movi-prep: --output: expected a folder")
