"""What a pipe gets: rich's own tables, without loading rich, and each row on one line."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from movi_prep.cli.printing import open_console, print_table


def _piped(monkeypatch: pytest.MonkeyPatch, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    monkeypatch.setattr("sys.stdout", said := StringIO())
    print_table(open_console(to_stderr=False), title, columns, rows)
    return said.getvalue()


@pytest.mark.parametrize("title", ["", "[run]"])
@pytest.mark.parametrize("columns", [("what", "value#"), ("a long name#", "b")])
@pytest.mark.parametrize("rows", [[], [("a", "12.5"), ("[red]bracket", ""), ("", "x")]], ids=["none", "some"])
def test_a_pipe_gets_the_table_that_rich_draws(
    title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_table(Console(file=(drawn := StringIO()), width=200), title, columns, rows)
    expected = [line.rstrip() for line in drawn.getvalue().splitlines()]
    assert _piped(monkeypatch, title, columns, rows).splitlines() == expected


def test_each_row_is_one_line_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("x" * 500, "two\nlines"), ("y", "z" * 500)]
    said = _piped(monkeypatch, "", ("one", "two"), rows).splitlines()
    assert sum("x" in line for line in said) == 1
    assert sum("z" in line for line in said) == 1
    assert sum("two lines" in line for line in said) == 1


def test_colours_come_where_they_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout", said := StringIO())
    open_console(to_stderr=False).print("text", style="red")
    assert "\x1b[" in said.getvalue()
