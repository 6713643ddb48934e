"""Compiled kernels find a place where neither the installation nor the home folder can be written."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from movi_prep.errors import UsageError
from movi_prep.kinematics.cache_place import VARIABLE, temporary_cache, use_temporary_cache


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    monkeypatch.setenv(VARIABLE, "")
    return tmp_path


def test_the_folder_is_this_users_and_the_same_next_time(temporary: Path) -> None:
    assert temporary_cache() == ""
    first = use_temporary_cache()
    assert first.parent == temporary
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert use_temporary_cache() == first
    assert os.environ[VARIABLE] == temporary_cache() == str(first), "processes that are started find it, too"


def test_a_folder_that_others_can_write_or_have_laid_there_is_not_used(temporary: Path) -> None:
    first = use_temporary_cache()
    first.chmod(0o777)
    assert use_temporary_cache() != first
    first.rmdir()
    (temporary / "elsewhere").mkdir()
    first.symlink_to(temporary / "elsewhere")
    assert use_temporary_cache().resolve() != temporary / "elsewhere"


def test_without_any_place_the_variable_is_named(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "is not there"))
    with pytest.raises(UsageError, match=VARIABLE):
        use_temporary_cache()


def test_numba_without_a_place_of_its_own_is_given_this_one(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from movi_prep.kinematics import kernels

    def find_no_place(**_flags: object) -> object:
        if not numba.config.CACHE_DIR:
            raise RuntimeError("cannot cache function 'track': no locator available")
        return lambda function: function

    numba.config.CACHE_DIR = ""
    monkeypatch.setattr(numba, "njit", find_no_place)
    assert kernels._compiled(abs) is abs
    assert numba.config.CACHE_DIR == temporary_cache() == str(next(temporary.iterdir()))
