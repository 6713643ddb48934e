"""Noise of markers in YAML: units, and what bad files get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from movi_prep.errors import InputError
from movi_prep.formats.noise_file import packaged_noise, read_marker_noise
from movi_prep.formats.packaged import packaged_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_lengths_are_metres_and_every_segment_says_where_it_is_from() -> None:
    noise = packaged_noise()
    content = yaml.safe_load(packaged_path("opensim_models", "marker_noise.yaml").read_text(encoding="utf-8"))
    thigh = noise.segment_of("femur_l")
    assert thigh.field_sd_m == pytest.approx(content["segments"]["thigh"]["field_sd_mm"] / 1000)
    assert thigh.field_length_m == pytest.approx(content["segments"]["thigh"]["field_length_mm"] / 1000)
    assert all(segment.source.startswith(("fitted", "assumed")) for segment in (*noise.segments, noise.other))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content["segments"]["thigh"].update(field_sd_mm="wide"), "segments.thigh.field_sd_mm"),
        (lambda content: content["segments"]["thigh"].update(field_sd_mm=-1), "segments.thigh.field_sd_mm"),
        (lambda content: content["segments"]["thigh"].update(field_length_mm=0), "segments.thigh.field_length_mm"),
        (lambda content: content.update(scale_sd=True), "scale_sd"),
        (lambda content: content["segments"].pop("default"), "thigh"),
        (lambda content: content.update(version=2), "version"),
    ],
)
def test_a_file_that_says_no_noise_is_refused_by_what_is_wrong(
    tmp_path: Path, spoil: Callable[[dict[str, object]], object], said: str
) -> None:
    path = packaged_path("opensim_models", "marker_noise.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    spoil(content)
    spoilt = tmp_path / "noise.yaml"
    spoilt.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_marker_noise(spoilt)
    assert said in str(caught.value.got)
