"""Values that are given, judged by pydantic: a model of pydantic's beside each class of settings, made when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import core_schema

from movi_prep.config.fields import Declared
from movi_prep.errors import list_names, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Set


class UnknownSettingError(ValueError):
    """A key that names no setting; `key` is that key."""

    def __init__(self, message: str, *, key: str) -> None:
        """Keep the key, so that the caller can say which flag or file contained it."""
        super().__init__(message)
        self.key = key


class StrictModel(BaseModel):
    """A frozen model of pydantic's; an unknown key is an error, which suggests the key that was probably meant."""

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


def validated(kind: type[Declared], values: Any) -> tuple[dict[str, Any], Set[str]]:
    """Return values as a class of settings takes them, defaults included, and the names of those that were given.

    Raises:
        pydantic.ValidationError: a value is not what its field takes, is missing, or has no field.
    """
    model = model_of(kind).model_validate(values)
    return dict(model), model.model_fields_set


_MODELS: dict[type[Declared], type[StrictModel]] = {}


def model_of(kind: type[Declared]) -> type[StrictModel]:
    """Return the model of pydantic's with the fields of a class of settings."""
    if kind in _MODELS:
        return _MODELS[kind]
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        default = pydantic.Field() if field.is_required else pydantic.Field(default_factory=field.get_default)
        fields[name] = (Annotated[field.declared, field.limits], default)
    return _MODELS.setdefault(kind, pydantic.create_model(kind.__name__, __base__=StrictModel, **fields))


def schema_inside(kind: type[Declared], handler: Any) -> core_schema.CoreSchema:
    """Return how pydantic judges settings inside of others: they themselves, or a mapping of their values."""

    def take(value: Any, judge: Callable[[Any], StrictModel]) -> Declared:
        if isinstance(value, kind):
            return value
        model = judge(value)
        return kind.of_judged(dict(model), model.model_fields_set)

    return core_schema.no_info_wrap_validator_function(take, handler.generate_schema(model_of(kind)))
