"""AMASS files of the demo, in the naming and layout of both releases (tables in `movi_prep.formats`).

Old release: `Subject_N_F_K_poses.npz` with `mocap_framerate` and dmpls, `shape.npz` beside.
New release: `Subject_N_F_K_stageii.npz` with `mocap_frame_rate` and no dmpls, `SEX_stagei.npz` beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.formats.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.demo.cast import Performer


def subject_folder(folder: Path, subject: int) -> Path:
    """Return the folder of one subject, doubled, as the archive unpacks."""
    return folder / "BMLmovi" / "BMLmovi" / f"Subject_{subject}_F_MoSh"


def write_clip(
    folder: Path,
    performer: Performer,
    number: int,
    poses_rad: NDArray[np.float64],
    translation_m: NDArray[np.float64],
    dmpls: NDArray[np.float64] | None,
) -> Path:
    """Write one clip in the release that the performer's files follow; return its path.

    Args:
        folder: the AMASS folder of the data set.
        performer: whose clip.
        number: number of the clip.
        poses_rad: (n, 52, 3) axis-angle.
        translation_m: (n, 3) metres, AMASS world.
        dmpls: (n, 8) soft-tissue coefficients, or None for a file that lacks them.
    """
    stem = subject_folder(folder, performer.subject) / f"Subject_{performer.subject}_F_{number}"
    # Real files are C-ordered: a reader in blocks relies on it.
    poses = np.ascontiguousarray(poses_rad.reshape(len(poses_rad), 156))
    if number in performer.new_release_clips:
        return _write_npz(stem.with_name(stem.name + "_stageii.npz"), _new_release(performer, poses, translation_m))
    arrays: dict[str, Any] = {
        "trans": translation_m,
        "gender": performer.gender_as_stored,
        "mocap_framerate": np.array(performer.rate_hz),
        "betas": performer.betas,
        **({} if dmpls is None else {"dmpls": dmpls}),
        "poses": poses,
    }
    return _write_npz(stem.with_name(stem.name + "_poses.npz"), arrays)


def write_subject_files(folder: Path, performer: Performer) -> None:
    """Write the files beside the clips: `shape.npz`, and `SEX_stagei.npz` where a clip is of the new release."""
    here = subject_folder(folder, performer.subject)
    _write_npz(here / "shape.npz", {"gender": performer.gender_as_stored, "betas": performer.betas})
    if performer.new_release_clips:
        arrays = {
            "gender": np.array(performer.sex),
            "surface_model_type": np.array("smplh"),
            "markers_latent": np.zeros((0, 3)),
            "latent_labels": np.array([], dtype="U4"),
            "betas": performer.betas,
        }
        _write_npz(here / f"{performer.sex}_stagei.npz", arrays)


def _new_release(
    performer: Performer, poses: NDArray[np.float64], translation_m: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        "gender": np.array(performer.sex),
        "surface_model_type": np.array("smplh"),
        "mocap_frame_rate": np.array(performer.rate_hz),
        "mocap_time_length": np.array(len(poses) / performer.rate_hz),
        "trans": translation_m,
        "poses": poses,
        "betas": performer.betas,
        "num_betas": np.array(16),
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:66],
        "pose_hand": poses[:, 66:],
    }


def _write_npz(path: Path, arrays: dict[str, Any]) -> Path:
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)
    return path
