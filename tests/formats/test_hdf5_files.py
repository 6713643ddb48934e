"""Attributes of text are what h5py itself would have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.hdf5_files import open_hdf5, write_texts

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {"unit": "m", "frame": "", "description": "wörks: 5 µm, 関節", "dims": '["row", "marker", 3]'}


def test_texts_are_written_to_the_bytes_of_h5py(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        with open_hdf5(tmp_path / name, "w") as file:
            dataset = file.create_dataset("values", data=[1.0, 2.0])
            for target in (file, dataset):
                if name == "ours":
                    write_texts(target, TEXTS)
                else:
                    target.attrs.update(TEXTS)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    with open_hdf5(tmp_path / "ours") as file:
        assert dict(file["values"].attrs) == TEXTS
