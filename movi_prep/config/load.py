"""Read a configuration file and override it by flags. An error is one line with the file or flag and the setting."""

from __future__ import annotations

import os
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

from movi_prep.config.base import Settings
from movi_prep.config.fields import MISSING, NAMES_FOLDER
from movi_prep.config.root import Config
from movi_prep.errors import InternalError, UsageError, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import ValidationError

_LONGEST_VALUE, _LONGEST_MESSAGE = 100, 1200
"""Characters of a value and of a message that are shown. A message is long where it lists all settings."""

SettingsType = TypeVar("SettingsType", bound=Settings)


def load_config(file: Path | None, flags: Mapping[str, Any], *, typed: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a YAML file (or the defaults), overridden by flags.

    Relative paths in the file start at its folder, those in flags at the current folder; all become absolute.

    Args:
        file: the YAML file, None for defaults.
        flags: nested like the configuration, only what was given: `{"run": {"workers": 2}}`.
        typed: what the user typed for a setting (`--set markers.rate=vido`), by its dotted name; errors quote it.

    Raises:
        UsageError: the file is missing, is not YAML, or a setting is unknown or out of its limits.
    """
    here = Path.cwd()
    base = here if file is None else file.absolute().parent
    # The default work folder lies beside the configuration file, like every other relative path.
    from_file = {"work": "work"} if file is None else {"work": "work", **_read_mapping(file)}
    typed = typed or {}
    values = _merge(
        _paths_of(from_file, base, lambda _name: str(file or "command line")),
        _paths_of(flags, here, lambda name: typed.get(name, "command line")),
    )
    try:
        return Config.model_validate(values)
    # pydantic's ValidationError; it is not loaded where it has nothing to judge.
    except ValueError as error:
        raise UsageError(_blame(cast("ValidationError", error), flags, typed, file)) from error


def _paths_of(values: Mapping[str, Any], base: Path, where: Callable[[str], str]) -> dict[str, Any]:
    try:
        return _absolute_paths(Config, values, base)
    except ValueError as error:
        name = str(error).partition(":")[0]
        raise UsageError(f"{where(name)}: {error}") from error


def _blame(error: ValidationError, flags: Mapping[str, Any], typed: Mapping[str, str], file: Path | None) -> str:
    """Return the problems of a configuration, each with its source: a flag, or the file."""
    by_source: dict[str, list[str]] = {}
    for place, said in _problems(error):
        from_flag = _is_below(flags, place)
        names = [".".join(map(str, place[:depth])) for depth in range(len(place), 0, -1)]
        # A section that does not exist is at fault before the setting in it that was typed.
        inside = (name for name in typed if names and name.startswith(f"{names[0]}."))
        flag = next((typed[name] for name in (*names, *inside) if name in typed), "command line")
        by_source.setdefault(flag if from_flag or file is None else str(file), []).append(said)
    return "; ".join(f"{source}: {'; '.join(said)}" for source, said in by_source.items())


def _is_below(flags: Mapping[str, Any], place: Sequence[str | int]) -> bool:
    """Return whether a flag set a place of the configuration, or a part of that place."""
    for part in place:
        if not isinstance(flags, dict):
            return True
        if part not in flags:
            return False
        flags = flags[part]
    # An error without a place is of the whole configuration and comes from no single flag.
    return bool(place)


def load_settings(model: type[SettingsType], file: Path) -> SettingsType:
    """Return settings of one kind from their own YAML file.

    Raises:
        UsageError: the file is missing, is not YAML, or a setting is unknown or out of its limits.
    """
    return _validate(model, _absolute_paths(model, _read_mapping(file), file.absolute().parent), where=str(file))


def dump_config(config: Config) -> str:
    """Return a configuration with all its settings as YAML that `load_config` reads."""
    import yaml

    text: str = yaml.safe_dump(_plain(config.model_dump()), sort_keys=False, allow_unicode=True)
    return text


def _plain(value: Any) -> Any:
    """Return a value in the types of YAML."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def settings_named(name: str) -> tuple[str, ...]:
    """Return the full names of the settings, in any section, whose last part is `name`: `shard.jpeg_quality`."""
    return _names_below(Config, name, ())


def default_of(setting: str) -> Any:
    """Return the default of a setting by its dotted name, `shard.cameras`; None where it must be given."""
    *sections, name = setting.split(".")
    model: type[Settings] = Config
    for section in sections:
        inner = _settings_class(model.model_fields[section].annotation)
        if inner is None:
            raise InternalError(f"{setting}: {section!r} is a setting, not a section")
        model = inner
    default = model.model_fields[name].get_default()
    return None if default is MISSING else default


def _names_below(model: type[Settings], name: str, above: tuple[str, ...]) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for key, field in model.model_fields.items():
        inner = _settings_class(field.annotation)
        found += (".".join((*above, key)),) if key == name else ()
        found += _names_below(inner, name, (*above, key)) if inner is not None else ()
    return found


def check_files(config: Config) -> None:
    """Raise UsageError if a setting in a section names a file or folder that does not exist."""
    for section, settings in config:
        for name, value in settings if isinstance(settings, Settings) else ():
            is_folder = NAMES_FOLDER in type(settings).model_fields[name].metadata
            if isinstance(value, Path) and not (value.is_dir() if is_folder else value.is_file()):
                kind = "folder" if is_folder else "file"
                raise UsageError(f"{section}.{name}: expected a {kind}, but {value} is not one; correct the path")


def describe_problems(error: ValidationError) -> str:
    """Return the first three problems: `markers.rate: Input should be 'video' or 'mocap', but got 'vido'`."""
    return "; ".join(said for _, said in _problems(error))


def _problems(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Return the first three problems, each with its place in the configuration."""
    from movi_prep.config.validation import UnknownSettingError

    said = []
    problems = error.errors(include_url=False)
    # If pydantic refuses an entry of a list, it also reports the list as too short; only the entry helps the user.
    above = {problem["loc"][:depth] for problem in problems for depth in range(1, len(problem["loc"]))}
    for problem in [problem for problem in problems if problem["loc"] not in above][:3]:
        where = cut(".".join(str(part) for part in problem["loc"]), at_most=_LONGEST_VALUE)
        message = cut(problem["msg"].removeprefix("Value error, "), at_most=_LONGEST_MESSAGE)
        value = problem.get("input")
        says_what_came = not isinstance(value, str | int | float | bool) or "but got" in message
        came = "" if says_what_came else f", but got {cut(repr(value), at_most=_LONGEST_VALUE)}"
        cause = problem.get("ctx", {}).get("error")
        # The error's place is the section that refuses the key; the wrong key itself is below it.
        place = (*problem["loc"], cause.key) if isinstance(cause, UnknownSettingError) else problem["loc"]
        said.append((place, f"{where}: {message}{came}" if where else message))
    return said


def _validate(model: type[SettingsType], values: Mapping[str, Any], *, where: str) -> SettingsType:
    try:
        return model.model_validate(values)
    except ValueError as error:
        raise UsageError(f"{where}: {describe_problems(cast('ValidationError', error))}") from error


def _read_mapping(file: Path) -> dict[str, Any]:
    from movi_prep.config.yaml_text import YamlError, read_yaml

    try:
        content = read_yaml(file)
    except OSError as error:
        raise UsageError(f"{file}: expected a configuration file, but {error.strerror}; check the path") from error
    except YamlError as error:
        raise UsageError(f"{file}: expected YAML, but {cut(str(error))}; correct the file") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{file}: expected settings by name, but got a {type(content).__name__}; correct the file")
    if isinstance(content.get("recordings"), list):
        raise UsageError(f"{file}: expected settings, but got a manifest of recordings; name it with --manifest")
    return content


def _absolute_paths(model: type[Settings], values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return `values` with absolute paths. Values of a wrong type stay as they are; validation reports them.

    Raises:
        ValueError: a path is empty.
    """
    changed = dict(values)
    for name, field in model.model_fields.items():
        value = values.get(name)
        inner = _settings_class(field.annotation)
        if inner is not None and isinstance(value, dict):
            changed[name] = _absolute_paths(inner, value, base)
        elif _takes_path(field.annotation) and value == "":
            # An unset variable in a shell script gives an empty path; Path("") would be the current folder.
            raise ValueError(f"{name}: expected a path, but got an empty one; name it, or leave the setting out")
        elif _takes_path(field.annotation) and isinstance(value, str | Path):
            # normpath, not resolve: messages should show a link under the name that the user gave.
            changed[name] = Path(os.path.normpath(base / Path(value).expanduser()))
    return changed


def _settings_class(annotation: Any) -> type[Settings] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def _takes_path(annotation: Any) -> bool:
    if annotation is Path:
        return True
    return get_origin(annotation) in (Union, types.UnionType) and Path in get_args(annotation)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        # Sections merge; values, lists included, replace each other.
        merged[name] = _merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged
