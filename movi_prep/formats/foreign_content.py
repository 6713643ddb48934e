"""The true kind of a file whose first bytes contradict its name.

| first bytes | what it is |
|---|---|
| none | an empty file: a download that broke off at once |
| `<!doctype`, `<html`, `<head`, `<?xml` | a web page: what a site gives to those who are not signed in |
| `{"`, `{}`, `[{` where no .json is meant | JSON: what a site answers in place of a file |
| `version https://git-lfs` | a pointer of Git LFS, without the file it points to |
| gzip, xz, bzip2, 7z, rar; `ustar` at 257; zip where no .npz is meant | an archive that is still packed |
| anything that no video begins with, in an .avi | no video |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A tar shows itself only at byte 257.
_HEAD_BYTES = 512
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body", b"<script")
_JSON = (b'{"', b'{ "', b"{\n", b"{}", b"[{")
_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
_VIDEOS = (b"RIFF", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u", b"FLV")
"""First bytes of .avi, Matroska, MPEG (twice), Windows Media and Flash; MP4 has `ftyp` at 4."""


def foreign_content(path: Path) -> str:
    """Return the true kind of a file whose first bytes contradict its suffix; "" where the suffix may be right.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    suffix = path.suffix.lower()
    # A web page may begin with a byte order mark and empty lines.
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    packed = _packed(head, suffix)
    is_video = head.startswith(_VIDEOS) or head[4:8] == b"ftyp"
    # The first row that holds gives the answer: an empty file comes first, because the later tests hold for it too.
    rows = (
        (not head, "an empty file"),
        (start.startswith(_PAGES), "a web page (what a site gives without signing in)"),
        (start.startswith(_JSON) and suffix != ".json", "JSON (an answer of a site in place of the file)"),
        (head.startswith(b"version https://git-lfs"), "a pointer of Git LFS without its file"),
        (packed != "", f"an archive that is still packed ({packed})"),
        (not head.strip(b"\0"), "zeros (a download that never filled the file)"),
        (suffix == ".avi" and not is_video, "no video"),
    )
    return next((what for is_so, what in rows if is_so), "")


def _packed(head: bytes, suffix: str) -> str:
    """Return the kind of an archive; a .npz is a zip, and meant to be one."""
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"PK"):
        return "" if suffix in (".npz", ".zip") else "zip"
    return next((name for magic, name in _ARCHIVES.items() if head.startswith(magic)), "")
