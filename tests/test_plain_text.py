"""No byte of a name acts on a terminal, a page or a shell."""

from __future__ import annotations

import os
import subprocess
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movi_prep.cli.printing import open_console, print_findings, print_table
from movi_prep.pages.html import element
from movi_prep.plain_text import count_of, has_control, shell_line, visible

ACTING = ["\x1b[2J", "\x07", "\x9b31m", "\x7f", "\r", "\u202e", "\udcff"]


@pytest.mark.parametrize("acting", ACTING)
def test_what_would_act_is_spelt_out(acting: str) -> None:
    said = visible(f"S1{acting}C1\n\tnext")
    assert acting not in said
    assert said.startswith("S1\\")
    assert said.endswith("\n\tnext"), "newlines and tabs of our own stay"


@pytest.mark.parametrize("acting", ACTING)
def test_tables_findings_and_pages_are_free_of_it(acting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", said := StringIO())
    console = open_console(to_stderr=False)
    print_table(console, f"title {acting}", ("unit",), [(f"S1{acting}",)])
    print_findings(console, "findings", [f"a file {acting}"])
    assert acting not in said.getvalue()
    assert acting not in element("p", f"S1{acting}", title=f"S1{acting}")


@given(st.text(alphabet=st.characters(blacklist_characters="\0"), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_command_that_is_shown_names_the_same_file_in_bash(name: str) -> None:
    try:
        as_bytes = os.fsencode(name)
    except UnicodeEncodeError:
        return
    line = shell_line(["printf", "%s", name])
    assert not has_control(line)
    assert visible(line) == line
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/bin:/usr/bin"}
    )
    assert done.stdout == as_bytes


def test_a_byte_that_is_no_text_survives_the_shell() -> None:
    line = shell_line(["printf", "%s", os.fsdecode(b"a\xff'\x1b b")])
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout == b"a\xff'\x1b b"


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("clip",), "0 clips"),
        (1, ("clip",), "1 clip"),
        (2, ("clip",), "2 clips"),
        (1, ("body", "bodies"), "1 body"),
        (3, ("body", "bodies"), "3 bodies"),
    ],
)
def test_one_is_one_and_all_else_is_many(number: int, words: tuple[str, ...], said: str) -> None:
    assert count_of(number, *words) == said
