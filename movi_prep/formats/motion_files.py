"""Motion of a body from AMASS, 3DPW, EMDB or the results of a network; the content of a file decides which.

AMASS (.npz with `poses` and `trans`) is read in blocks, the others as a whole. AMASS has z up; in the others the up
axis is given, or found from the poses. Results of networks do not hold their rate: the caller gives it.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.footage import NO_CHOICE, MotionChoice
from movi_prep.errors import InputError
from movi_prep.formats import amass
from movi_prep.formats.amass import MotionFile, SubjectShape
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.pose_results import PosedPerson, read_posed_persons
from movi_prep.geometry.up_axis import find_up, turn_up_to_z
from movi_prep.records.body_layout import LAYOUT_OF_JOINTS, LAYOUTS, N_BODY_JOINTS, SMPLX
from movi_prep.records.checks import frozen_array
from movi_prep.records.motion import Motion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import UpAxis


class WholeMotion:
    """A motion that is in memory as a whole, with the attributes and methods of a `MotionFile`."""

    def __init__(self, motion: Motion, path: Path, findings: tuple[str, ...]) -> None:
        """Keep the motion of a file, and findings for people."""
        self._motion = motion
        self.path = path
        self.findings = findings
        self.n_samples, self.rate_hz = motion.n_samples, motion.rate_hz
        self.shape = SubjectShape(betas=motion.betas, sex=motion.sex, body=motion.body)
        self.dmpl_gap: str | None = "files of this kind have no soft tissue"

    def blocks(
        self, n_rows: int, *, every: int = 1, watch: Callable[[Motion], None] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Motion]]:
        """Yield the motion as `MotionFile.blocks` does."""
        size = n_rows * every
        for first in range(0, self.n_samples, size):
            after = min(first + size, self.n_samples)
            if watch is not None:
                # All samples of the block, as `MotionFile` shows them: thinned rows could hide a jump.
                watch(self._motion.rows(slice(first, after)))
            yield np.arange(first, after, every), self._motion.rows(slice(first, after, every))


@contextmanager
def open_motion(
    path: Path,
    choice: MotionChoice = NO_CHOICE,
    *,
    rate_hz: float | None = None,
    up: UpAxis | None = None,
) -> Iterator[MotionFile | WholeMotion]:
    """Open the motion of one person of a file.

    Args:
        path: the file.
        choice: which person of it, and what is said of their body.
        rate_hz: frames per second where neither file nor choice says; AMASS, 3DPW and EMDB do.
        up: which axis of the file's world is up; None to find it. AMASS has z up.

    Raises:
        MissingError: there is no such file.
        InputError: it is damaged, lacks an array, is not what was said of it, or nothing gives the rate.
    """
    if is_amass(path):
        with amass.open_motion(path, sex=choice.sex) as file:
            _check_amass(file.shape, choice, path)
            yield file
        return
    posed, shape = _person(path, choice)
    # The file's rate goes before the others: a setting holds for a whole folder of mixed files.
    rate = posed.rate_hz or choice.motion_rate_hz or rate_hz
    if rate is None:
        raise InputError(
            path,
            expected="a rate, which results of networks do not hold",
            got="none",
            remedy="say how many frames a second the motion has: motion_rate_hz in a manifest, or "
            "--set markers.motion_rate_hz=30 for that of the usual video",
        )
    axis, cosine = (up, 1.0) if up is not None else find_up(posed.poses_rad[:, 0], where=str(path))
    found = () if up is not None else (f"{path.name}: {axis} is up; the trunk points along it (cosine {cosine:.2f})",)
    motion = Motion(
        poses_rad=_with_hands_at_rest(posed.poses_rad, LAYOUTS[shape.body].n_joints),
        translation_m=posed.translation_m,
        betas=posed.betas,
        dmpls=None,
        sex=shape.sex,
        rate_hz=rate,
        source=str(path),
        to_amass_world=turn_up_to_z(axis),
    )
    yield WholeMotion(motion, path, (*posed.findings, *found))


def read_subject_shape(path: Path, choice: MotionChoice = NO_CHOICE) -> SubjectShape:
    """Return betas, sex and body of a person of a file; raise as `open_motion` does.

    A plan asks for the shape of each of thousands of clips twice: it is read again only where the file has changed.
    """
    return _cached_shape(path, choice, file_stamp(path))


@lru_cache(maxsize=32_768)
def _cached_shape(path: Path, choice: MotionChoice, stamp: FileStamp) -> SubjectShape:  # noqa: ARG001 - part of the key
    if not is_amass(path):
        return _person(path, choice)[1]
    shape = amass.read_subject_shape(path, sex=choice.sex)
    _check_amass(shape, choice, path)
    return shape


def is_amass(path: Path) -> bool:
    """Return whether a file is of AMASS (a clip, or `shape.npz` beside it): other archives name a root orientation.

    Raises:
        MissingError: there is no such file.
        InputError: its name ends in .npz, but it is not an archive.
    """
    if path.suffix.lower() != ".npz":
        return False
    with NpzArchive(path) as archive:
        return not {"global_orient", "root_orient"} & set(archive.names) or "poses" in archive


def _person(path: Path, choice: MotionChoice) -> tuple[PosedPerson, SubjectShape]:
    persons = read_posed_persons(path)
    if choice.person >= len(persons):
        raise InputError(
            path,
            expected=f"a person from 0 to {len(persons) - 1}",
            got=f"{choice.person}",
            remedy="name one that is there",
        )
    posed = persons[choice.person]
    n_joints = posed.poses_rad.shape[1]
    # Networks that write 22 joints fit SMPL-X, unless somebody says otherwise.
    body = (choice.body or SMPLX.name) if n_joints == N_BODY_JOINTS else LAYOUT_OF_JOINTS[n_joints].name
    # Networks fit neutral models, and do not say so.
    sex = posed.sex or choice.sex
    shape = SubjectShape(betas=posed.betas, sex=sex or "neutral", body=body, sex_is_known=sex is not None)
    _check_said(shape, choice, path)
    return posed, shape


def _check_amass(shape: SubjectShape, choice: MotionChoice, path: Path) -> None:
    """Raise InputError where a clip of AMASS, which holds one person, is not what was said of it."""
    if choice.person:
        raise InputError(
            path, expected="person 0, the only one of the file", got=f"{choice.person}", remedy="correct `person`"
        )
    _check_said(shape, choice, path)


def _check_said(shape: SubjectShape, choice: MotionChoice, path: Path) -> None:
    """Raise InputError where a file shows another body or sex than was said: betas of one mean nothing to another."""
    for what, stated, said in (("body", shape.body, choice.body), ("sex", shape.sex, choice.sex)):
        if said not in (None, stated):
            raise InputError(
                path, expected=f"{what} {said}, as the manifest says", got=stated, remedy=f"correct `{what}` there"
            )


def _with_hands_at_rest(poses_rad: NDArray[np.float64], n_joints: int) -> NDArray[np.float64]:
    """Return (n, n_joints, 3) of (n, j, 3) axis-angle; zero angles are the rest pose of jaw, eyes and hands."""
    rest = np.zeros((len(poses_rad), n_joints - poses_rad.shape[1], 3))
    return frozen_array(np.concatenate([poses_rad, rest], axis=1))
