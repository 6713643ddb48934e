"""All of the package is in the wheel: every folder is listed, every file that is no module is package data."""

from __future__ import annotations

import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def packaged_files() -> list[PurePosixPath]:
    """Return the files below the folders of the packages, as git knows them, from the root of the repository."""
    # Caches and build outputs lie there, too.
    found = subprocess.run(
        ["git", "ls-files", "movi_prep", *SETUPTOOLS["package-dir"].values()],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode or not found.stdout:
        pytest.skip("needs the files of a checkout")
    return [PurePosixPath(name) for name in found.stdout.splitlines()]


def package_of(folder: PurePosixPath) -> str:
    elsewhere = {place: name for name, place in SETUPTOOLS["package-dir"].items()}
    return elsewhere.get(str(folder), str(folder).replace("/", "."))


def test_every_folder_with_files_is_a_package_that_is_listed() -> None:
    assert {package_of(path.parent) for path in packaged_files()} == set(SETUPTOOLS["packages"])


def test_every_file_that_is_no_module_is_package_data() -> None:
    missing = [
        str(path)
        for path in packaged_files()
        if path.suffix != ".py"
        and not any(fnmatch(path.name, glob) for glob in SETUPTOOLS["package-data"].get(package_of(path.parent), ()))
    ]
    assert missing == []


def test_no_folder_has_the_name_of_a_module() -> None:
    modules = {str(path.with_suffix("")) for path in packaged_files() if path.suffix == ".py"}
    assert modules.isdisjoint({str(path.parent) for path in packaged_files()})
