"""Checks the user's own documents that every unit reads, before any unit runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from movi_prep.config.root import Config


def check_documents(config: Config) -> None:
    """Raise UsageError if a marker set, set-up or split file that a setting names cannot be read."""
    for name, path, read in _documents(config):
        if path is None:
            continue
        try:
            read(path)
        except InputError as error:
            raise UsageError(f"{name}: {error}") from error


def _documents(config: Config) -> Iterator[tuple[str, Path | None, Callable[[Path], object]]]:
    from movi_prep.formats.label_tables import read_label_tables
    from movi_prep.formats.marker_set import read_marker_set
    from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup

    yield "markers.marker_set", config.markers.marker_set, read_marker_set
    yield "scaling.setup", config.scaling.setup, read_scale_setup
    yield "ik.setup", config.ik.setup, read_ik_setup
    yield "shard.split", config.shard.split, lambda path: read_label_tables(split=path)
