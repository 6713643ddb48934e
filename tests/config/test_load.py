"""A configuration is a file with flags laid over it; every mistake is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.config.load import dump_config, load_config
from movi_prep.errors import UsageError
from tests.sentences import raises_recorded


def write(folder: Path, text: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(text)
    return path


def test_paths_count_from_the_file_and_flags_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    file = write(tmp_path, "work: out\namass: ../amass\nmarkers: {marker_set: set.yaml}\n")
    config = load_config(file, {"v3d": "v3d"})
    assert config.work == tmp_path / "out"
    assert config.amass == tmp_path.parent / "amass"
    assert config.markers.marker_set == tmp_path / "set.yaml"
    assert config.v3d == here / "v3d"


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "markers: {rate: mocap, static_rate_hz: 60}\nsubjects: 1-3,7\n")
    config = load_config(file, {"markers": {"rate": "video"}})
    assert (config.markers.rate, config.markers.static_rate_hz) == ("video", 60)
    assert config.subjects == ("1-3", "7")


def test_a_dumped_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = load_config(None, {"work": tmp_path / "w", "subjects": "1,15", "shard": {"cameras": ["PG1"]}})
    assert load_config(write(tmp_path, dump_config(config)), {}) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("subject: 1", "did you mean 'subjects'"),
        ("markers: {rate: vido}", "markers.rate: Input should be 'video' or 'mocap', but got 'vido'"),
        ("run: {workers: 0}", "run.workers: Input should be greater than or equal to 1, but got 0"),
        ("subjects: 5-1", "expected a range that counts up, but got '5-1'"),
        ("shard: {cameras: []}", "shard.cameras: Tuple should have at least 1 item"),
        ("shard: {cameras: [a/b]}", "shard.cameras.0: expected a name of letters"),
        ("amass: ''", "amass: expected a path, but got an empty one"),
        ("subjects: ''", "expected names or numbers like '1,15'"),
        ("subjects: [1.5]", "subjects"),
        ("- a\n- b", "expected settings by name, but got a list"),
        ("a: [", "expected YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_setting(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, text), {})
    assert said in str(caught.value)
    assert "pipeline.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with raises_recorded(UsageError):
        load_config(tmp_path / "nowhere.yaml", {})
