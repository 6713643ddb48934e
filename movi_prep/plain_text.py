"""Makes text safe to print: no characters that a terminal, a page or a shell would obey.

Names of files and subjects come from outside. One may hold an escape sequence that clears the screen, a newline that
starts a new shell command, or marks that reverse the writing direction.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except newline and tab, marks of writing direction, and bytes that are not UTF-8."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def visible(text: object) -> str:
    r"""Return text in which every such character is replaced by its escape, for example `\x1b`."""
    return _OBEYED.sub(_spell, str(text))


def count_of(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 clip`, `2 clips`; `many` where more is said otherwise than by an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def has_control(text: str) -> bool:
    """Return whether text holds a control character; newline and tab count."""
    return _CONTROL.search(text) is not None


def shell_line(words: Iterable[str]) -> str:
    r"""Return words as one line that a user can paste into bash; control characters become `$'\x1b'`."""
    return " ".join(_quote(word) for word in words)


def _quote(word: str) -> str:
    if not (_CONTROL.search(word) or _OBEYED.search(word)):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{_OBEYED.sub(_spell, _CONTROL.sub(_spell, escaped))}'"


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Python represents a byte that is not UTF-8 by a lone surrogate (PEP 383).
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
