"""Names of the packaged model and its set-ups, which stages use unless the user names others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.packaged import packaged_path

if TYPE_CHECKING:
    from pathlib import Path

PACKAGED_MODEL = "movi_full_body.osim"
PACKAGED_SCALE_SETUP = "scaling_full_body.yaml"
PACKAGED_IK_SETUP = "ik_full_body.yaml"


def packaged_setups(kind: str) -> tuple[Path, ...]:
    """Return the packaged set-up files of a kind: `scaling` or `ik`."""
    folder = packaged_path("opensim_models", PACKAGED_MODEL).parent
    return tuple(sorted(folder.glob(f"{kind}_*.yaml")))
