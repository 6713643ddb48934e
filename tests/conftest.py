"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests import sentences

# A machine may stall within any example, and whoever changed nothing gets the answer of before. Some of this is what
# Hypothesis itself chooses where the environment says CI; the suite shall say the same everywhere.
hypothesis.settings.register_profile(
    "movi-prep", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("movi-prep")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that records the sentences of errors (`tests/sentences.py`)."""
    parser.addoption("--record-sentences", action="store_true", help="write tests/sentences.json anew")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the option on."""
    if config.getoption("--record-sentences"):
        sentences.start_recording()


@pytest.fixture(scope="session", autouse=True)
def _folders_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    sentences.know_folders(tmp_path_factory.getbasetemp())


def pytest_sessionfinish() -> None:
    """Write what was recorded."""
    sentences.write_recorded()


def _shared_folder() -> Path:
    """Return where reference material would stand: beside the checkout, or where the environment says."""
    return Path(os.environ.get("MOVI_PREP_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference material beside the checkout; tests that use it carry the marker `reference`."""
    folder = _shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no reference material at {folder} (set MOVI_PREP_SHARED)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that use the reference material without saying so."""
    for item in items:
        uses_shared = "shared" in getattr(item, "fixturenames", ())
        if uses_shared and item.get_closest_marker("reference") is None:
            raise pytest.UsageError(f"{item.nodeid} uses the fixture 'shared' and must carry the marker 'reference'")
