"""The base of all settings: frozen, nothing extra, a suggestion for a misspelling."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from movi_prep.errors import list_names, suggest


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
                raise ValueError(f"no setting {key!r}{suggest(str(key), cls.model_fields)}; there are {there}")
        return values
