"""The part of a unit's identity that comes from its settings.

A path in the settings counts by the content of its file, not by its place, so that a work folder may be moved.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.config.base import Settings
from movi_prep.config.fields import CHANGES_NO_RESULT

if TYPE_CHECKING:
    from movi_prep.runtime.file_identity import FileIdentities


def describe_settings(settings: Settings, identities: FileIdentities) -> dict[str, Any]:
    """Return the settings as plain JSON values, files replaced by their identity.

    Fields that are declared to change no result are left out.
    """
    # Through JSON and back: compared with what a record file holds, where tuples are lists and keys are text.
    described = json.loads(json.dumps(_plain(settings, identities)))
    assert isinstance(described, dict)  # noqa: S101 - a model dumps to a mapping
    return described


def changed_settings(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Return what differs between two descriptions, `rate: 'video' -> 'mocap'`, in order."""
    said: list[str] = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            said += changed_settings(old, new, f"{prefix}{name}.")
        elif old != new:
            said.append(f"{prefix}{name}: {old!r} -> {new!r}")
    return said


def _plain(value: Any, identities: FileIdentities) -> Any:
    if isinstance(value, Settings):
        described = type(value).model_fields.items()
        value = {name: getattr(value, name) for name, field in described if CHANGES_NO_RESULT not in field.metadata}
    if isinstance(value, dict):
        return {str(name): _plain(inner, identities) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, identities) for inner in value]
    if isinstance(value, Path):
        return identities.identity(value) if value.is_file() else str(value)
    return value
