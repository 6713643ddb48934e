"""Occluders: objects of Pascal VOC, cut out by its palette and its annotations, whole and large enough."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from movi_prep.config.root import Config
from movi_prep.config.shard import OccluderSettings
from movi_prep.errors import InputError, MissingError
from movi_prep.formats.occluders import read_occluders
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.d3ke.occluder_file import D3KE_OCCLUDERS, OccluderInputs, OccluderOutputs, run_occluders
from movi_prep.video.pascal_voc import cut_out_objects

PALETTE_BGR = {1: (0, 0, 128), 2: (0, 128, 0), 3: (0, 128, 128), 4: (128, 0, 0), 255: (192, 224, 224)}
"""The first colours of Pascal's palette, and its border."""

OBJECTS = (
    # class, (left, top, right, bottom) from 0, exclusive, flags
    ("person", (10, 5, 50, 65), ()),
    ("chair", (60, 5, 90, 40), ()),
    ("person", (100, 10, 130, 60), ("truncated",)),
    ("person", (135, 10, 140, 15), ()),
)


def write_voc(folder: Path) -> Path:
    """Write a VOC2012 folder of one picture: a person, a chair, a person who is cut off, and a speck."""
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationObject", "Annotations"):
        (folder / name).mkdir(parents=True)
    image = np.full((80, 150, 3), 40, np.uint8)
    objects = np.zeros_like(image)
    reported = []
    for number, (kind, (left, top, right, bottom), flags) in enumerate(OBJECTS, start=1):
        objects[top - 1 : bottom + 1, left - 1 : right + 1] = PALETTE_BGR[255]
        objects[top:bottom, left:right] = PALETTE_BGR[number]
        image[top:bottom, left:right] = 50 * number
        box = f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        flagged = "".join(f"<{flag}>1</{flag}>" for flag in flags)
        reported.append(f"<object><name>{kind}</name>{flagged}<bndbox>{box}</bndbox></object>")
    (folder / "ImageSets/Segmentation/trainval.txt").write_text("2007_000001\n")
    cv2.imwrite(str(folder / "JPEGImages/2007_000001.jpg"), image)
    cv2.imwrite(str(folder / "SegmentationObject/2007_000001.png"), objects)
    (folder / "Annotations/2007_000001.xml").write_text(f"<annotation>{''.join(reported)}</annotation>")
    return folder


def test_whole_and_large_objects_are_cut_out_half_as_large(tmp_path: Path) -> None:
    (person, mask), (chair, of_chair) = cut_out_objects(write_voc(tmp_path / "VOC2012"), people=True)
    assert person.shape == (30, 20, 3)
    assert mask.shape == (30, 20)
    np.testing.assert_allclose(person.astype(float), 50.0, atol=6)
    assert mask[15, 10] == 1.0
    # The edge of a mask shows some of the background.
    assert mask[0, 0] == pytest.approx(0.75)
    # 35 rows, of which half is rounded to the even number.
    assert chair.shape[:2] == of_chair.shape == (18, 15)
    np.testing.assert_allclose(chair.astype(float), 100.0, atol=6)


def test_without_people_other_objects_are_left(tmp_path: Path) -> None:
    ((image, _),) = cut_out_objects(write_voc(tmp_path / "VOC2012"), people=False)
    np.testing.assert_allclose(image.astype(float), 100.0, atol=6)


@pytest.mark.parametrize(("people", "expected"), [(True, 2), (False, 1)])
def test_the_stage_writes_what_d3kes_code_reads(tmp_path: Path, people: bool, expected: int) -> None:
    folder, config, work = write_voc(tmp_path / "VOC2012"), Config(), WorkFolder(tmp_path / "work")
    assert D3KE_OCCLUDERS.plan(Recordings(), work, config) == ()
    changes = {"pascal": folder, "pascal_people": people}
    named = config.model_copy(update={"shard": config.shard.model_copy(update=changes)})
    (unit,) = D3KE_OCCLUDERS.plan(Recordings(), work, named)
    assert D3KE_OCCLUDERS.run_unit(unit).numbers == {"occluders": expected}
    path = work.d3ke_shards() / "pascal.hdf5"
    assert len(read_occluders(path)) == expected
    with h5py.File(path) as file:
        # As its code reads them.
        count = file["numData"][0]
        pictures = [file[f"{index}_image"][:, :, :] for index in range(count)]
        masks = [file[f"{index}_mask"][:, :] for index in range(count)]
    assert [picture.shape[:2] for picture in pictures] == [mask.shape for mask in masks]


def test_a_folder_without_objects_is_named_and_no_file_is_written(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "VOC2012")
    annotation = folder / "Annotations/2007_000001.xml"
    annotation.write_text(annotation.read_text().replace("chair", "person"))
    outputs = OccluderOutputs(tmp_path / "work" / "pascal.hdf5")
    inputs = OccluderInputs(folder / "ImageSets/Segmentation/trainval.txt")
    with pytest.raises(InputError) as caught:
        run_occluders(inputs, outputs, OccluderSettings(people=False))
    assert caught.value.where == str(folder)
    assert caught.value.got == "none but people"
    assert not outputs.occluders.exists()


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        list(cut_out_objects(tmp_path, people=True))
    folder = write_voc(tmp_path / "VOC2012")
    annotation = folder / "Annotations/2007_000001.xml"
    good = annotation.read_text()
    for path, content in (
        (annotation, "<annotation>"),
        (annotation, good.replace("<xmin>11</xmin>", "")),
        (folder / "JPEGImages/2007_000001.jpg", "no picture"),
    ):
        annotation.write_text(good)
        path.write_text(content)
        with pytest.raises(InputError) as caught:
            list(cut_out_objects(folder, people=True))
        assert caught.value.where == str(path)
