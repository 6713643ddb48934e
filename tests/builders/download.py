"""A small download with the open body: two subjects, two clips each, enough for the marker stage to run for real."""

from __future__ import annotations

from pathlib import Path

from movi_prep.demo.open_body import write_open_body
from tests.builders.body import build_motion, new_release, old_release, write_npz


def write_small_download(folder: Path) -> Path:
    """Write `models/` and `amass/` below `folder`, clips of both releases; return the folder."""
    write_open_body(folder / "models")
    for subject, clip in ((1, 1), (1, 2), (15, 1)):
        motion = build_motion(41, seed=10 * subject + clip)
        where = folder / "amass" / "BMLmovi" / f"Subject_{subject}_F_MoSh"
        write_npz(where / f"Subject_{subject}_F_{clip}_poses.npz", old_release(motion))
    write_npz(folder / "amass" / "Subject_15_F_MoSh" / "Subject_15_F_2_stageii.npz", new_release(build_motion(41)))
    return folder
