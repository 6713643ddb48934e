"""Pages of the documentation that are made from the code, and links that lead out of `docs/`: a hook of MkDocs.

| page | made from |
|---|---|
| `index.md` | `README.md` |
| `pipelines.md`, `opensim_models.md`, `changelog.md` | the files that stand beside what they describe |
| `command_line.md` | the parser: summary, flags, defaults and example of each command |
| `configuration.md` | the settings: field, type, default and description |
| `python_api.md` | docstrings of `movi_prep` and of the records that it returns |
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.commands import COMMANDS
from movi_prep.cli.flags import parse_arguments
from movi_prep.config.base import Settings
from movi_prep.config.root import Config

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]

COPIES = {
    "index.md": "README.md",
    "pipelines.md": "pipelines/README.md",
    "opensim_models.md": "opensim_models/README.md",
    "changelog.md": "CHANGELOG.md",
}

API = (
    "movi_prep.api",
    "movi_prep.osim.solution.ScaledModel",
    "movi_prep.training.shard_dataset.ShardDataset",
    "movi_prep.training.shard_dataset.Selection",
    "movi_prep.training.shard_dataset.Window",
    "movi_prep.training.augmentation.Augmentation",
    "movi_prep.training.kinematic_layer.KinematicLayer",
    "movi_prep.records.markers.MarkerTrajectories",
    "movi_prep.records.markers.StaticTrial",
    "movi_prep.records.ik_solution.IkSolution",
    "movi_prep.records.ik_solution.FrameStatus",
    "movi_prep.records.scale_result.ScaleResult",
)

_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    made = {name: (ROOT / source).read_text(encoding="utf-8") for name, source in COPIES.items()}
    made |= {
        "command_line.md": command_line_page(),
        "configuration.md": configuration_page(),
        "python_api.md": api_page(),
    }
    for name, content in made.items():
        # Generated in memory: copies in docs/ would be edited by mistake.
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    return site_links(markdown, folder=Path(COPIES.get(page.file.src_uri, f"docs/{page.file.src_uri}")).parent)


def site_links(markdown: str, *, folder: Path) -> str:
    """Return the text with its relative links as the site has them; `folder` is where the file stands.

    A link to a file that is no page, such as a module, becomes its name.
    """
    pages = {(ROOT / source).resolve(): name for name, source in COPIES.items()}

    def turned(link: re.Match[str]) -> str:
        target = (ROOT / folder / link["target"]).resolve()
        if target.parent == ROOT / "docs":
            return f"[{link['text']}]({target.name}{link['anchor'] or ''})"
        # A link to a folder means the README in it, as on the repository's own site.
        if target in pages or target / "README.md" in pages:
            name = pages.get(target) or pages[target / "README.md"]
            return f"[{link['text']}]({name}{link['anchor'] or ''})"
        return f"{link['text']} (`{target.relative_to(ROOT)}`)" if target.exists() else link[0]

    return _LINK.sub(turned, markdown)


def command_line_page() -> str:
    """Return the help of every command."""
    parts = ["# Command line", "", "```text", _help([]), "```", ""]
    for command in COMMANDS:
        parts += [f"## movi-prep {command}", "", "```text", _help([command]), "```", ""]
    return "\n".join(parts)


def _help(words: list[str]) -> str:
    printed = io.StringIO()
    # argparse prints its help and ends the process.
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        parse_arguments([*words, "--help"])
    return printed.getvalue().strip()


def configuration_page() -> str:
    """Return a table of the settings of each section."""
    parts = [
        "# Configuration",
        "",
        "Settings stand in a YAML file (`--config FILE`); `--set section.name=value` changes one of them for one run.",
        "",
    ]
    return "\n".join([*parts, *_section(Config, "")])


def _section(model: type[Settings], path: str) -> list[str]:
    fields = model.model_fields
    inner = {name: field.annotation for name, field in fields.items() if _is_section(field.annotation)}
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    texts = _field_texts(model)
    for name, field in fields.items():
        if name not in inner:
            default = "" if field.is_required else f"`{field.get_default()}`"
            said = " ".join(texts.get(name, "").split()).replace("|", "\\|")
            rows.append(f"| `{path}{name}` | {default} | {said} |")
    parts = [f"## `{path.removesuffix('.')}`" if path else "## Top level", "", *rows, ""]
    for name, section in inner.items():
        parts += _section(section, f"{path}{name}.")
    return parts


def _field_texts(model: type[Settings]) -> dict[str, str]:
    """Return the text below each field of a class and of those that it inherits from.

    Not by pydantic's `use_attribute_docstrings`: every run of a command would read the sources of all settings.
    """
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__[: model.__mro__.index(Settings)]):
        (source,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        for field, said in pairwise(source.body if isinstance(source, ast.ClassDef) else []):
            if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
                texts[ast.unparse(field.target)] = inspect.cleandoc(str(said.value.value))
    return texts


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def api_page() -> str:
    """Return the page that mkdocstrings fills."""
    return "\n".join(["# Python API", "", *(line for name in API for line in (f"::: {name}", ""))])
