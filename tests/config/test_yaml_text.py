"""YAML within bounds: what it reads as ever, and what it refuses at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from movi_prep.config.load import load_config, load_settings
from movi_prep.config.slurm import SlurmProfile
from movi_prep.config.yaml_text import DEEPEST, LARGEST_BYTES, YamlError, parse_yaml, read_yaml
from movi_prep.errors import InputError, UsageError
from movi_prep.examine.inspect_file import inspect_file
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.marker_set import read_marker_set
from movi_prep.formats.setup_yaml import read_ik_yaml, read_scale_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{k}: &{k} [{','.join([f'*{before}'] * 9)}]\n" for before, k in zip("abcdefgh", "bcdefghi", strict=True)
)
LONG_WORD = "a: &a " + "x" * 10**5 + f"\nb: [{','.join(['*a'] * 1000)}]\n"
REFUSED = {
    "aliases of aliases": BOMB,
    "a long word many times": LONG_WORD,
    "an alias of itself": "a: &a [*a]\n",
    "nesting": "[" * 100_000,
    "block nesting": "- " * 100_000,
    "a key twice": "work: a\nwork: b\n",
    "code": "!!python/object/apply:os.system [echo]\n",
    "binary": "work: \x00\n",
    "an open bracket": "[1, 2",
    "too many values": f"[{'1,' * 200_000}]",
    "an unhashable key": "[1]: 2\n",
    "two documents": "a: 1\n---\nb: 2\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_no_file_of_ours_holds_is_refused_at_once(text: str) -> None:
    begin_s = time.monotonic()
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert time.monotonic() - begin_s < 2.0
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [("[1, 2", "line 1"), ("a: 1\n\nb: {c: 2\n", "line 3"), ("work: a\nwork: b\n", "line 2, column 1")],
)
def test_broken_text_is_named_by_its_line(text: str, place: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert place in str(caught.value)
    assert "unicode string" not in str(caught.value)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b" " * (LARGEST_BYTES + 1))
    with pytest.raises(YamlError, match="larger"):
        read_yaml(tmp_path / "a.yaml")


READERS: dict[str, Callable[[Path], Any]] = {
    "configuration": lambda path: load_config(path, {}),
    "profile": lambda path: load_settings(SlurmProfile, path),
    "label tables": read_label_tables,
    "marker set": read_marker_set,
    "tracking": read_ik_yaml,
    "scaling": read_scale_yaml,
    "inspect": inspect_file,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("head", ["", "format: movi-prep marker set\nversion: 1\n", "format: *i\n"])
def test_every_reader_says_so_in_a_line(tmp_path: Path, read: Callable[[Path], Any], head: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BOMB + head, encoding="utf-8")
    begin_s = time.monotonic()
    with pytest.raises((UsageError, InputError)) as caught:
        read(path)
    assert time.monotonic() - begin_s < 2.0
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 2000


IMPOSSIBLE = {
    "subjects: 1-999999999": "subjects",
    "clips: [1-999999999]": "clips",
    f"subjects: {'9' * 5000}": "subjects",
    f"subjects: 1-{'9' * 5000}": "subjects",
    f"exclude: [{'S' * 5000}]": "exclude",
    f"run: {{workers: {'9' * 5000}}}": "run.workers",
    f"run: {{workers: 0x{'f' * 5000}}}": "run.workers",
    f"run: {{workers: {':'.join(['59'] * 5000)}}}": "run.workers",
    "markers: {rate: 2020-13-45}": "markers.rate",
    "run: 2020-02-30": "run",
    f"{'x' * 10**5}: 1": "x",
}


@pytest.mark.parametrize(("text", "setting"), IMPOSSIBLE.items(), ids=range(len(IMPOSSIBLE)))
def test_values_that_cannot_be_name_their_setting(tmp_path: Path, text: str, setting: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    begin_s = time.monotonic()
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path / "a.yaml", {})
    assert time.monotonic() - begin_s < 2.0
    assert setting in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_date_is_the_text_that_stands_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("amass: 2020-12-31\nv3d: 2020-13-45\n", encoding="utf-8")
    config = load_config(tmp_path / "a.yaml", {})
    assert (config.amass, config.v3d) == (tmp_path / "2020-12-31", tmp_path / "2020-13-45")


def test_all_else_is_as_yaml_has_it() -> None:
    text = "a: &x {b: [1, -2.5, .inf, 1e-3, ~, yes, 0x1F, 'on']}\nc: *x\nd: {<<: *x, e: ü}\n"
    assert parse_yaml(text) == yaml.safe_load(text)
    assert parse_yaml("") is None
    assert parse_yaml("[" * (DEEPEST - 2) + "]" * (DEEPEST - 2))
    assert math.isnan(parse_yaml(".nan"))
