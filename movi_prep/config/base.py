"""The base of all settings: frozen, nothing extra, a suggestion for a misspelling."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from movi_prep.errors import list_names, suggest

CHANGES_NO_RESULT = "changes no result"
"""Marks a field that no result depends on, `Annotated[int, CHANGES_NO_RESULT]`: a change of it repeats no unit."""

NAMES_FOLDER = "names a folder"
"""Marks a field of a section whose path leads to a folder, `Annotated[Path | None, NAMES_FOLDER]`; others are files."""


class UnknownSettingError(ValueError):
    """A key that names no setting; `key` is that key."""

    def __init__(self, message: str, *, key: str) -> None:
        """Keep the key, so that the caller can say which flag or file contained it."""
        super().__init__(message)
        self.key = key


class Settings(BaseModel):
    """Frozen settings; an unknown key is an error, which suggests the key that was probably meant."""

    # validate_default, so that a default out of its own limits fails in the first test, not at a user's.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for key in values:
            if key not in cls.model_fields:
                there = list_names(cls.model_fields, at_most=40)
                said = f"no setting {key!r}{suggest(str(key), cls.model_fields)}; there are {there}"
                raise UnknownSettingError(said, key=str(key))
        return values


class NoSettings(Settings):
    """The settings of a unit that has none."""


Part = TypeVar("Part", bound=Settings)


def narrow(settings: Settings, part: type[Part], **more: Any) -> Part:
    """Return the settings that a unit of work receives: the fields that `settings` and `part` share, and `more`.

    A unit runs again when its settings change. So each unit receives only the settings that it uses.
    """
    shared = part.model_fields.keys() & type(settings).model_fields.keys() - more.keys()
    return part(**{name: getattr(settings, name) for name in shared}, **more)
