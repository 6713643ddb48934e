"""A file under a right name and of another kind is reported by its first bytes."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from movi_prep.formats.foreign_content import foreign_content


def _tar() -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), BytesIO())
    return content.getvalue()


def _zip() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a", "a")
    return content.getvalue()


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".avi", ".pkl"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b"\xef\xbb\xbf\r\n  <HTML>", "web page"),
        (b'{"message": "Not Found"}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (gzip.compress(b"a"), "packed (gzip)"),
        (_tar(), "packed (tar)"),
        (bytes(4096), "zeros"),
    ],
    ids=["empty", "page", "page with a mark", "answer", "pointer", "gzip", "tar", "zeros"],
)
def test_what_it_is_instead(tmp_path: Path, suffix: str, content: bytes, what: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert what in foreign_content(path)


def test_a_zip_is_an_archive_unless_it_is_npz(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(_zip())
    assert "packed (zip)" in foreign_content(tmp_path / "a.mat")
    np.savez(tmp_path / "a.npz", a=1)
    assert foreign_content(tmp_path / "a.npz") == ""


@pytest.mark.parametrize(
    ("head", "is_video"),
    [(b"RIFF....AVI ", True), (b"....ftypisom", True), (b"\x1aE\xdf\xa3", True), (b"plain words", False)],
)
def test_another_container_is_a_video_and_words_are_none(tmp_path: Path, head: bytes, is_video: bool) -> None:
    (tmp_path / "a.avi").write_bytes(head)
    assert (foreign_content(tmp_path / "a.avi") == "") == is_video
