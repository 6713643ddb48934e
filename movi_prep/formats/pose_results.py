"""Body poses as other data sets and networks write them: pickles, also of Python 2 or joblib, .pt files and .npz.

| kind | arrays of one person of n frames | persons | rate |
|---|---|---|---|
| 3DPW | `poses` (n, 72), `trans` (n, 3), `betas` (b,), `genders` m or f | lists of these | 30 Hz |
| EMDB | `smpl`: `poses_root` (n, 3), `poses_body` (n, 69), `trans` (n, 3), `betas` (b,); `gender` | one | 30 Hz |
| results | `global_orient`, `body_pose` or `pose` (n, 72); `betas` (b,) or (n, b); `transl` | one, or by name | asked |
| WHAM | `pose_world` (n, 72), `trans_world`, `betas`, `frame_ids` (n,); `pose`, `trans` unread | by number | asked |
| GVHMR | `smpl_params_global`: as results, `body_pose` (n, 63); `smpl_params_incam` unread | one | asked |

Poses are axis-angle, or matrices (..., 3, 3). 69 values of `body_pose` (23 joints) are SMPL; 63 (21 joints) leave the
body open, and its hands at rest. Betas that change from frame to frame are taken at their median. Results may name
the sex of their body model as `gender`; most do not. Which way is up is no part of these files: see `geometry.up_axis`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.array_pickle import load_array_pickle, take_apart
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.joblib_pickle import is_joblib, load_joblib
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import check_real, reading
from movi_prep.formats.torch_file import load_torch
from movi_prep.geometry.rotations import axis_angles_from_matrices
from movi_prep.records.body_layout import LAYOUT_OF_JOINTS, N_BODY_JOINTS
from movi_prep.records.checks import check_finite, check_rotations, check_shape, frozen_array

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.file_stamp import FileStamp
    from movi_prep.records.motion import Sex

DATA_SET_RATE_HZ = 30.0
"""Frames per second of 3DPW and EMDB."""

# Names of smplx first, then those of VPoser and its relatives.
_ROOT, _BODY, _PLACE = ("global_orient", "root_orient"), ("body_pose", "pose_body"), ("transl", "trans")
_SEXES: dict[str, Sex] = {"m": "male", "f": "female", "male": "male", "female": "female", "neutral": "neutral"}
TORCH_SUFFIXES = (".pt", ".pth")
"""Files of `torch.save`."""

_STEADY_BETAS = 0.05
"""Standard deviation of a beta over a clip; smaller ones are not reported."""

_REMEDY = "see which arrays it holds, and write global_orient, body_pose, betas and transl as .npz"


@dataclass(frozen=True)
class PosedPerson:
    """One person of a file.

    Attributes:
        poses_rad: (n, j, 3) float64 axis-angle, of SMPL (24 joints), SMPL+H (52), SMPL-X (55), or what these have in
            common (22).
        translation_m: (n, 3) float64, metres, in the file's world.
        betas: (b,) float64.
        sex: of the body model that was fitted, None where the file does not say.
        rate_hz: frames per second, None where the file does not say.
        findings: sentences for people.
    """

    poses_rad: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    betas: NDArray[np.float64]
    sex: Sex | None
    rate_hz: float | None
    findings: tuple[str, ...]


def read_posed_persons(path: Path) -> tuple[PosedPerson, ...]:
    """Return all persons of a file, in its order.

    Raises:
        MissingError: there is no such file.
        InputError: it is damaged, or holds no poses that are known here.
    """
    return _cached_persons(path, file_stamp(path))


# The stamp is part of the key: a file that changed is read again. One file serves its motion, shape and camera.
@lru_cache(maxsize=4)
def _cached_persons(path: Path, stamp: FileStamp) -> tuple[PosedPerson, ...]:  # noqa: ARG001 - part of the key
    if path.suffix.lower() == ".npz":
        with NpzArchive(path) as archive, reading(path, expected="poses of a body"):
            names = (*_ROOT, *_BODY, *_PLACE, "pose", "betas", "gender")
            return _persons({name: archive.read(name) for name in names if name in archive}, path)
    return take_apart(path, lambda content: _loaded(content, path), lambda value: _persons(value, path), remedy=_REMEDY)


def _loaded(content: bytes, path: Path) -> Any:
    """Return the content of a pickle, of a file of joblib or of torch."""
    remedy = how_to_convert(path)
    if path.suffix.lower() in TORCH_SUFFIXES:
        return load_torch(content, where=str(path), remedy=remedy)
    load = load_joblib if is_joblib(content) else load_array_pickle
    return load(content, where=str(path), remedy=remedy)


def how_to_convert(path: Path) -> str:
    """Return the lines that write poses as .npz, where the packages that wrote the file are installed."""
    name, suffix = path.name, path.suffix.lower()
    if suffix == ".npy":
        # TRAM writes each person as a dictionary in a .npy.
        read = f"import numpy as np; r = np.load({name!r}, allow_pickle=True).item()"
        arrays = "pose=r['pred_rotmat'], betas=r['pred_shape'], transl=r['pred_trans'].reshape(-1, 3)"
    else:
        package, more = ("torch", ", map_location='cpu'") if suffix in TORCH_SUFFIXES else ("joblib", "")
        read = f"import {package}, numpy as np; r = {package}.load({name!r}{more})"
        arrays = "**{k: np.asarray(r[k]) for k in ('global_orient', 'body_pose', 'betas', 'transl')}"
    return (
        f"convert it where its packages are installed, in Python: {read}; np.savez({path.stem + '.npz'!r}, {arrays}), "
        "with r the dictionary of one person"
    )


def _refuse_frame_by_frame(content: Mapping[Any, Any], path: Path) -> None:
    """Raise InputError for what PHALP and 4D-Humans write: people by frame, with numbers of tracks."""
    if content and all(isinstance(frame, dict) and {"tid", "smpl"} <= frame.keys() for frame in content.values()):
        raise InputError(
            path,
            expected="poses of one person after the other",
            got="the people of one frame after the other (PHALP, 4D-Humans)",
            remedy="write each track as a file, in Python: import joblib, numpy as np; "
            f"f = joblib.load({path.name!r}); "
            "track = [v['smpl'][list(v['tid']).index(1)] for v in f.values() if 1 in v['tid']]; "
            "np.savez('track_1.npz', **{k: np.array([row[k] for row in track]) "
            "for k in ('global_orient', 'body_pose', 'betas')})",
        )


def _persons(content: Any, path: Path) -> tuple[PosedPerson, ...]:
    if not isinstance(content, dict):
        raise InputError(path, expected="a dictionary of poses", got=f"a {type(content).__name__}", remedy=_REMEDY)
    if {"poses", "trans", "genders"} <= content.keys():
        # strict: a person without betas would drop the persons after it.
        columns = zip(content["poses"], content["trans"], content["betas"], content["genders"], strict=True)
        return tuple(
            _person({"pose": poses, "trans": trans, "betas": betas}, f"{path}: person {k}", sex, DATA_SET_RATE_HZ)
            for k, (poses, trans, betas, sex) in enumerate(columns)
        )
    if isinstance(content.get("smpl"), dict):
        smpl = content["smpl"]
        poses = np.hstack([_rows(smpl, "poses_root", path), _rows(smpl, "poses_body", path)])
        return (_person({**smpl, "pose": poses}, str(path), content.get("gender"), DATA_SET_RATE_HZ),)
    _refuse_frame_by_frame(content, path)
    # GVHMR's other poses are those of the same person, seen from the camera.
    if isinstance(content.get("smpl_params_global"), dict):
        content = content["smpl_params_global"]
    inner = [value for value in content.values() if isinstance(value, dict) and _is_person(value)]
    # A file of one person holds the arrays at its top; results by name hold a dict for each track.
    people = [content] if _is_person(content) else inner
    if not people:
        raise InputError(
            path,
            expected="poses as 3DPW, EMDB or a network writes them",
            got=f"only {list_names(map(str, content))}",
            remedy=_REMEDY,
        )
    return tuple(_of_network(each, f"{path}: person {k}") for k, each in enumerate(people))


def _of_network(values: Mapping[str, Any], where: str) -> PosedPerson:
    """Return one person of a network's results, in the world where they have one."""
    if {"pose_world", "trans_world"} <= values.keys():
        values = {**values, "pose": values["pose_world"], "trans": values["trans_world"]}
    person = _person(values, where, _sex_of(values), None)
    frames = values.get("frame_ids")
    return person if frames is None else _in_frames(person, np.asarray(frames), where)


