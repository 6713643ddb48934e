"""The house: imports point one way, and each heavy dependency has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import movi_prep

PACKAGE = Path(movi_prep.__file__).parent

LEVELS = {
    "_version": 0,
    "errors": 0,
    "config": 1,
    "records": 1,
    "geometry": 2,
    "formats": 3,
    "body": 4,
    "osim": 4,
    "kinematics": 4,
    "video": 4,
    "stages": 5,
    "demo": 5,
    "training": 5,
    "report": 6,
    "runtime": 6,
    "cli": 7,
}

HOMES = {
    "opensim": {"osim"},
    "torch": {"body", "training"},
    "smplx": {"body"},
    "cv2": {"video", "training"},
    "h5py": {"formats"},
    "dask": {"runtime"},
    "distributed": {"runtime"},
    "dask_jobqueue": {"runtime"},
    "numba": {"kinematics"},
    "rich": {"runtime", "cli"},
}


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _runtime_imports(tree: ast.AST) -> list[str]:
    """Return dotted names of all imports that run, wherever they stand (not those for type checkers only)."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(inner for child in node.body for inner in ast.walk(child))
    names: list[str] = []
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = _part_of(path)
    if here in ("__init__", "__main__"):
        return
    for name in _runtime_imports(ast.parse(path.read_text())):
        if not name.startswith("movi_prep."):
            continue
        there = name.split(".")[1]
        if there == here:
            continue
        assert LEVELS[there] < LEVELS[here], f"{here} (level {LEVELS[here]}) imports {there} (level {LEVELS[there]})"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_heavy_dependency_has_one_home(path: Path) -> None:
    for name in _runtime_imports(ast.parse(path.read_text())):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or _part_of(path) in homes, f"{name} belongs in {homes}"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, movi_prep; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *HOMES], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"
