"""YAML files of the project's own formats, read within limits (see `config.yaml_text`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from movi_prep.config.yaml_text import YamlError, read_yaml
from movi_prep.errors import InputError
from movi_prep.formats.reading import reading

if TYPE_CHECKING:
    from pathlib import Path


def read_yaml_file(path: Path, *, expected: str, remedy: str = "correct the file") -> Any:
    """Return the content of a YAML file.

    Args:
        path: the file.
        expected: what it is: "a marker set (YAML)".
        remedy: what to do where it is not.

    Raises:
        MissingError: the file does not exist.
        InputError: the file cannot be read, is not YAML, or expands to more than any such file holds.
    """
    with reading(path, expected=expected, remedy=remedy):
        try:
            return read_yaml(path)
        except YamlError as error:
            raise InputError(path, expected=expected, got=f"broken YAML ({error})", remedy=remedy) from error
