"""JSON files that say what they are: `format` and `version` beside the content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.reading import reads

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


@reads("a JSON file", "make it again")
def read_described_json(
    path: Path, *, kind: str, version: int, older: Collection[int] = (), what: str, remedy: str
) -> dict[str, Any]:
    """Return the content of a file that names its format.

    Args:
        path: the file.
        kind: the format that it must name.
        version: the version of its layout that is written now.
        older: earlier versions that the caller also reads; () for most files, which are made anew in seconds.
        what: what the file is, for the message where it is missing.
        remedy: how it is made.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not JSON, or of another format or version.
    """
    if not path.is_file():
        raise MissingError(path, expected=what, got="no file", remedy=remedy)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, expected="JSON", got=str(error), remedy=f"{remedy} again") from error
    read = [(kind, number) for number in (version, *older)]
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) not in read:
        raise InputError(
            path,
            expected=f"format {kind!r}, version {version}",
            got="another format or version",
            remedy=f"{remedy} again, or update movi-prep",
        )
    return content
