"""The joints, markers, coordinates and bodies of a training sample, in order, and the default split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Split = Literal["train", "validation", "test", "none"]
"""Part of the data that a subject belongs to; "none" where the split file does not name it."""


@dataclass(frozen=True)
class LabelNames:
    """The ordered names of all labels; row i of a label array belongs to entry i.

    Attributes:
        joints: (22,) SMPL joints, by their marker names.
        markers: (55,) label markers; floor markers last.
        coordinates: (69,) coordinates of the model, all rotations.
        bodies: (48,) bodies with a scale.
        opensim_joints: (50,) joints of the model whose centres are labels; the two leaves last.
        surface: (2,) points of the skin that no model tracks; none in shards before version 4.
    """

    joints: tuple[str, ...]
    markers: tuple[str, ...]
    coordinates: tuple[str, ...]
    bodies: tuple[str, ...]
    opensim_joints: tuple[str, ...]
    surface: tuple[str, ...]


@dataclass(frozen=True)
class LabelTables(LabelNames):
    """The names of all labels, and which part of the data each subject belongs to.

    Attributes:
        split: subject -> part.
        source: the file.
    """

    split: Mapping[str, Split]
    source: str

    def split_of(self, subject: str) -> Split:
        """Return the part that a subject belongs to."""
        return self.split.get(subject, "none")
