"""What each stage reaches in the code, as hashes: a stage whose code changed must not take old outputs for its own.

    python -m tools.stage_code                         which stages reach other code than is recorded
    python -m tools.stage_code --record                record the stages whose version was raised, and new ones
    python -m tools.stage_code --record --equal-bytes  record all: you have confirmed that they write equal bytes

A stage reaches its `run` function, every function, class and constant of the package that a reached one names (in
annotations, too), and the statements that run when their modules are imported. Docstrings, comments, imports and the
places of definitions do not count, so that a module may be moved. The record is `tests/data/stage_code.json`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import movi_prep
from movi_prep.records.unit import InSteps
from movi_prep.stages.order import ORDER, load_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = Path(__file__).parents[1] / "tests" / "data" / "stage_code.json"
_IGNORED = frozenset({"movi_prep._version"})
"""The number of the release says which release wrote a file, not what is in the file."""
_LONGEST = 12
"""Hex digits of a hash: enough for a few thousand definitions."""


@dataclass(frozen=True)
class StageCode:
    """What one stage reaches: its version, and a hash of the reached definitions of each module."""

    version: int
    modules: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One hash of all, whatever the modules are called."""
        return _hash("\n".join(sorted(self.modules.values())))


@dataclass(frozen=True)
class Module:
    """The source of one module, taken apart."""

    tree: ast.Module

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """The statements that bind each name at the top level."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in _top_level(self.tree.body):
            for name in _bound_names(statement):
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Name here -> (module, name there, or nothing for the module itself), those inside functions included."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})
            elif isinstance(node, ast.Import):
                found.update({alias.asname: (alias.name, "") for alias in node.names if alias.asname})
        return found

    @cached_property
    def effects(self) -> list[ast.stmt]:
        """The statements that bind nothing and run at import."""
        return [
            statement
            for statement in _top_level(self.tree.body)
            if not list(_bound_names(statement)) and not isinstance(statement, ast.Import | ast.ImportFrom)
        ]


@dataclass
class Reach:
    """The definitions that some roots reach; sources by module name."""

    sources: Mapping[str, str]
    found: set[tuple[str, str]] = field(default_factory=set)
    _modules: dict[str, Module] = field(default_factory=dict)

    def follow(self, module: str, name: str) -> None:
        """Add a name of a module and all that it reaches."""
        waiting = [(module, name)]
        while waiting:
            here, what = waiting.pop()
            if here not in self.sources or here in _IGNORED or (here, what) in self.found:
                continue
            self.found.add((here, what))
            waiting.extend(self._reached_from(here, what))

    def hashes(self) -> dict[str, str]:
        """Return a hash of the reached definitions of each module."""
        texts: dict[str, list[str]] = {}
        for here, what in self.found:
            module = self._module(here)
            # What runs at import acts on every name of the module.
            texts.setdefault(here, [_text(statement) for statement in module.effects])
            texts[here] += [_text(statement) for statement in module.definitions.get(what, [])]
        # Sorted: moving a definition within its module changes nothing.
        return {name: _hash("\n".join(sorted(lines))) for name, lines in sorted(texts.items()) if any(lines)}

    def _reached_from(self, here: str, what: str) -> Iterator[tuple[str, str]]:
        module = self._module(here)
        if what in module.imports and what not in module.definitions:
            yield self._there(*module.imports[what])
        statements = [*module.definitions.get(what, []), *module.effects]
        for node in (node for statement in statements for node in ast.walk(statement)):
            if isinstance(node, ast.Name) and node.id in module.definitions:
                yield here, node.id
            elif isinstance(node, ast.Name) and node.id in module.imports:
                yield self._there(*module.imports[node.id])
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                # `storage.write_table`, where `storage` is a module of ours
                target = ".".join(filter(None, module.imports.get(node.value.id, ("", ""))))
                if target in self.sources:
                    yield target, node.attr

    def _there(self, module: str, name: str) -> tuple[str, str]:
        """Return where an imported name is defined; of a module that is imported itself only its effects count."""
        whole = f"{module}.{name}"
        return (whole, "") if whole in self.sources else (module, name)

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = Module(ast.parse(self.sources[name]))
        return self._modules[name]


def read_stage_code() -> dict[str, StageCode]:
    """Return what each stage of this source tree reaches."""
    sources, found = read_sources(Path(movi_prep.__file__).parent), {}
    for entry in ORDER:
        stage, reach = load_stage(entry), Reach(sources)
        run = stage.run.run if isinstance(stage.run, InSteps) else stage.run
        reach.follow(run.__module__, run.__name__)
        found[stage.name] = StageCode(stage.version, reach.hashes())
    return found


def read_sources(package: Path) -> dict[str, str]:
    """Return the source of every module of a package, by dotted name."""
    sources = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return sources


def read_record(path: Path = RECORD) -> dict[str, StageCode]:
    """Return what is recorded."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: StageCode(entry["version"], entry["modules"]) for name, entry in content.items()}


def complaints(now: Mapping[str, StageCode], recorded: Mapping[str, StageCode]) -> dict[str, str]:
    """Return, by stage, how it differs from the record; after a raised version, only recording is left to do."""
    said = {}
    for name, code in now.items():
        before = recorded.get(name)
        if before is None:
            said[name] = "is not recorded: python -m tools.stage_code --record"
        elif code.version != before.version:
            said[name] = f"version {before.version} -> {code.version}: python -m tools.stage_code --record"
        elif code.digest != before.digest:
            changed = [
                module
                for module in sorted(code.modules.keys() | before.modules.keys())
                if code.modules.get(module) != before.modules.get(module)
            ]
            said[name] = (
                f"reaches other code in {', '.join(changed)}: raise the version, or confirm equal bytes "
                "(python -m tools.stage_code --record --equal-bytes)"
            )
    return said


def write_record(now: Mapping[str, StageCode], path: Path = RECORD) -> None:
    """Write what is reached: one line per module, so that changes of two people merge."""
    content: dict[str, Any] = {
        name: {"version": code.version, "modules": dict(code.modules)} for name, code in now.items()
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Compare or record; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.stage_code", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--record", action="store_true", help="record what is reached now")
    parser.add_argument("--equal-bytes", action="store_true", help="you confirm that changed stages write equal bytes")
    given = parser.parse_args()
    now, recorded = read_stage_code(), read_record()
    said = complaints(now, recorded)
    doubtful = [name for name, text in said.items() if "equal bytes" in text and not given.equal_bytes]
    for name, text in said.items():
        sys.stdout.write(f"{name} {text}\n")
    if given.record and not doubtful:
        write_record(now)
        return 0
    return 1 if said else 0


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those below `if TYPE_CHECKING` and `try` one by one."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level([*statement.body, *statement.orelse])
        elif not _is_text(statement):
            yield statement


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _text(node: Any) -> str:
    """Return code as text without docstrings, imports and positions, alike in every version of Python."""
    if isinstance(node, list):
        kept = [item for item in node if not _is_text(item) and not isinstance(item, ast.Import | ast.ImportFrom)]
        return f"[{','.join(map(_text, kept))}]"
    if isinstance(node, ast.AST):
        # Fields that are empty are left out: newer versions of Python add fields to their syntax trees.
        parts = [f"{name}={_text(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
        return f"{type(node).__name__}({','.join(part for part in parts if not part.startswith('type_comment='))})"
    return repr(node)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LONGEST]


if __name__ == "__main__":
    sys.exit(main())
