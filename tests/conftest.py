"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from tests import durations, sentences

# A machine may stall within any example, and whoever changed nothing gets the answer of before. Some of this is what
# Hypothesis itself chooses where the environment says CI; the suite shall say the same everywhere.
hypothesis.settings.register_profile(
    "movi-prep", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("movi-prep")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that record the sentences of errors (`tests/sentences.py`) and slow tests."""
    parser.addoption("--record-sentences", action="store_true", help="write tests/sentences.json anew")
    parser.addoption("--record-slow", action="store_true", help="write tests/slow_tests.json anew")


def pytest_configure(config: pytest.Config) -> None:
    """Hand the option on."""
    if config.getoption("--record-sentences"):
        sentences.start_recording()


@pytest.fixture(scope="session", autouse=True)
def _folders_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    sentences.know_folders(tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure how long a test takes, where that was asked for."""
    begin_s = durations.processor_s()
    result = yield
    if item.config.getoption("--record-slow"):
        durations.took(item.nodeid, durations.processor_s() - begin_s)
    return result


def pytest_sessionfinish() -> None:
    """Write what was recorded."""
    sentences.write_recorded()
    durations.write_recorded()


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
    """Mark slow tests, and refuse those that use the reference material without saying so."""
    for item in items:
        if durations.is_slow(item.nodeid):
            item.add_marker(pytest.mark.slow)
        uses_shared = "shared" in getattr(item, "fixturenames", ())
        if uses_shared and item.get_closest_marker("reference") is None:
            raise pytest.UsageError(f"{item.nodeid} uses the fixture 'shared' and must carry the marker 'reference'")
