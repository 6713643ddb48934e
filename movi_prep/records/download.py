"""What was found of the user's data: files only, nothing read yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.records.identity import ClipId


@dataclass(frozen=True)
class Download:
    """The files of a download, found in whatever folders people unpack them into.

    Attributes:
        motions: AMASS file of each clip.
        body_models: SMPL+H `model.npz` by sex.
        dmpl_models: DMPL `model.npz` by sex.
        v3d: V3D .mat of each subject.
        videos: .avi by (subject, camera).
        intrinsics: calibration file by camera (.npz, .pkl).
        extrinsics: calibration file by camera (.npz, .pkl or .mat).
        findings: sentences on what was passed over and why (for example two files for one clip).
        others: AMASS files of clips that are there but not asked for; they still tell the shape of their subject.
    """

    motions: Mapping[ClipId, Path] = field(default_factory=dict)
    body_models: Mapping[str, Path] = field(default_factory=dict)
    dmpl_models: Mapping[str, Path] = field(default_factory=dict)
    v3d: Mapping[str, Path] = field(default_factory=dict)
    videos: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    intrinsics: Mapping[str, Path] = field(default_factory=dict)
    extrinsics: Mapping[str, Path] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    others: Mapping[ClipId, Path] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with at least one clip of motion, in order."""
        return tuple(dict.fromkeys(clip.subject for clip in sorted(self.motions)))

    def clips_of(self, subject: str) -> tuple[ClipId, ...]:
        """Clips of one subject, in order."""
        return tuple(sorted(clip for clip in self.motions if clip.subject == subject))
