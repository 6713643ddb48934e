"""HDF5 files that would end, or never end, the process that opens them are errors of those files."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats import hdf5_trial
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.hdf5_trial import check_hdf5, try_together
from movi_prep.formats.trial_load import Limits, check_that_it_loads, load_apart, sound_files
from movi_prep.stages.shards import verify

REMEDY = "make it again"


def test_a_sound_file_passes_in_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "sound.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/values", data=np.zeros((1000, 3)), chunks=(1, 3), compression="gzip")
        file["group/loop"] = file["group"]
        file["elsewhere"] = h5py.ExternalLink("none.h5", "/")
    begin_s = time.monotonic()
    check_hdf5(path)
    assert time.monotonic() - begin_s < 2.0


def test_a_file_is_tried_again_where_it_may_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tried = tmp_path / "a.h5", []
    monkeypatch.setattr(hdf5_trial, "check_that_it_loads", lambda path, *_, **__: tried.append(path))
    path.write_bytes(b"one")
    check_hdf5(path)
    check_hdf5(path)
    assert len(tried) == 2, "a file this young may change within one tick of its clock"
    for n_trials, age_s in ((3, 100), (3, 100), (4, 50), (4, 50)):
        os.utime(path, (0, 1e9 - age_s))
        check_hdf5(path)
        assert len(tried) == n_trials
    path.write_bytes(b"longer")
    os.utime(path, (0, 1e9))
    check_hdf5(path)
    assert len(tried) == 5


def test_files_that_pass_together_are_not_tried_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{name}.h5" for name in "abc"]
    for path in paths:
        path.write_bytes(b"no HDF5, which is the reader's to say")
        os.utime(path, (0, 1e9))
    try_together([*paths, tmp_path / "absent.h5"])
    monkeypatch.setattr(hdf5_trial, "check_that_it_loads", lambda *_, **__: pytest.fail("tried again"))
    for path in paths:
        check_hdf5(path)


def test_of_files_tried_together_the_one_at_fault_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, deadly = tmp_path / "sound.h5", tmp_path / "deadly.h5"
    for path in (sound, deadly):
        path.write_bytes(b"any")
        os.utime(path, (0, 1e9))
    monkeypatch.setattr(
        hdf5_trial, "_walk", lambda path: os.kill(os.getpid(), signal.SIGSEGV) if path == deadly else None
    )
    try_together([sound, deadly])
    check_hdf5(sound)
    with pytest.raises(InputError) as caught:
        check_hdf5(deadly)
    assert caught.value.where == str(deadly)


def test_what_raises_is_left_to_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "text.h5"
    path.write_text("no HDF5")
    check_hdf5(path)


def test_the_end_of_the_child_is_the_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(InputError) as caught:
        check_that_it_loads(path, lambda: os.kill(os.getpid(), signal.SIGSEGV), remedy=REMEDY)
    assert caught.value.where == str(path)
    assert "SIGSEGV" in caught.value.got
    assert caught.value.remedy == REMEDY


def test_a_file_whose_bytes_are_vouched_for_needs_no_trial(tmp_path: Path) -> None:
    path = tmp_path / "own.h5"
    path.write_text("as it was written")

    def die() -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    with sound_files({path: file_stamp(path)}):
        check_that_it_loads(path, die, remedy=REMEDY)
        with pytest.raises(InputError):
            check_that_it_loads(tmp_path / "another.h5", die, remedy=REMEDY)
        path.write_text("changed since it was compared")
        with pytest.raises(InputError):
            check_that_it_loads(path, die, remedy=REMEDY)
    path.write_text("as it was written")
    with pytest.raises(InputError):
        check_that_it_loads(path, die, remedy=REMEDY)


def test_a_loop_without_an_end_is_ended(tmp_path: Path) -> None:
    def turn() -> None:
        while True:
            pass

    with pytest.raises(InputError) as caught:
        load_apart(tmp_path / "a.h5", turn, limits=Limits(longest_s=20, processor_s=1), remedy=REMEDY)
    assert "1 s of computing" in caught.value.got


def test_memory_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_apart(tmp_path / "a.h5", lambda: bytes(2**31).count(1), limits=Limits(memory_bytes=2**28), remedy=REMEDY)
    assert "memory" in caught.value.got


def test_what_the_child_returns_comes_back(tmp_path: Path) -> None:
    large = bytes(range(256)) * 4096
    assert load_apart(tmp_path / "a", lambda: large, limits=Limits(), remedy=REMEDY) == large


def test_a_shard_that_ends_its_process_is_named_and_others_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("S001_PG1.h5", "S002_PG1.h5"):
        (tmp_path / name).write_bytes(b"\0")

    def die_on_the_first(path: Path) -> verify.CheckedFile:
        if path.name.startswith("S001"):
            os.kill(os.getpid(), signal.SIGBUS)
        return verify.CheckedFile(path, 7, ())

    monkeypatch.setattr(verify, "_verify_here", die_on_the_first)
    report = verify.verify_shards(tmp_path)
    assert [fault.path.name for fault in report.faults] == ["S001_PG1.h5"]
    assert "SIGBUS" in report.faults[0].what
    assert report.n_rows == 7
