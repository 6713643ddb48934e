"""A small run of the fuzz; the whole is `python -m benchmarks.fuzz_readers`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.fuzz_readers import broken_promise, fault_of, fuzz, readers_of, sound_files
from movi_prep.records.lens import Lens


def test_sound_files_are_read_by_every_reader(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    for name in sound_files(tmp_path / "sound"):
        for read in readers_of(name):
            path = tmp_path / "sound" / name
            assert fault_of(read, path) == ""
            # A file that is refused before it is spoilt shows nothing of its reader.
            if read.__name__ != "inspect_file":
                read(path)


def test_spoilt_files_end_nothing() -> None:
    done, faults, kinds = fuzz(200, seed=11)
    assert done >= 200
    assert {".h5", ".osim", ".xml", ".avi"} <= {Path(name).suffix for name in kinds}
    assert faults == []


def test_a_lens_that_is_not_finite_breaks_its_camera_s_promise() -> None:
    lens = Lens("fisheye", np.array([0.0, np.nan, 0.0, 0.0]))
    assert "coefficients" in broken_promise((SimpleNamespace(lens=lens),))
    assert broken_promise(SimpleNamespace(lens=None)) == ""
