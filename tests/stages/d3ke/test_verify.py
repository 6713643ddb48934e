"""Verification of D3KE's layout: nothing is read from elsewhere, and what one subject's files raise is its finding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.formats import d3ke
from movi_prep.stages.d3ke.verify import verify_d3ke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subject in (1, 2):
        rows = {name: np.zeros(3) for name in d3ke.LABEL_DTYPES} | {"cameraType": np.array([b"PG1"] * 3)}
        d3ke.write_labels(tmp_path / f"subject_{subject}.hdf5", rows)
        opensim = {name: np.zeros(3) for name in d3ke.OPENSIM_DTYPES}
        d3ke.write_opensim_labels(
            tmp_path / f"subject_{subject}_opensim.hdf5", opensim, subject=subject, bone_scale=np.ones((2, 3))
        )
        pictures = ((number, np.full((4, 5, 3), 9, np.uint8)) for number in range(3))
        d3ke.write_images(tmp_path / f"{subject}_PG1_img.hdf5", pictures, name="video", shape=(3, 4, 5))
    return tmp_path


def _faults(folder: Path, subject: int) -> list[str]:
    (checked,) = (item for item in verify_d3ke(folder) if item.path.name == f"subject_{subject}.hdf5")
    return [str(fault) for fault in checked.faults]


def _external(file: h5py.File, name: str, other: Path) -> None:
    file[name] = h5py.ExternalLink(str(other), name)


def _virtual(file: h5py.File, name: str, other: Path) -> None:
    with h5py.File(other) as source:
        layout = h5py.VirtualLayout(shape=source[name].shape, dtype=source[name].dtype)
        layout[:] = h5py.VirtualSource(source[name])
    file.create_virtual_dataset(name, layout)


def _raw(file: h5py.File, name: str, other: Path) -> None:
    file.create_dataset(name, (3,), "f8", external=[(str(other), 0, 24)])


@pytest.mark.parametrize("make", [_external, _virtual, _raw])
@pytest.mark.parametrize(
    ("name", "field"),
    [("subject_1.hdf5", "pos3d"), ("subject_1_opensim.hdf5", "rootRot"), ("1_PG1_img.hdf5", "images")],
)
def test_what_is_elsewhere_is_found(
    folder: Path, make: Callable[[h5py.File, str, Path], None], name: str, field: str
) -> None:
    sound = _faults(folder, 2)
    with h5py.File(folder / name, "r+") as file:
        del file[field]
        make(file, field, folder / name.replace("1", "2", 1))
    assert any(field in fault and "in the file itself" in fault for fault in _faults(folder, 1))
    assert _faults(folder, 2) == sound


@pytest.mark.parametrize("error", [RuntimeError, KeyError, RecursionError, MemoryError, TypeError])
def test_whatever_reading_a_subject_raises_is_a_finding_about_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    read_rows, sound = d3ke.read_rows, _faults(folder, 2)

    def fail(path: Path) -> object:
        if path.name == "subject_1.hdf5":
            raise error("broken inside")
        return read_rows(path)

    monkeypatch.setattr(d3ke, "read_rows", fail)
    (fault,) = _faults(folder, 1)
    assert error.__name__ in fault
    assert _faults(folder, 2) == sound
