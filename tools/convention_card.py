"""Write docs/conventions.md: `python -m tools.convention_card > docs/conventions.md`.

The text is that of `opensim_models/conventions.csv`; the model says what ranges are, and what follows or is locked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.formats.convention_table import packaged_conventions
from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.records.convention import convention_of
from movi_prep.stages.packaged_model import PACKAGED_MODEL

if TYPE_CHECKING:
    from movi_prep.records.kinematic_tree import KinematicTree

HEAD = """# What each coordinate means

This page is made from `opensim_models/conventions.csv` and the packaged model (`python -m tools.convention_card`). A
test poses the model and looks whether each coordinate does what stands under "positive". A shard carries the same
sentences (`conventions/`) for those coordinates with which its own model does so.

* Angles are radians in files, metres for `pelvis_tx` and so on. Ground and all bodies have x forward, y up and z to the
  right where all coordinates are 0; a joint turns about its axes in the order in which the model lists them.
* **Left** coordinates are mirror images: equal values on both sides are a symmetric pose. The right side is listed.
* Angles are **unwrapped**: they go on through a clip, without jumps by a turn. Somebody who turns round twice ends with
  `pelvis_rotation` 720 degrees away, and `elv_angle` goes past 180 behind the back.
* "ISB" is the recommendation of the International Society of Biomechanics (Wu et al. 2002, 2005), for the knee Grood
  and Suntay 1983, with right-handed axes x forward, y up, z right, for the right side. Landmarks differ everywhere: our
  frames follow from the model's joints, ISB's from palpated landmarks, so that constants of some degrees remain.
* A coordinate that follows another is no measurement of its own; one that is locked stays at its default.

| coordinate | moves | positive | 0 is | ISB | what else differs | range, degrees or m |
|---|---|---|---|---|---|---|
"""


def card(tree: KinematicTree) -> str:
    """Return the page."""
    rows = []
    for index, name in enumerate(tree.coordinate_names):
        # Left coordinates mirror the right ones: listed once, said in the head.
        if name.endswith("_l"):
            continue
        entry = convention_of(packaged_conventions(), name)
        if entry is None:
            continue
        cells = (f"`{name}`{_state(tree, index)}", entry.moves, entry.positive, entry.zero, entry.counterpart() or "-")
        rows.append(f"| {' | '.join(cells)} | {entry.difference or '-'} | {_range(tree, index)} |")
    return HEAD + "\n".join(rows) + "\n"


def _state(tree: KinematicTree, index: int) -> str:
    if tree.coordinate_locked[index]:
        return " (locked)"
    leader = tree.coupled_to[index]
    return f" (follows `{tree.coordinate_names[leader]}`)" if leader >= 0 else ""


def _range(tree: KinematicTree, index: int) -> str:
    low, high = tree.coordinate_range[index]
    if tree.coordinate_is_rotation[index]:
        low, high = np.degrees([low, high])
    return f"{low:.0f} to {high:.0f}" if tree.coordinate_clamped[index] else "free"


if __name__ == "__main__":
    sys.stdout.write(card(extract_tree(read_model(packaged_path("opensim_models", PACKAGED_MODEL)))))
