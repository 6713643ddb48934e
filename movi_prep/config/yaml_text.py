"""A YAML reader with limits, for configuration, profiles, marker sets, set-ups and label tables.

In plain YAML, 400 characters can expand to 9^9 values, text becomes dates, colons make numbers to the base of 60, and
the last of two equal keys wins silently. This reader counts a document before it builds it:

| property of a document | limit |
|---|---|
| size | 4 MiB |
| nesting | 32 |
| values, characters with every alias expanded | 100,000 and 4 Mi |
| numbers | longer than 40 characters they stay text, as dates do; the setting's own check then reports them |
| keys | each once |
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 4 * 2**20
DEEPEST = 32
MOST_VALUES = 100_000
LONGEST_NUMBER = 40

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same loader in C, if PyYAML was built with it: ten times as fast."""

_PLAIN = re.compile(r"[^\W\d][\w./-]*")
_NO_TEXT = ("true", "false", "null", "yes", "no", "on", "off")
_TIME, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "int", "float"))


class YamlError(ValueError):
    """Text that is not YAML, or YAML beyond the limits; the message is one line."""


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        OSError: the file cannot be opened.
        YamlError: the file is not YAML, or beyond the limits.
    """
    with path.open("rb") as file:
        # One byte more than allowed: that tells a file that is too large without reading all of it.
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise YamlError(f"it is larger than {LARGEST_BYTES // 2**20} MiB")
    try:
        return parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise YamlError(f"it is not UTF-8 ({error.reason} at byte {error.start})") from error


def parse_yaml(text: str) -> Any:
    """Return the content of YAML text; raise YamlError if it is not YAML, or beyond the limits."""
    try:
        _check_size(text)
        # Counted first: building is what takes the memory.
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise YamlError(_described(error)) from error


def _described(error: Exception) -> str:
    """Return in one line what is wrong, and where in the text."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split()) or type(error).__name__
    # The text of the error itself names the place as 'in "<unicode string>"', which is no file of anybody's.
    parts = [(error.context, error.context_mark), (error.problem, error.problem_mark)]
    return ": ".join(
        what if mark is None else f"{what} in line {mark.line + 1}, column {mark.column + 1}"
        for what, mark in parts
        if what is not None
    )


class _Loader(_Base):  # type: ignore[misc]  # the loader in C has no types
    """The safe loader, but dates and very long numbers stay text, and a duplicate key is an error."""

    # Without the resolver of dates, 2020-13-45 stays text, and the setting's own check reports it.
    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIME]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            # "<<" merges another mapping, and may stand several times.
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} appears twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def number(self, node: Any) -> Any:
        """Return a number, or its text if it is too long for a number."""
        if len(node.value) > LONGEST_NUMBER:
            return node.value
        return self.construct_yaml_int(node) if node.tag == _INT else self.construct_yaml_float(node)


_Loader.add_constructor(_INT, _Loader.number)
_Loader.add_constructor(_FLOAT, _Loader.number)


@dataclass
class _Part:
    """A list or mapping that the count is inside of, with its values and characters so far."""

    anchor: str | None = None
    n_values: int = 1
    n_characters: int = 0


@dataclass
class _Count:
    """Counts the values of a document as if every alias were expanded, without expanding one."""

    open: list[_Part] = field(default_factory=lambda: [_Part()])
    closed: dict[str, _Part] = field(default_factory=dict)

    def add(self, part: _Part) -> None:
        """Add a finished part to the one around it, and remember its size under its anchor."""
        self.open[-1].n_values += part.n_values
        self.open[-1].n_characters += part.n_characters
        if part.anchor is not None:
            self.closed[part.anchor] = part
        if self.open[-1].n_values > MOST_VALUES or self.open[-1].n_characters > LARGEST_BYTES:
            raise YamlError(f"it expands to more than {MOST_VALUES} values or {LARGEST_BYTES // 2**20} Mi characters")

    def alias(self, anchor: str) -> None:
        """Add the size of the part that an alias refers to."""
        part = self.closed.get(anchor)
        if part is None:
            raise YamlError(f"the alias *{anchor} refers to nothing, or to itself")
        self.add(_Part(None, part.n_values, part.n_characters))


def _check_size(text: str) -> None:
    """Raise YamlError if a document is nested too deep, or expands to too much."""
    count = _Count()
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent):
            count.alias(str(event.anchor))
        elif isinstance(event, yaml.ScalarEvent):
            count.add(_Part(event.anchor, 1, len(event.value)))
        elif isinstance(event, yaml.CollectionStartEvent):
            count.open.append(_Part(event.anchor))
            if len(count.open) > DEEPEST:
                raise YamlError(f"it is nested deeper than {DEEPEST}")
        elif isinstance(event, yaml.CollectionEndEvent):
            count.add(count.open.pop())


def yaml_scalar(value: object) -> str:
    """Return text as a scalar that YAML reads back as this text."""
    text = str(value)
    # Names and paths as people write them need no quotes. JSON's strings are YAML's, whatever is in them.
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _NO_TEXT
    return text if is_plain else json.dumps(text)
