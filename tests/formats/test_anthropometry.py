"""Anthropometric tables: what the packaged one says, and what is no table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.anthropometry import read_anthropometry
from movi_prep.formats.opensim_setup import read_scale_setup
from movi_prep.formats.packaged import packaged_path

if TYPE_CHECKING:
    from pathlib import Path

TABLE = packaged_path("opensim_models", "anthropometry.yaml")
PAIR = "{women_mm: [300, 15], men_mm: [330, 15], correlation: 0.5}"


def test_bones_of_a_limb_go_with_one_another_more_than_with_a_width() -> None:
    names = ["thigh_length", "shank_length", "head_width"]
    covariance = read_anthropometry(TABLE).log_covariance([(name, "Y") for name in names])
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    assert ((deviation > 0.03) & (deviation < 0.1)).all()
    assert correlation[0, 1] > correlation[0, 2] > 0.0
    assert np.linalg.eigvalsh(covariance).min() > 0.0


@pytest.mark.parametrize("name", ["scaling_full_body.yaml", "scaling_d3ke.yaml"])
def test_the_table_knows_measurements_of_packaged_set_ups(name: str) -> None:
    setup, table = read_scale_setup(packaged_path("opensim_models", name)), read_anthropometry(TABLE)
    measurements = [(item.name, item.body_axes[0][1]) for item in setup.measurements]
    assert np.linalg.eigvalsh(table.log_covariance(measurements)).min() > 0.0
    assert set(table.of_measurement) & {measured for measured, _ in measurements}


@pytest.mark.parametrize(
    ("dimensions", "where"),
    [
        ("{}", "dimensions"),
        (f"{{length: {PAIR}}}", "dimensions"),
        (
            f"{{length: {PAIR}, breadth: {{women_mm: [300, 15], men_mm: [330], correlation: 0.5}}}}",
            "dimensions: breadth",
        ),
        (f"{{length: {PAIR}, breadth: {PAIR.replace('0.5', '1.5')}}}", "dimensions: breadth"),
        (f"{{length: {PAIR}, breadth: {PAIR.replace('[300, 15]', '[300, -15]')}}}", "dimensions: breadth"),
    ],
)
def test_what_is_no_table_is_refused_with_the_place(tmp_path: Path, dimensions: str, where: str) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(f"format: movi-prep anthropometry\nversion: 1\ndimensions: {dimensions}\n")
    with pytest.raises(InputError) as caught:
        read_anthropometry(path)
    assert str(caught.value.where) == f"{path}: {where}"
