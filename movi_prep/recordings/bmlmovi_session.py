"""BML-MoVi's V3D file as a session: clip K is row K of its lists; world and units become the project's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.v3d import MOCAP_PER_VIDEO_FRAME, read_v3d
from movi_prep.geometry.frames import movi_to_amass
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject
from movi_prep.records.checks import frozen_array
from movi_prep.records.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from movi_prep.records.v3d import V3dSubject

JOINT_OF_VIRTUAL_MARKER = {
    "lhip": "LHIPJ",
    "rhip": "RHIPJ",
    "lkne": "LKJC",
    "rkne": "RKJC",
    "lank": "LAJC",
    "rank": "RAJC",
    "lsho": "LSHOULDER",
    "rsho": "RSHOULDER",
    "lelb": "LELC",
    "relb": "RELC",
    "lwri": "LWRIST",
    "rwri": "RWRIST",
}
"""V3D's virtual markers that are joint centres of SMPL too; those of head, hands, feet and trunk differ."""


def read_bmlmovi_session(path: Path) -> Session:
    """Read a subject's V3D file; raise as `formats.v3d.read_v3d` does."""
    v3d = read_v3d(path)
    joints = _joints(v3d)
    return Session(
        subject=movi_subject(v3d.subject),
        sex=v3d.sex,
        height_m=v3d.height_m,
        mass_kg=v3d.mass_kg,
        clips=tuple(movi_clip(v3d.subject, row + 1).clip for row in range(v3d.n_clips)),
        performed=v3d.motions,
        video_ranges=v3d.video_ranges,
        mocap_ranges=v3d.mocap_ranges,
        samples_per_frame=MOCAP_PER_VIDEO_FRAME,
        joint_names=() if joints is None else tuple(JOINT_OF_VIRTUAL_MARKER.values()),
        joints_m=joints,
        source=v3d.source,
        findings=v3d.findings,
    )


def _joints(v3d: V3dSubject) -> NDArray[np.float64] | None:
    """Return (n, 12, 3) float64 joints, metres, AMASS world; None unless all twelve are there."""
    names = v3d.virtual_marker_names
    # All or none: the rigid fit to SMPL's joints compares a fixed list.
    if v3d.virtual_markers_m is None or not set(JOINT_OF_VIRTUAL_MARKER) <= set(names):
        return None
    columns = [names.index(name) for name in JOINT_OF_VIRTUAL_MARKER]
    return frozen_array(movi_to_amass(v3d.virtual_markers_m[:, columns]))
