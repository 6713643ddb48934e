"""Settings are what pydantic makes of the same values, also where it is not asked."""

from __future__ import annotations

import math
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import movi_prep.config
from movi_prep.config.base import Settings
from movi_prep.config.fields import SettingField
from movi_prep.config.ik import IkSettings, IkUnitSettings
from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.config.markers import MarkerSettings
from movi_prep.config.root import Config
from movi_prep.config.shard import OccluderSettings, ShardSettings
from movi_prep.config.validation import model_of, validated


def _kinds() -> list[type[Settings]]:
    for path in Path(movi_prep.config.__file__).parent.glob("*.py"):
        import_module(f"movi_prep.config.{path.stem}")
    found, waiting = [], [Settings]
    while waiting:
        below = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("movi_prep.config.")]
        found += below
        waiting += below
    return sorted(set(found), key=lambda kind: kind.__name__)


KINDS = _kinds()
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]


def _named(case: object) -> str:
    return case.__name__ if isinstance(case, type) else str(case)


@pytest.mark.parametrize("kind", KINDS, ids=_named)
def test_defaults_are_within_their_own_limits(kind: type[Settings]) -> None:
    needed = {name for name, field in kind.model_fields.items() if field.is_required}
    if needed:
        with pytest.raises(ValidationError) as reported:
            kind()
        assert {problem["loc"][0] for problem in reported.value.errors()} == needed
        return
    content, said = validated(kind, {})
    assert content == dict(kind())
    assert list(content) == list(kind.model_fields)
    assert said == kind().model_fields_set == frozenset()


VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 10**6, 0.0, 0.5, 1.0, 3.5, 1e9, -0.5, math.inf, -math.inf, math.nan),
    *("", "1", "video", "mocap", "static", "converged", "y", "none", "\ud800", "é", "a/b"),
    *(Path("x"), (), ("a",), ("a", "b"), ("1-2",), ("é/",), (1,), ["a"], {}, {"rate": "mocap"}, b"x", object()),
    *(MarkerSettings(), ConvergedSettings(iteration_limit=3), IkSettings(), ShardSettings()),
]


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=_named)
def test_a_value_is_taken_as_it_stands_only_where_pydantic_returns_it_so(kind: type[Settings], name: str) -> None:
    field = kind.model_fields[name]
    for value in VALUES:
        if field.admits(value):
            assert _judged(kind, name, value) is value or _judged(kind, name, value) == value


@pytest.mark.parametrize("kind", KINDS, ids=_named)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_numbers_are_admitted_by_the_limits_of_pydantic(kind: type[Settings], data: st.DataObject) -> None:
    for name, field in kind.model_fields.items():
        value = data.draw(st.one_of(st.integers(), st.floats(), st.floats(0, 2)))
        if field.admits(value):
            assert repr(_judged(kind, name, value)) == repr(value)


def _judged(kind: type[Settings], name: str, value: Any) -> Any:
    """Return what pydantic makes of the value of one field, its refusal where it takes none."""
    try:
        return validated(kind, {name: value})[0][name]
    except ValidationError as error:
        # Other fields may be missing.
        refused = [problem for problem in error.errors() if problem["loc"][0] == name]
        return refused or value


@pytest.mark.parametrize("kind", KINDS, ids=_named)
def test_pydantic_has_the_same_fields_in_the_same_order(kind: type[Settings]) -> None:
    assert list(model_of(kind).model_fields) == list(kind.model_fields)


def test_settings_inside_of_others_are_themselves_or_a_mapping() -> None:
    markers = MarkerSettings(rate="mocap")
    assert Config(markers=markers).markers is markers
    given_mapping = Config.model_validate({"markers": {"rate": "mocap"}, "subjects": "1,2"})
    assert given_mapping.markers == markers
    assert given_mapping.markers.model_fields_set == {"rate"}
    assert given_mapping.model_fields_set == {"markers", "subjects"}
    with pytest.raises(ValidationError):
        Config(markers=IkSettings())  # type: ignore[arg-type]


def test_settings_are_frozen_equal_by_value_and_survive_pickling() -> None:
    one = Config(work=Path("w"), markers=MarkerSettings(rate="mocap"))
    for change in (lambda: setattr(one, "work", Path()), lambda: delattr(one, "work")):
        with pytest.raises(AttributeError):
            change()
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert hash(again) == hash(one)
    assert again.model_fields_set == one.model_fields_set
    assert again != one.model_copy(update={"work": Path("v")})
    assert IkSettings() != IkUnitSettings()


def test_a_copy_counts_what_was_changed_as_given() -> None:
    copy = ConvergedSettings(pulls="unseen").model_copy(update={"observe_every": 3})
    assert copy.model_fields_set == {"pulls", "observe_every"}
    assert copy == ConvergedSettings(pulls="unseen", observe_every=3)


def test_what_must_be_given_must_be_given() -> None:
    with pytest.raises(ValidationError):
        OccluderSettings()  # type: ignore[call-arg]
    assert OccluderSettings(people=True).people


def test_a_class_of_settings_holds_declarations_only() -> None:
    assert isinstance(Config.model_fields["markers"], SettingField)
    assert Config.model_fields["markers"].annotation is MarkerSettings
