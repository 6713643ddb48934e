"""The sentences of errors, kept in one file, so that a message can be mended without touching the tests.

A test says which class of error it expects, and asks its fields where they matter; `raises_recorded` also compares the
whole sentence with the one recorded in `sentences.json` under the test's name. What differs from run to run is left
out: folders of the test, and the last digits of long numbers. After a message was mended on purpose,

    python -m pytest --record-sentences

writes the file anew; the difference is what a user will read, so read it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "sentences.json"
ROOT = Path(__file__).parents[1]

_seen: dict[str, str] = {}
_calls: Counter[str] = Counter()
_known: dict[str, str] = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.is_file() else {}
_recording = False
_base = Path("no folder yet")


def know_folders(base: Path) -> None:
    """Take note of where pytest keeps the folders of tests, `tmp_path` and the like."""
    global _base  # noqa: PLW0603 - set once, by a fixture of the session
    _base = base


def start_recording() -> None:
    """From now on sentences are taken, not compared."""
    global _recording  # noqa: PLW0603 - set once, by pytest's option
    _recording = True


def write_recorded() -> None:
    """Write the file: what this run saw, and what is known of tests that did not run."""
    if _recording:
        ran = {key.rpartition("#")[0] for key in _seen}
        kept = {key: text for key, text in _known.items() if key.rpartition("#")[0] not in ran}
        RECORDED.write_text(
            json.dumps(dict(sorted((kept | _seen).items())), indent=1, ensure_ascii=False) + "\n", "utf-8"
        )


@contextmanager
def raises_recorded(kind: type[Exception]) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect an error of this class, whose sentence is the recorded one."""
    with pytest.raises(kind) as caught:
        yield caught
    check_sentence(str(caught.value))


def check_sentence(sentence: str) -> None:
    """Compare a sentence with the one recorded for the running test; record it where that was asked for."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")[0]
    key = f"{test}#{_calls[test]}"
    _calls[test] += 1
    _seen[key] = blank_out(sentence)
    if not _recording:
        assert _seen[key] == _known.get(key), (
            "the sentence is not the recorded one; if it was mended on purpose, record it with --record-sentences "
            "and read the difference"
        )


def _shared() -> str:
    return os.environ.get("MOVI_PREP_SHARED", f"{ROOT.parent}/shared")


def blank_out(sentence: str) -> str:
    """Return a sentence without what differs from run to run."""
    # The folder of a test is BASE/NAME_OF_TEST0, wherever pytest keeps them.
    sentence = re.sub(rf"{re.escape(str(_base))}/[^/\s'\",:;]+", "FOLDER", sentence)
    # After them: a checkout may lie above the folders of tests, as one in /tmp does.
    sentence = sentence.replace(str(ROOT), "ROOT").replace(_shared(), "BESIDE/shared")
    # Files that are not whole yet bear a number drawn at random.
    sentence = re.sub(r"\.partial-[0-9a-f]+-", ".partial-", sentence)
    # Last digits of measured values differ between processors.
    return re.sub(r"(\d+\.\d{3})\d+", r"\1", sentence)
