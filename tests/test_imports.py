"""The house: imports point one way, never in a circle, and each heavy dependency has one home."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import movi_prep
from tests.trials.test_tool_documents import ik_document, scale_document

PACKAGE = Path(movi_prep.__file__).parent

LEVELS = {
    "_version": 0,
    "errors": 0,
    "names": 0,
    "plain_text": 0,
    "config": 1,
    "records": 1,
    "geometry": 2,
    "formats": 3,
    "recordings": 4,
    "body": 4,
    "osim": 4,
    "kinematics": 4,
    "video": 4,
    "stages": 5,
    "demo": 5,
    "training": 5,
    "export": 6,
    "trials": 6,
    "examine": 7,
    "runtime": 7,
    "pages": 7,
    "report": 8,
    "view": 9,
    "api": 8,
    "cli": 10,
}

HOMES = {
    "opensim": {"osim"},
    "torch": {"body", "training"},
    "smplx": {"body"},
    "cv2": {"video", "training"},
    "simplejpeg": {"video", "training"},
    "h5py": {"formats"},
    "isal": {"formats"},
    "deflate": {"formats"},
    "ezc3d": {"formats"},
    "av": {"video"},
    "dask": {"runtime"},
    "distributed": {"runtime"},
    "dask_jobqueue": {"runtime"},
    "numba": {"kinematics"},
    "rich": {"runtime", "cli"},
    "pydantic": {"config", "formats"},
    "pydantic_core": {"config"},
    "matplotlib": {"api"},
}


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield all imports that run, wherever they stand (not those for type checkers only)."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(inner for child in node.body for inner in ast.walk(child))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in skipped:
            yield node


def _imported_names(tree: ast.AST) -> list[str]:
    """Return dotted names of all that is imported."""
    names: list[str] = []
    for node in _running_imports(tree):
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
    return names


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = _part_of(path)
    if here in ("__init__", "__main__"):
        return
    for name in _imported_names(ast.parse(path.read_text())):
        if not name.startswith("movi_prep."):
            continue
        there = name.split(".")[1]
        if there == here:
            continue
        assert LEVELS[there] < LEVELS[here], f"{here} (level {LEVELS[here]}) imports {there} (level {LEVELS[there]})"


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_modules(tree: ast.AST, known: Collection[str], *, for_types: bool = False) -> set[str]:
    """Return which of our modules a module imports, those inside functions included: they too are bound to it."""
    found: set[str] = set()
    for node in ast.walk(tree) if for_types else _running_imports(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` names the module in its second half.
            found.update(
                name if (name := f"{node.module}.{alias.name}") in known else str(node.module) for alias in node.names
            )
    return found & set(known)


@pytest.mark.parametrize("for_types", [False, True], ids=["running", "for types too"])
def test_no_module_imports_itself_through_others(for_types: bool) -> None:
    paths = {_module_name(path): path for path in _modules()}
    trees = {name: ast.parse(path.read_text()) for name, path in paths.items()}
    graph = {name: _imported_modules(tree, paths, for_types=for_types) for name, tree in trees.items()}
    assert sum(map(len, graph.values())) > len(graph), "hardly an import was seen: the test looks past them"
    # Raises CycleError, which names the circle.
    TopologicalSorter(graph).prepare()


def test_a_circle_inside_functions_is_seen() -> None:
    sources = {
        "movi_prep.a": "from movi_prep import b",
        "movi_prep.b": "def late():\n    from movi_prep.c import thing",
        "movi_prep.c": "import movi_prep.a",
    }
    graph = {name: _imported_modules(ast.parse(source), sources) for name, source in sources.items()}
    with pytest.raises(CycleError, match="cycle"):
        TopologicalSorter(graph).prepare()
    only_for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from movi_prep.a import thing"
    assert not _imported_modules(ast.parse(only_for_types), sources)


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_heavy_dependency_has_one_home(path: Path) -> None:
    for name in _imported_names(ast.parse(path.read_text())):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or _part_of(path) in homes, f"{name} belongs in {homes}"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, movi_prep; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *HOMES], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "from movi_prep.cli import main; assert main(['--help']) == 0",
        # Whoever solves a trial loads this module first; what a trial does not need is loaded by those who do.
        "import movi_prep.cli.ik_command",
    ],
    ids=["help", "ik"],
)
def test_the_command_line_loads_nothing_heavy_before_it_works(code: str) -> None:
    heavy = {*HOMES, "scipy", "movi_prep.runtime.pipeline_run"}
    shown = f"import sys\n{code}\nprint(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", shown, *sorted(heavy)], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.splitlines()[-1] == "[]"


# What inverse kinematics needs, and parts of the standard library and of NumPy that take milliseconds to load.
NOT_FOR_SCALING = {
    *("movi_prep.stages.ik", "movi_prep.stages.solve_clip", "movi_prep.formats.c3d", "movi_prep.report.measures"),
    *("numpy.ma", "numpy.polynomial", "html.entities", "uuid"),
}


@pytest.mark.parametrize(
    ("document", "more"), [(ik_document, set()), (scale_document, NOT_FOR_SCALING)], ids=["ik", "scale"]
)
def test_a_trial_loads_opensim_and_nothing_else_that_is_heavy(
    document: Callable[[Path], Path], more: set[str], tmp_path: Path
) -> None:
    assert not _loaded_by(document(tmp_path), tmp_path / "out", more)


@pytest.mark.reference
def test_the_real_example_loads_no_more(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(shared / "reference" / "gait2354", tmp_path / "gait2354")
    document = tmp_path / "gait2354" / "subject01_Setup_Scale.xml"
    assert not _loaded_by(document, tmp_path / "out", NOT_FOR_SCALING)


def _loaded_by(document: Path, work: Path, more: set[str]) -> list[str]:
    """Return which heavy modules a set-up document loads, OpenSim apart, and which of `more`."""
    heavy = {*HOMES, "scipy", "yaml", "movi_prep.runtime.pipeline_run", *more} - {"opensim"}
    code = (
        "import sys\nfrom movi_prep.cli import main\n"
        "assert main(['ik', '--setup', sys.argv[1], '--work', sys.argv[2]]) == 0\n"
        "print(*sorted(set(sys.modules) & set(sys.argv[3:])))"
    )
    words = [str(document), str(work), *sorted(heavy)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return done.stdout.splitlines()[-1].split()
