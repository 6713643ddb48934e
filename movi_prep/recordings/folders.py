"""The files in a folder, however users unpacked them, and files whose names are nearly right.

Only folders inside the one that the user names count. A folder that cannot be listed is a finding.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from movi_prep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tbz2|tar\.xz|txz|zip|7z|rar|gz|bz2|xz)$", re.IGNORECASE)

_UNFINISHED = re.compile(r"\.(part|partial|crdownload|download|tmp|filepart|aria2)$", re.IGNORECASE)
_COPY_MARK = re.compile(r"[ _]*(\(\d+\)|- ?copy|copy)(?= *(\.|$))", re.IGNORECASE)
_TOLD = 3
"""Number of findings of one kind that are listed one by one."""

Key = TypeVar("Key", bound="Hashable")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Folders:
    """Folders of the parts of a data set; None for a part that the user does not have. Parts may share a folder."""

    amass: Path | None = None
    body_models: Path | None = None
    v3d: Path | None = None
    videos: Path | None = None
    calibration: Path | None = None


@dataclass(frozen=True)
class Listing:
    """The files below a folder.

    Attributes:
        root: the folder; None if none is named.
        files: all files, in a stable order; links are followed once.
        findings: a sentence on each subfolder that cannot be listed.
    """

    root: Path | None = None
    files: tuple[Path, ...] = ()
    findings: tuple[str, ...] = field(default=())

    def parts_below(self, path: Path) -> tuple[str, ...]:
        """Return the names of the folders between the named folder and a file, outermost first."""
        return path.relative_to(self.root).parts[:-1] if self.root is not None else ()


def list_files(root: Path | None) -> Listing:
    """Return the files below a folder.

    Raises:
        UsageError: the folder itself cannot be listed.
    """
    if root is None:
        return Listing()
    findings: list[str] = []

    def tell(error: OSError) -> None:
        folder = error.filename if isinstance(error.filename, str) else root
        if Path(folder) == root:
            raise UsageError(f"{root}: expected a folder that can be listed, but got: {error.strerror}") from error
        findings.append(f"{folder} cannot be listed ({error.strerror}): its files are left out; change its permissions")

    seen: set[str] = set()
    found: list[Path] = []
    for where, below, names in os.walk(root, onerror=tell, followlinks=True):
        # The real path tells folders apart: names of links differ at every turn of a loop.
        real = os.path.realpath(where)
        # A link to a folder above would be walked for ever.
        below[:] = [] if real in seen else sorted(below)
        if real not in seen:
            found.extend(Path(where, name) for name in sorted(names))
        seen.add(real)
    return Listing(root=root, files=tuple(found), findings=tuple(findings))


def one_each(
    candidates: Mapping[Key, Sequence[Path]],
    findings: list[str],
    *,
    say: Callable[[Key], str] = str,
    rank: Callable[[Path], int] = lambda _path: 0,
) -> dict[Key, Path]:
    """Return one file per key: by rank, then the shortest path; findings name those that were passed over."""
    chosen: dict[Key, Path] = {}
    doubled: list[str] = []
    # A link to a file on a disk that is not mounted is listed, but is not there.
    lost = {path for paths in candidates.values() for path in paths if not path.exists()}
    for key, paths in candidates.items():
        there = [path for path in paths if path not in lost]
        # The shortest path before the longer ones: copies usually lie in folders of their own.
        ordered = sorted(there, key=lambda path: (rank(path), len(path.parts), str(path)))
        if ordered:
            chosen[key] = ordered[0]
        if len(ordered) > 1:
            rest = ", ".join(map(str, ordered[1:]))
            doubled.append(f"{say(key)}: {len(ordered)} files; {ordered[0]} is used, not {rest}")
    findings += first_few(doubled, "more are there more than once, chosen alike")
    findings += first_few(
        [f"{path} is a link to nothing and was passed over" for path in sorted(lost)], "more such links"
    )
    return chosen


def with_most(items: Sequence[Item], measure: Callable[[Item], int]) -> list[Item]:
    """Return those of the items whose measure is the largest, in their order."""
    most = max(map(measure, items), default=0)
    return [item for item in items if measure(item) == most]


def first_few(said: Sequence[str], rest: str) -> list[str]:
    """Return sentences, cut after a few with the number of the rest: a doubled download must not flood."""
    n_more = len(said) - _TOLD
    return list(said) if n_more <= 0 else [*said[:_TOLD], f"{n_more} {rest}"]


def packed(listing: Listing) -> list[str]:
    """Return a sentence on the archives in a folder, whose content is not read."""
    archives = [path for path in listing.files if ARCHIVE.search(path.name)]
    said = [f"{path} is still packed: unpack it where it lies if files are missing" for path in archives]
    return first_few(said, "more archives are still packed")


def without_marks(name: str) -> str:
    """Return a file's name without what browsers and desktops add: ` (1)`, `- Copy`, `.part`."""
    # Unfinished first: browsers put their ending behind the mark of the copy.
    return _COPY_MARK.sub("", _UNFINISHED.sub("", name)).strip()


def nearly_right(
    files: Iterable[Path], meant: Callable[[str], tuple[Key, str] | None], there: Iterable[Key]
) -> list[str]:
    """Return a sentence on each file whose name is nearly that of a missing file.

    Args:
        files: files that no reader took.
        meant: returns for a file name its probable purpose and the right name for it; None for other files.
        there: purposes for which a file was found.
    """
    missing: dict[Key, list[str]] = defaultdict(list)
    known = set(there)
    for path in files:
        # An archive is reported by `packed`, once.
        guess = None if ARCHIVE.search(path.name) else meant(without_marks(path.name))
        if guess is None or guess[0] in known:
            continue
        key, name = guess
        missing[key].append(f"{path} is nearly {name}: {_how_to_go_on(path.name, name)}")
    return first_few([text for texts in missing.values() for text in texts], "more have names that are nearly right")


def _how_to_go_on(name: str, wanted: str) -> str:
    if _UNFINISHED.search(name):
        return "its download did not end; fetch it again"
    if name.rpartition(".")[2].lower() != wanted.rpartition(".")[2].lower():
        return f"it is another kind of file; fetch {wanted}"
    return "rename it if it is that file"
