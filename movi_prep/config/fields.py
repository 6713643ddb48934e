"""How a class of settings declares its fields, and which values are right as they stand."""

from __future__ import annotations

import inspect
import operator
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set

CHANGES_NO_RESULT = "changes no result"
"""Marks a field that no result depends on, `Annotated[int, CHANGES_NO_RESULT]`: a change of it repeats no unit."""

NAMES_FOLDER = "names a folder"
"""Marks a field of a section whose path leads to a folder, `Annotated[Path | None, NAMES_FOLDER]`; others are files."""

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING"})()
"""The default of a setting that must be given."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}


class Limits:
    """Bounds as pydantic's `Field` takes them (`ge`, `gt`, `le`, `lt`, `min_length`, `pattern`), for `Annotated`."""

    __is_annotated_types_grouped_metadata__ = True
    """By this mark, pydantic takes what `__iter__` yields as if it stood in the annotation itself."""

    def __init__(self, **bounds: Any) -> None:
        """Keep the bounds."""
        self._bounds = bounds

    def __iter__(self) -> Iterator[Any]:
        """Yield the bounds as pydantic knows them."""
        from pydantic import Field

        yield from Field(**self._bounds).metadata

    def admit(self, value: Any) -> bool:
        """Return whether a value is surely within the bounds; False also where only pydantic can tell."""
        return all(kind in _COMPARISONS and _COMPARISONS[kind](value, bound) for kind, bound in self._bounds.items())


class Before:
    """For `Annotated`: a function that gets a value before it is judged; pydantic's `BeforeValidator`."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        """Keep the function."""
        self._function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return pydantic's own description (called by pydantic)."""
        from pydantic import BeforeValidator

        return BeforeValidator(self._function).__get_pydantic_core_schema__(source, handler)


class After(Before):
    """For `Annotated`: a function that gets a value once its type is right; pydantic's `AfterValidator`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return pydantic's own description (called by pydantic)."""
        from pydantic import AfterValidator

        return AfterValidator(self._function).__get_pydantic_core_schema__(source, handler)


class SettingField:
    """One field of a class of settings.

    Attributes:
        default: its default; MISSING where it must be given or has a factory.
        factory: what makes the default, None where it is a value.
        limits: the bounds of its value.
    """

    def __init__(self, default: Any, factory: Callable[[], Any] | None, limits: Limits) -> None:
        """Declare it; the class that it stands in gives it its type."""
        self.default, self.factory, self.limits = default, factory, limits
        self._source: tuple[type, str] | None = None
        self._declared: Any = MISSING

    def stand_in(self, owner: type, annotation: str) -> SettingField:
        """Return the field with its type as the class writes it."""
        self._source = owner, annotation
        return self

    @property
    def declared(self) -> Any:
        """The type as it is declared, `Annotated` included; read when it is first asked for."""
        if self._declared is MISSING:
            assert self._source is not None  # noqa: S101 - `stand_in` comes with the class
            owner, annotation = self._source
            self._declared = eval(annotation, vars(sys.modules[owner.__module__]))  # noqa: S307 - our own annotation
        return self._declared

    @property
    def annotation(self) -> Any:
        """The type without what `Annotated` adds."""
        return get_args(self.declared)[0] if get_origin(self.declared) is Annotated else self.declared

    @property
    def metadata(self) -> tuple[Any, ...]:
        """What `Annotated` adds to the type."""
        return get_args(self.declared)[1:] if get_origin(self.declared) is Annotated else ()

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING and self.factory is None

    def get_default(self) -> Any:
        """Return the default, MISSING where it must be given."""
        return self.default if self.factory is None else self.factory()

    def admits(self, value: Any) -> bool:
        """Return whether pydantic would surely return this value as it is; False also where only it can tell."""
        return _is_of(value, self.declared) and (value is None or self.limits.admit(value))


def setting(*, default: Any = MISSING, default_factory: Callable[[], Any] | None = None, **limits: Any) -> Any:
    """Declare a field with limits or with a default that is made anew, as with pydantic's `Field`."""
    return SettingField(default, default_factory, Limits(**limits))


def _is_of(value: Any, kind: Any) -> bool:
    """Return whether a value surely is of a type as it stands."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        # Marks of ours are words; all else may judge or change the value.
        return all(isinstance(mark, str) for mark in arguments[1:]) and _is_of(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(_is_of(value, each) for each in arguments)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if origin is tuple:
        return type(value) is tuple and arguments[1:] == (...,) and all(_is_of(each, arguments[0]) for each in value)
    return isinstance(kind, type) and _is_exactly(value, kind)


def _is_exactly(value: Any, kind: type) -> bool:
    if issubclass(kind, Declared | Path):
        return isinstance(value, kind)
    # Of subclasses (numbers of NumPy) and text that is not UTF-8 pydantic makes something else.
    return type(value) is kind and (
        kind in (bool, int, float, types.NoneType) or (kind is str and str(value).isascii())
    )


class Declared:
    """What has fields: the part of `Settings` that judging values needs."""

    model_fields: ClassVar[Mapping[str, SettingField]] = types.MappingProxyType({})
    """The fields by name, inherited ones first."""

    def __init_subclass__(cls) -> None:
        """Read the declarations of a class."""
        found: dict[str, SettingField] = {}
        for owner in reversed(cls.__mro__[:-1]):
            if issubclass(owner, Declared) and owner is not Declared:
                found |= _own_fields(cls) if owner is cls else owner.model_fields
        cls.model_fields = types.MappingProxyType(found)

    @classmethod
    def of_judged(cls, content: Mapping[str, Any], given: Set[str]) -> Self:
        """Return settings with these values of all fields as they are; `given` names those that are no defaults."""
        settings = cls.__new__(cls)
        settings.__dict__.update(content, _given=frozenset(given))
        return settings

    @property
    def model_fields_set(self) -> frozenset[str]:
        """Names of the fields that were given, not taken from their defaults."""
        given: frozenset[str] = self.__dict__["_given"]
        return given


def _own_fields(cls: type) -> dict[str, SettingField]:
    """Return the fields that a class declares itself."""
    found = {}
    for name, annotation in inspect.get_annotations(cls).items():
        said = cls.__dict__.get(name, MISSING)
        field = said if isinstance(said, SettingField) else SettingField(said, None, Limits())
        found[name] = field.stand_in(cls, annotation)
    return found
