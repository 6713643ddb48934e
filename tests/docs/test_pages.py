"""What the pages say is true: commands parse, code runs, the notebook runs, the site builds and its links hold."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from movi_prep.cli import main
from movi_prep.cli.commands import COMMANDS
from movi_prep.cli.flags import parse_arguments
from tools.site_pages import site_links

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "pipelines/README.md", *(ROOT / "docs").glob("*.md")])

RUN = ("tutorial.md", "reading_shards.md", "moving.md")
"""Pages that are run on the embedded data set, command by command and block by block."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its language ("sh" where it stands indented), and its text."""

    language: str
    text: str

    def commands(self) -> list[list[str]]:
        """Return the words of each `movi-prep` line."""
        joined = self.text.replace("\\\n", " ")
        lines = [line.strip() for line in joined.splitlines()]
        return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("movi-prep ")]


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fenced = [Block(language or "sh", body) for language, body in _FENCED.findall(text)]
    return fenced + [Block("sh", body) for body in _INDENTED.findall(_FENCED.sub("", text))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(page: Path) -> None:
    for block in _blocks(page):
        for words in block.commands():
            if words[0] in COMMANDS:
                # Flags, values of choices, and which flags go with which command; `...` stands for more of them.
                parse_arguments([word for word in words if word != "..."])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_compiles(page: Path) -> None:
    for block in _blocks(page):
        if block.language == "python":
            compile(block.text, str(page), "exec")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `movi-prep demo` has run."""
    folder = tmp_path_factory.mktemp("tutorial")
    assert main(["demo", str(folder / "demo"), "--executor", "serial"]) == 0
    return folder


@pytest.fixture
def beside_demo(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own with a copy of the data set, as its current folder."""
    shutil.copytree(demo / "demo", tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_a_page_runs_as_it_stands(name: str, beside_demo: Path) -> None:
    """All blocks of the page in order, in one folder and one Python session, as its reader types them."""
    script = ["import os, subprocess, sys", "import matplotlib", "matplotlib.use('agg')"]
    for block in _blocks(ROOT / "docs" / name):
        script.append(block.text if block.language == "python" else _typed(block))
    file = beside_demo / "page.py"
    file.write_text("\n".join(script))
    done = subprocess.run([sys.executable, file.name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    if name == "tutorial.md":
        first, *_, last = (float(found) for found in re.findall(r": ([\d.]+) px", done.stdout))
        assert last < 0.7 * first, f"the network of the tutorial learns nothing: {done.stdout[-500:]}"


def _typed(block: Block) -> str:
    """Return Python that does what the shell block says; the environment of the test is the one that `make` makes."""
    lines = []
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["movi-prep"]:
            lines.append(f"subprocess.run([sys.executable, '-m', 'movi_prep', *{words[1:]!r}], check=True)")
        elif words[:1] == ["mv"]:
            lines.append(f"subprocess.run({words!r}, check=True)")
        elif words:
            assert words[0] in ("make", "."), f"the test does not know how to run: {line}"
    return "\n".join(lines)


@pytest.mark.slow
def test_the_notebook_runs(beside_demo: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "docs/angles.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(beside_demo)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "passed" in cells[1].outputs[0].text
    assert any("image/png" in output.get("data", {}) for output in cells[3].outputs), "the notebook draws no curve"


@pytest.mark.slow
def test_the_site_builds_and_every_link_holds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    page = (tmp_path / "site/command_line/index.html").read_text()
    assert all(f"movi-prep {command}" in page for command in COMMANDS)
    assert "ik.landmark_limit_m" in (tmp_path / "site/configuration/index.html").read_text()
    assert "solve_ik" in (tmp_path / "site/python_api/index.html").read_text()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "opensim_models/README.md"], ids=str)
def test_every_link_of_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists() or target == "index.md", f"{page.name} links to {target}"


def test_links_between_files_become_links_between_pages() -> None:
    text = "[a](docs/training.md#x), [b](pipelines/README.md), [c](movi_prep/errors.py), [d](https://x.org/a.md)"
    assert site_links(text, folder=Path()) == (
        "[a](training.md#x), [b](pipelines.md), c (`movi_prep/errors.py`), [d](https://x.org/a.md)"
    )
