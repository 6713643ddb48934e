"""Shards of two people before two cameras, from which every target is written once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from movi_prep.export.targets import export
from movi_prep.export.tracks import Corpus, Wanted, find_shards, read_corpus
from movi_prep.records.camera import Camera
from movi_prep.records.lens import radial_lens
from tests.builders.shard import small_camera, write_small_shard


def side_camera() -> Camera:
    """Return a second camera, at the person's side, with a lens and a size of its own."""
    rotation = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return replace(
        small_camera("PG2"),
        world_to_camera_rotation=rotation,
        world_to_camera_translation_m=-rotation @ np.array([0.1, -3.5, 1.1]),
        lens=radial_lens(-0.1, 0.02),
        size_px=(500, 300),
    )


def write_shards(folder: Path) -> Path:
    """Write shards of subjects 1 (training) and 15 (test), PG1 and PG2, of one motion each."""
    for subject, split in ((1, "train"), (15, "test")):
        for camera in (small_camera(), side_camera()):
            path = folder / f"S{subject:03d}_{camera.name}.h5"
            write_small_shard(path, subject=subject, camera=camera, split=split, scale=0.8, std_rad=0.02)
    return folder


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of shards."""
    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="session")
def corpus(shards: Path) -> Corpus:
    """Their tracks."""
    return read_corpus(find_shards(shards), Wanted())


@pytest.fixture(scope="session")
def exports(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one export to each target, by its name."""
    folder = tmp_path_factory.mktemp("exports")
    for target in ("videopose3d", "3d-pose-baseline", "motionbert", "pose-hg-3d", "csv"):
        export(shards, folder / target, target=target, wanted=Wanted())
    return folder
