"""What is installed is what the checkout holds: packages, models and pipelines."""

from __future__ import annotations

import tomllib
from pathlib import Path

import movi_prep
from movi_prep.formats.packaged import packaged_path

ROOT = Path(__file__).parents[1]
SHELVES = {
    "opensim_models": "movi_prep.opensim_models",
    "pipelines": "movi_prep.pipelines",
    "movi_prep/demo/data": "movi_prep.demo.data",
}
"""Folders of data that are packages: setuptools warns of those that are not named."""


def _setuptools() -> dict[str, list[str]]:
    table: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    return table


def test_every_folder_with_code_is_a_listed_package() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "movi_prep").rglob("*.py")}
    found = {".".join(folder.parts) for folder in folders} | set(SHELVES.values())
    assert found == set(_setuptools()["packages"])


def test_packaged_files_are_found_where_the_code_looks() -> None:
    for path in (ROOT / "opensim_models").glob("*.yaml"):
        assert packaged_path("opensim_models", path.name).read_bytes() == path.read_bytes()


def test_the_version_is_said_once() -> None:
    assert movi_prep.__version__.count(".") == 2
    assert (
        f"## {movi_prep.__version__}" in (ROOT / "CHANGELOG.md").read_text()
        or "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
    )
