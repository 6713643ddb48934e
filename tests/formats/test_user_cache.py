"""Documents that are known to load: by content, whole lists only, and never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.formats import user_cache
from movi_prep.formats.user_cache import document_digest, is_known_to_load, remember_that_it_loads


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "movi-prep"


def test_a_document_is_known_by_its_content_and_parser(tmp_path: Path, cache: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.osim", "same.osim", "other.osim"))
    for path, content in ((one, "a"), (same, "a"), (other, "b")):
        path.write_text(content)
    remember_that_it_loads(document_digest([one], parser="1"))
    known = [document_digest(found, parser="1") for found in ([same], [other], [one, other], [other, one])]
    assert [is_known_to_load(digest) for digest in known] == [True, False, False, False]
    assert not is_known_to_load(document_digest([one], parser="2"))
    assert [path.name for path in cache.iterdir()] == ["documents-that-load"]


def test_a_document_with_parts_in_other_files_is_never_known(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.osim").write_text('<MarkerSet file="markers.xml"/>')
    digest = document_digest([tmp_path / "a.osim"], parser="1")
    remember_that_it_loads(digest)
    assert not is_known_to_load(digest)
    assert not cache.exists()


def test_without_a_place_nothing_is_remembered_and_nothing_fails(tmp_path: Path, cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    remember_that_it_loads("d" * 64)
    assert not is_known_to_load("d" * 64)


def test_a_long_list_begins_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_cache, "_MOST_BYTES", 100)
    for letter in "abc":
        remember_that_it_loads(letter * 64)
    assert [is_known_to_load(letter * 64) for letter in "abc"] == [False, False, True]
