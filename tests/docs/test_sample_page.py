"""The page of sample keys against samples: every key, its type, its shape, and what it says of projection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from movi_prep import ShardDataset
from movi_prep.training.augmentation import Augmentation
from movi_prep.training.shard_dataset import Window
from tests.builders.shard import write_small_shard
from tests.export.conftest import side_camera

PAGE = Path(__file__).parents[2] / "docs" / "sample_keys.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
TYPES: Mapping[str, Any] = {"float32": torch.Tensor, "int": int, "str": str, "bool": bool}


class Row(NamedTuple):
    """One row of the page."""

    kind: str
    shape: tuple[str, ...]


def _rows() -> dict[str, Row]:
    return {
        key: Row(kind, tuple(part.strip() for part in shape.split(",") if part.strip()))
        for key, kind, shape in _ROW.findall(PAGE.read_text(encoding="utf-8"))
    }


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras of one subject, with deviations."""
    folder = tmp_path_factory.mktemp("shards")
    write_small_shard(folder / "S001_PG1.h5", std_rad=0.02)
    write_small_shard(folder / "S001_PG2.h5", camera=side_camera(), std_rad=0.02)
    return folder


@pytest.mark.parametrize(
    ("options", "leading", "absent"),
    [
        ({}, (), {"windowMask"}),
        ({"pictures": False}, (), {"windowMask", "image"}),
        ({"window": Window(3)}, (3,), set()),
        ({"views": ("PG1", "PG2")}, (2,), {"windowMask"}),
        ({"views": ("PG2", "PG1"), "window": Window(5, causal=True)}, (2, 5), set()),
        ({"augmentation": Augmentation(flip_probability=1.0)}, (), {"windowMask"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_sample_has_the_keys_types_and_shapes_of_the_page(
    shards: Path, options: dict[str, Any], leading: tuple[int, ...], absent: set[str]
) -> None:
    data = ShardDataset(shards, size_px=64, **options)
    sizes = {"s": 64, "p": len(data.point_names), "c": len(data.coordinate_names), "b": len(data.body_names)}
    sample, rows = data[0], _rows()
    assert set(sample) == set(rows) - absent
    for key, value in sample.items():
        row = rows[key]
        assert type(value) is TYPES[row.kind], key
        if row.kind == "float32":
            own = () if key == "windowMask" else tuple(sizes.get(part) or int(part) for part in row.shape)
            assert value.dtype == torch.float32, key
            assert value.shape == (*leading, *own), key


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_points_are_where_the_page_says(shards: Path, flip: float) -> None:
    for sample in ShardDataset(shards, pictures=False, augmentation=Augmentation(flip_probability=flip, shift=0.1))[:]:
        seen = sample["pose3d"] @ sample["cameraIntrinsics"].T
        torch.testing.assert_close(seen[:, :2] / seen[:, 2:], sample["pose2d"], atol=2e-3, rtol=0)
        turn = torch.linalg.det(sample["worldToCamera"][:, :3])
        torch.testing.assert_close(turn, torch.tensor(-1.0 if sample["hflip"] else 1.0))