def _in_frames(person: PosedPerson, frames: NDArray[Any], where: str) -> PosedPerson:
    """Return a person who was seen in these frames of the video; raise InputError where some between are missing."""
    check_shape(frames, (len(person.poses_rad),), what="frame_ids", where=where)
    gaps = np.flatnonzero(np.diff(frames) != 1)
    if len(gaps):
        # Poses would move up in time, and away from their pictures.
        raise InputError(
            f"{where}: frame_ids",
            expected="a pose for each frame, one after the other",
            got=f"{len(gaps)} gaps, the first after frame {frames[gaps[0]]}",
            remedy="fill the gaps, or write the parts between them as files of their own",
        )
    if not frames[0]:
        return person
    said = f"{where} begins in frame {frames[0]} of the video: say first_frame: {frames[0]} in the manifest"
    return replace(person, findings=(*person.findings, said))


def _sex_of(values: Mapping[Any, Any]) -> Any:
    """Return the sex in a result, None where it has none; npz holds text as an array."""
    sex = values.get("gender")
    sex = sex.item() if isinstance(sex, np.ndarray) and sex.size == 1 else sex
    return sex.decode("latin-1") if isinstance(sex, bytes) else sex


def _is_person(values: Mapping[Any, Any]) -> bool:
    return "betas" in values and ("pose" in values or any(name in values for name in _BODY))


