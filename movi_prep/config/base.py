"""The base of all settings: frozen, nothing extra, a suggestion for a misspelling."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from movi_prep.errors import list_names, suggest

CHANGES_NO_RESULT = "changes no result"
"""Marks a field, `Annotated[int, CHANGES_NO_RESULT]`, that no result depends on: a change of it redoes nothing."""


class UnknownSettingError(ValueError):
    """A key names no setting; `key` is what it was."""

    def __init__(self, message: str, *, key: str) -> None:
        """Keep the key, so that it is known who brought it."""
        super().__init__(message)
        self.key = key


class Settings(BaseModel):
    """Frozen settings that forbid unknown keys and say which key was probably meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

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
    """What a unit receives that nothing configures."""


Part = TypeVar("Part", bound=Settings)


def narrow(settings: Settings, part: type[Part], **more: Any) -> Part:
    """Return the part of some settings that a unit of work receives: the fields that both have, and those of `more`.

    A unit's settings are part of what it is: one that receives less is not run again for what it does not use.
    """
    shared = part.model_fields.keys() & type(settings).model_fields.keys() - more.keys()
    return part(**{name: getattr(settings, name) for name in shared}, **more)
