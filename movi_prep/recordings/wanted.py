"""The file names that each reader expects, for messages that say which file is missing and where to put it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.errors import MissingError

if TYPE_CHECKING:
    from movi_prep.records.body_layout import BodyName
    from movi_prep.records.recordings import ReaderName

MODEL_FILES: dict[BodyName, str] = {
    "SMPL": "SMPL_{SEX}.pkl or .npz",
    "SMPL+H": "smplh/{sex}/model.npz",
    "SMPL-X": "SMPLX_{SEX}.npz",
}
"""File name of each body model; `{sex}` and `{SEX}` are male, female or neutral."""

BODY_MODELS = "smplh/{male,female,neutral}/model.npz, SMPLX_{MALE,FEMALE,NEUTRAL}.npz or SMPL_{MALE,FEMALE,NEUTRAL}.pkl"
"""File names of all body models."""


@dataclass(frozen=True)
class Wanted:
    """Names of files; `{camera}` is the camera's name; "" if the reader has no such files."""

    motions: str
    sessions: str = ""
    videos: str = ""
    calibration: str = ""


WANTED: dict[ReaderName, Wanted] = {
    "bmlmovi": Wanted(
        motions="Subject_N_F_K_poses.npz or _stageii.npz",
        sessions="F_v3d_Subject_N.mat",
        videos="F_{camera}_Subject_N_L.avi",
        calibration="cameraParams_{camera} and Extrinsics_{camera}",
    ),
    "manifest": Wanted(
        motions="recordings with motion files",
        sessions="cameras with videos",
        videos="cameras: {camera}: video",
        calibration="cameras: {camera}: calibration",
    ),
    "amass": Wanted(motions="SUBSET/SUBJECT/NAME_poses.npz or _stageii.npz"),
    "3dpw": Wanted(motions="sequenceFiles/{train,validation,test}/NAME.pkl"),
    "emdb": Wanted(motions="P3/NAME/NAME_data.pkl"),
    "results": Wanted(motions=".npz, .pkl or .pt with global_orient, body_pose and betas"),
}


def missing_session(reader: ReaderName, subject: str) -> MissingError:
    """Return the error for a subject without a file that says where its clips are in the videos."""
    return MissingError(
        f"session of {subject}",
        expected=f"{WANTED[reader].sessions}, which says where clips begin and end in the video",
        got="none",
        remedy="unpack it below the folder of --v3d",
    )
