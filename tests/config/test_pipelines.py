"""The packaged pipelines read as configurations, and the full one names every key there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from movi_prep.config.base import Settings
from movi_prep.config.load import load_config
from movi_prep.config.root import Config
from movi_prep.config.slurm import SlurmProfile

PIPELINES = Path(__file__).parents[2] / "pipelines"
DATA = {"work", "amass", "body_models", "v3d", "videos", "calibration"}


def keys_of(values: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in values.items():
        found |= keys_of(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name}
    return found


def keys_of_settings(settings: Settings, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        has_keys = isinstance(value, Settings) and type(value).model_fields
        found |= keys_of_settings(value, f"{prefix}{name}.") if has_keys else {prefix + name}
    return found


@pytest.mark.parametrize("name", ["bmlmovi.yaml", "smoke.yaml"])
def test_a_pipeline_is_a_configuration(name: str) -> None:
    assert load_config(PIPELINES / name, {}).work.is_absolute()


def test_the_full_pipeline_names_every_key_with_its_default_and_a_comment() -> None:
    text = (PIPELINES / "bmlmovi.yaml").read_text()
    content = yaml.safe_load(text)
    assert keys_of(content) == keys_of_settings(Config())
    config = load_config(PIPELINES / "bmlmovi.yaml", {})
    assert config.model_dump(exclude=DATA) == Config().model_dump(exclude=DATA)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if ":" in line and not line.lstrip().startswith("#"):
            assert lines[number - 1].lstrip().startswith("#"), f"no comment above {line!r}"


def test_the_packaged_profile_names_every_key_with_its_default() -> None:
    content = yaml.safe_load((PIPELINES / "slurm.yaml").read_text())
    assert SlurmProfile.model_validate(content) == SlurmProfile()
    assert content.keys() == SlurmProfile.model_fields.keys()
