"""AMASS clips, old and new release: motion of SMPL+H, SMPL-X or, as others write it in the same way, SMPL.

| array | old release `*_poses.npz` | new release `*_stageii.npz` | unit |
|---|---|---|---|
| `poses` | (n, 156): root 3, body 63, hands 90 | the same, or (n, 165) with jaw 3, eyes 6 before the hands | rad |
| `trans` | (n, 3), z up | the same | m |
| `betas` | (16,) | (16,), sometimes (10,) | 1 |
| `gender` | 0-d str or bytes | the same | |
| `mocap_framerate` | 0-d, 120 or 120.00004578 | named `mocap_frame_rate` | Hz |
| `dmpls` | (n, 8) | usually absent; some exporters sliced the wrong axis and wrote (8, k) | 1 |
| `surface_model_type` | absent | 'smplh' or 'smplx' | |

Poses are axis-angle; those of 72 values are SMPL's. Their width says which body it is; `surface_model_type` must agree.
Everything else in a file (`marker_data`, `latent_labels`, ...) is passed over unread. `shape.npz` and `*_stagei.npz`
beside the clips hold no motion. Public descriptions: github.com/nghorbani/amass, github.com/nghorbani/moshpp.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import reading
from movi_prep.records.body_layout import LAYOUTS, BodyLayout, BodyName
from movi_prep.records.checks import check_finite, frozen_array
from movi_prep.records.motion import N_DMPLS, Motion, Sex, check_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_LONGEST_TEXT_BYTES = 4096
"""Room for a gender or the name of a body model, several times over."""

_CLIP = "a clip of motion of SMPL, SMPL+H or SMPL-X"
_RATE_NAMES = ("mocap_framerate", "mocap_frame_rate")
# SMPL has 72 values a sample, SMPL+H 156, SMPL-X 165: the width is the only sign of the body that
# all files carry.
_WIDTHS = {3 * layout.n_joints: layout for layout in LAYOUTS.values()}

_MOST_BETAS = 300
"""Shape directions of the largest body models."""


@dataclass(frozen=True)
class SubjectShape:
    """The shape of a clip's body: enough to choose a body model and to shape it.

    Attributes:
        betas: (b,) float64 shape coefficients.
        sex: which body model they belong to.
        body: which body they shape.
        sex_is_known: whether the file or a person says the sex; neutral is assumed otherwise.
    """

    betas: NDArray[np.float64]
    sex: Sex
    body: BodyName = "SMPL+H"
    sex_is_known: bool = True


class MotionFile:
    """An open clip: its head is read and checked, its samples come in blocks.

    Attributes:
        path: the file.
        n_samples: mocap samples in it.
        rate_hz: samples per second, as stored.
        shape: betas and sex.
        dmpl_gap: why there are no soft-tissue coefficients, or None where there are.
        findings: sentences on the file for people.
    """

    findings: tuple[str, ...] = ()

    def __init__(self, archive: NpzArchive, *, sex: Sex | None = None) -> None:
        """Read and check everything but the samples; `sex` stands in for one that the file does not state."""
        self._archive = archive
        self.path = archive.path
        with reading(self.path, expected=_CLIP):
            self._layout = _read_layout(archive)
            self.n_samples = _checked_length(archive)
            self.rate_hz = _read_rate(archive)
            # Here, too: `check` reads no sample, and divides by the rate.
            check_rate(self.rate_hz, where=str(self.path))
            self.shape = _read_shape(archive, self._layout, sex)
            self.dmpl_gap = _dmpl_gap(archive, self.n_samples)

    def blocks(
        self, n_rows: int, *, every: int = 1, watch: Callable[[Motion], None] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Motion]]:
        """Yield the clip in blocks of at most `n_rows` rows: (k,) numbers of samples, and the motion at them.

        Args:
            n_rows: rows per block, at least 1.
            every: take each `every`-th sample, from the first; all samples are checked nevertheless.
            watch: sees all samples of each block, before it is thinned.
        """
        # Blocks are cut in samples, so that the first row of each is a multiple of `every`.
        size = n_rows * every
        names = ("poses", "trans") if self.dmpl_gap else ("poses", "trans", "dmpls")
        # strict: arrays of unequal length would otherwise lose their last block without a word.
        parts = zip(*(self._archive.blocks(name, size) for name in names), strict=True)
        for index, values in enumerate(parts):
            first = index * size
            # Checked before it is thinned: a sample that nobody reads may still show that the file is damaged.
            block = self._motion(dict(zip(names, values, strict=True)))
            if watch is not None:
                watch(block)
            samples = np.arange(first, first + block.n_samples, every)
            yield samples, block.rows(slice(None, None, every))

    def _motion(self, values: dict[str, NDArray[Any]]) -> Motion:
        """Return one block as a record, through the one constructor that checks."""
        poses = np.asarray(values["poses"], dtype=np.float64)
        dmpls = values.get("dmpls")
        return Motion(
            poses_rad=poses.reshape(len(poses), self._layout.n_joints, 3),
            translation_m=np.asarray(values["trans"], dtype=np.float64),
            betas=self.shape.betas,
            dmpls=None if dmpls is None else np.asarray(dmpls, dtype=np.float64),
            sex=self.shape.sex,
            rate_hz=self.rate_hz,
            source=str(self.path),
        )


@contextmanager
def open_motion(path: Path, *, sex: Sex | None = None) -> Iterator[MotionFile]:
    """Open a clip of either release; `sex` stands in for one that the file does not state.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is damaged, lacks an array, holds another body model's motion or unusable values.
    """
    with NpzArchive(path) as archive:
        yield MotionFile(archive, sex=sex)


def read_motion(path: Path) -> Motion:
    """Read a whole clip; raise as `open_motion` does."""
    with open_motion(path) as file:
        ((_, motion),) = file.blocks(file.n_samples)
        return motion


def read_subject_shape(path: Path, *, sex: Sex | None = None) -> SubjectShape:
    """Read betas, sex and body of a clip, or of the `shape.npz` of SMPL+H beside clips; samples are not read.

    `sex` stands in for one that the file does not state.

    Raises:
        MissingError: the file does not exist.
        InputError: the file cannot be read, or its betas are of another body model.
    """
    with NpzArchive(path) as archive, reading(path, expected=_CLIP):
        # The file beside the clips has no poses; it is of the old release only, which is of SMPL+H.
        return _read_shape(archive, _read_layout(archive) if "poses" in archive else LAYOUTS["SMPL+H"], sex)


def _read_layout(archive: NpzArchive) -> BodyLayout:
    """Return the body of a clip; refuse poses that fit no known body, or another than the file states."""
    # The old release does not say which body model it means; the width of the poses does.
    shape = archive.shape("poses")
    layout = _WIDTHS.get((0, *shape)[-1]) if len(shape) == 2 else None
    stated = _text(archive, "surface_model_type").lower() if "surface_model_type" in archive else None
    if layout is not None and stated in (None, layout.surface_model_type):
        return layout
    raise InputError(
        archive.path,
        expected="poses (n, 72) of SMPL, (n, 156) of SMPL+H or (n, 165) of SMPL-X, as surface_model_type says",
        got=f"poses {shape}" + ("" if stated is None else f" and surface_model_type {stated!r}"),
        remedy="fetch the clip again, or write its poses as axis-angle of all joints",
    )


def _checked_length(archive: NpzArchive) -> int:
    """Return the number of samples; refuse clips of length zero and arrays that disagree."""
    poses, trans = archive.shape("poses"), archive.shape("trans")
    if len(poses) != 2 or trans != (poses[0], 3):
        raise InputError(
            archive.path,
            expected="poses (n, joints x 3) and trans (n, 3) of one length",
            got=f"poses {poses} and trans {trans}",
            remedy="fetch the file again or leave the clip out",
        )
    if poses[0] < 1:
        raise InputError(
            archive.path,
            expected="at least one sample",
            got="a clip of length zero",
            remedy="fetch the file again or leave the clip out",
        )
    return poses[0]


def _read_rate(archive: NpzArchive) -> float:
    for name in _RATE_NAMES:
        if name in archive:
            # As stored: 120.00004578 Hz is what the times of the samples follow from.
            return float(_number(archive, name))
    raise InputError(
        archive.path,
        expected=f"a frame rate in {_RATE_NAMES[0]!r} (old release) or {_RATE_NAMES[1]!r} (new release)",
        got=f"only {list_names(archive.names)}",
        remedy="check that this is a clip, not shape.npz or a stage-one file",
    )


def _read_shape(archive: NpzArchive, layout: BodyLayout, sex: Sex | None) -> SubjectShape:
    shape = archive.shape("betas")
    if len(shape) != 1 or not 1 <= shape[0] <= _MOST_BETAS:
        raise InputError(
            f"{archive.path}: betas",
            expected=f"shape coefficients (b,) of one body, at most {_MOST_BETAS}",
            got=f"{shape}",
            remedy="fetch the clip again; of betas that change from frame to frame, write the median",
        )
    # The shape is checked first: `numbers` would read an array of any size.
    betas = archive.numbers("betas")
    check_finite(betas, what="betas", where=str(archive.path))
    return SubjectShape(betas=frozen_array(betas), sex=_read_sex(archive, sex), body=layout.name)


def _read_sex(archive: NpzArchive, or_else: Sex | None) -> Sex:
    """Return the sex that a file states, or `or_else` where it states none."""
    if "gender" not in archive and or_else is not None:
        return or_else
    stated = _text(archive, "gender").strip().lower()
    # Compared with the names one by one, so that the type checker and the file agree on what is a
    # sex.
    for sex in get_args(Sex):
        if stated == sex:
            return sex  # type: ignore[no-any-return]
    if or_else is not None:
        return or_else
    raise InputError(
        f"{archive.path}: gender",
        expected=f"one of {list_names(get_args(Sex))}",
        got=f"{stated!r}",
        remedy="correct the field 'gender', say `sex` in a manifest, or leave the clip out",
    )


def _dmpl_gap(archive: NpzArchive, n_samples: int) -> str | None:
    """Return why soft-tissue coefficients cannot be used, None where they can; refuse shapes unknown to exporters."""
    if "dmpls" not in archive:
        return "the file has no 'dmpls'"
    shape = archive.shape("dmpls")
    if shape == (n_samples, N_DMPLS):
        return None
    if shape[:1] == (N_DMPLS,):
        # The new release's exporter cut the first 8 samples where it meant the first 8 coefficients.
        return f"'dmpls' has shape {shape}: its exporter kept {N_DMPLS} samples instead of {N_DMPLS} coefficients"
    raise InputError(
        f"{archive.path}: dmpls",
        expected=f"shape ({n_samples}, {N_DMPLS}), or no dmpls",
        got=f"shape {shape}",
        remedy="fetch the file again or leave the clip out",
    )


def _text(archive: NpzArchive, name: str) -> str:
    """Return a 0-d (or one-element) text array, stored as str or bytes."""
    value = _single(archive, name)
    # latin-1 decodes every byte: a strange gender is refused by name, not as a failure to decode.
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _number(archive: NpzArchive, name: str) -> float:
    value = _single(archive, name)
    if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
        return float(value)
    raise InputError(f"{archive.path}: {name}", expected="a finite number", got=f"{value!r}", remedy="correct it")


def _single(archive: NpzArchive, name: str) -> Any:
    header = archive.header(name)
    # The header is checked before the value is read: text of a gigabyte would fit the shape ().
    if prod(header.shape) == 1 and header.dtype.itemsize <= _LONGEST_TEXT_BYTES:
        return archive.read(name).reshape(()).item()
    raise InputError(
        f"{archive.path}: {name}",
        expected="one value",
        got=f"shape {header.shape} of {header.dtype}",
        remedy="fetch the file again",
    )