def _person(values: Mapping[str, Any], where: str, sex: Any, rate_hz: float | None) -> PosedPerson:
    """Return one person, checked; raise InputError where arrays are missing or disagree."""
    if sex is not None and sex not in _SEXES:
        raise InputError(f"{where}: gender", expected=list_names(_SEXES), got=f"{sex!r}", remedy="correct it")
    poses = _all_joints(values, where)
    betas, findings = _betas(values, where)
    place = next((name for name in _PLACE if name in values), None)
    translation = np.zeros((len(poses), 3)) if place is None else _rows(values, place, where)
    if place is None:
        findings += (f"{where} has no translation: the pelvis stays at the origin",)
    if translation.shape != (len(poses), 3):
        raise InputError(
            f"{where}: {place}", expected=f"shape ({len(poses)}, 3)", got=f"{translation.shape}", remedy=_REMEDY
        )
    return PosedPerson(poses, frozen_array(translation), betas, sex and _SEXES[sex], rate_hz, findings)


def _all_joints(values: Mapping[str, Any], where: str) -> NDArray[np.float64]:
    """Return (n, j, 3) axis-angle of all joints of a body, or of those that all bodies have."""
    if "pose" in values:
        joints = _axis_angle(values, "pose", where)
    else:
        # The first name stands for a missing part, so that the error names it.
        parts = [next((name for name in names if name in values), names[0]) for names in (_ROOT, _BODY)]
        joints = np.concatenate([_axis_angle(values, name, where) for name in parts], axis=1)
    n_joints = joints.shape[1]
    if n_joints == N_BODY_JOINTS or n_joints in LAYOUT_OF_JOINTS:
        return frozen_array(joints)
    raise InputError(
        where,
        expected="poses of 24 joints (SMPL), 52 (SMPL+H), 55 (SMPL-X), or the 22 that they have in common",
        got=f"{n_joints} joints",
        remedy=_REMEDY,
    )


def _axis_angle(values: Mapping[str, Any], name: str, where: str) -> NDArray[np.float64]:
    """Return (n, k, 3) axis-angle of k joints, from axis-angle or matrices."""
    array = _rows(values, name, where)
    if array.ndim > 2 and array.shape[-2:] == (3, 3):
        matrices = array.reshape(len(array), -1, 3, 3)
        # Before the conversion: matrices that are no rotations have an angle too, a meaningless one.
        check_rotations(matrices, what=name, where=where)
        return axis_angles_from_matrices(matrices)
    return array.reshape(len(array), -1, 3)


def _betas(values: Mapping[str, Any], where: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return (b,) betas of a person, the median where they change, and how much they vary."""
    betas = _rows(values, "betas", where)
    if betas.ndim == 1:
        return frozen_array(betas), ()
    flat = betas.reshape(-1, betas.shape[-1])
    spread = float(flat.std(axis=0).max())
    said = (
        f"{where}: betas change from frame to frame, by a standard deviation of up to {spread:.2g}; the median is used"
    )
    # The median: frames in which a network saw somebody else do not move it.
    return frozen_array(np.median(flat, axis=0)), (said,) if spread > _STEADY_BETAS else ()


def _rows(values: Mapping[str, Any], name: str, where: Path | str) -> NDArray[np.float64]:
    """Return an array of at least one row of real, finite numbers."""
    if name not in values:
        raise InputError(where, expected=f"an array {name!r}", got=f"only {list_names(values)}", remedy=_REMEDY)
    array = np.asarray(values[name])
    check_real(array.dtype, where=where, name=name, remedy=_REMEDY)
    if array.ndim == 0 or array.size == 0:
        raise InputError(f"{where}: {name}", expected="at least one value", got=f"{array.shape}", remedy=_REMEDY)
    check_finite(array, what=name, where=str(where))
    return np.asarray(array, dtype=np.float64)
