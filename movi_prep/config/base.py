"""The base of all settings: frozen, nothing extra, a suggestion for a misspelling.

Classes of settings only declare. pydantic takes a tenth of a second to load, so it judges values where any are given
that are not what they must be as they stand (`movi_prep.config.validation`); the defaults are right, which a test says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, dataclass_transform

from movi_prep.config.fields import Declared, setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
class Settings(Declared):
    """Frozen settings; an unknown key is an error, which suggests the key that was probably meant.

    What pydantic's models also have is named and acts as it does there.
    """

    def __init__(self, **values: Any) -> None:
        """Take the values given, and defaults.

        Raises:
            pydantic.ValidationError: a value is not what its field takes, is missing, or has no field.
        """
        fields = type(self).model_fields
        given: Set[str] = values.keys()
        is_plain = given <= fields.keys() and all(fields[name].admits(value) for name, value in values.items())
        if not is_plain or any(field.is_required for name, field in fields.items() if name not in values):
            from movi_prep.config.validation import validated

            values, given = validated(type(self), values)
        content = {name: values[name] if name in values else field.get_default() for name, field in fields.items()}
        self.__dict__.update(content, _given=frozenset(given))

    @classmethod
    def model_validate(cls, values: Any) -> Self:
        """Return settings of a mapping, or the settings themselves."""
        if isinstance(values, cls):
            return values
        if isinstance(values, dict) and all(isinstance(name, str) for name in values):
            return cls(**values)
        from movi_prep.config.validation import validated

        return cls.of_judged(*validated(cls, values))

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return a copy with some values replaced; they are not judged."""
        return self.of_judged({**dict(self), **update}, self.model_fields_set | update.keys())

    def model_dump(self, *, exclude: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
        """Return the values by name, settings inside as mappings too."""
        return {name: _dumped(value) for name, value in self if name not in exclude}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values."""
        return ((name, self.__dict__[name]) for name in type(self).model_fields)

    def __eq__(self, other: object) -> bool:
        """Return whether all values are equal, given or not."""
        return isinstance(other, Settings) and type(self) is type(other) and list(self) == list(other)

    def __hash__(self) -> int:
        """Return the hash of all values."""
        return hash((type(self), *self))

    def __repr__(self) -> str:
        """Return the settings as one would write them."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self)})"

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a change."""
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: settings are frozen; make a copy")

    def __delattr__(self, name: str) -> None:
        """Refuse a change."""
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: settings are frozen")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return how pydantic judges settings inside of others (called by pydantic)."""
        from movi_prep.config.validation import schema_inside

        return schema_inside(cls, handler)


def _dumped(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.model_dump()
    if isinstance(value, dict):
        return {name: _dumped(inner) for name, inner in value.items()}
    return type(value)(map(_dumped, value)) if isinstance(value, list | tuple) else value


class NoSettings(Settings):
    """The settings of a unit that has none."""


Part = TypeVar("Part", bound=Settings)


def narrow(settings: Settings, part: type[Part], **more: Any) -> Part:
    """Return the settings that a unit of work receives: the fields that `settings` and `part` share, and `more`.

    A unit runs again when its settings change. So each unit receives only the settings that it uses.
    """
    shared = part.model_fields.keys() & type(settings).model_fields.keys() - more.keys()
    return part(**{name: getattr(settings, name) for name in shared}, **more)
