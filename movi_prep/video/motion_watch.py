"""The comparison of changes in a video with the motion of the projected body, during the pass that decodes it
anyway.

Every third frame is reduced to the mean grey values of its cells, from one row of pixels in eight, and compared with
the third before it. A block of such pairs is correlated with what the body of the same clip does at every lag
within a quarter of a second, and with its motion before other cameras; then only sums remain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from movi_prep.geometry.picture_motion import (
    CELL_PX,
    FULL,
    STEP_FRAMES,
    Correlation,
    body_cells,
    find_peak,
    grid_of,
    observed_change,
    predicted_change,
)
from movi_prep.records.picture_check import PictureAgreement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.identity import ClipId

MAX_LAG_FRAMES = 8
"""Largest lag that is searched, video frames."""

MAX_OFFSET_CELLS = 6
"""Largest offset that is searched, cells."""

LEAST_MOVING_PAIRS = 10
"""Least number of pairs of frames with visible motion for a judgement."""

LEAST_GAIN = 0.03
"""Least rise of the agreement above that at the largest lags; below it, the lag is unknown."""

_OFFSET_EVERY = 4
"""Only every fourth pair gives an offset, because the Fourier transform takes more time than everything else."""

_PAIRS_AT_ONCE = 32

_MOVING_LEVEL, _MOVING_CELLS = FULL // 4, 6
"""A body moves visibly where at least six cells (a forearm) move by a quarter of a cell."""

_LAGS = np.arange(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)


@dataclass(frozen=True)
class ClipBody:
    """The body of one clip as cameras would see it.

    Attributes:
        clip: which clip.
        video_frames: (n,) int64, increasing.
        body_px: (n, v, 2) float32, points of the body in the image, pixels; NaN where not seen.
        others: camera -> the same before that camera.
    """

    clip: ClipId
    video_frames: NDArray[np.int64]
    body_px: NDArray[np.float32]
    others: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class MotionWatch:
    """A watch that takes frames in the order of the video and measures their agreement with the body of each clip."""

    def __init__(self, clips: Sequence[ClipBody], size_px: tuple[int, int]) -> None:
        """Watch clips in a video of this width and height; clips may overlap."""
        self._grid = grid_of(size_px)
        self._clips = [_ClipWatch(clip, self._grid) for clip in clips]
        self._recent: dict[int, NDArray[np.float32]] = {}

    def __call__(self, number: int, image: NDArray[np.uint8]) -> None:
        """Take the next frame, (height, width, 3) uint8, under its number.

        Only every third is used: that still resolves lags to a fraction of a frame.
        """
        if number % STEP_FRAMES or not self._clips:
            return
        watching = [clip for clip in self._clips if clip.shows(number - STEP_FRAMES)]
        before, small = self._recent.get(number - STEP_FRAMES), small_picture(image, self._grid)
        # Only the last one is needed: the next third frame is compared with it.
        self._recent = {number: small}
        if before is not None and watching:
            change = observed_change(before, small)
            for clip in watching:
                clip.take(number - STEP_FRAMES, change)

    def results(self) -> tuple[PictureAgreement, ...]:
        """Return the measurements, clip by clip."""
        return tuple(clip.result() for clip in self._clips)


def small_picture(image: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Return (rows, columns) float32, mean grey value of the middle row of pixels of each cell."""
    rows, columns = grid
    # One row of pixels in eight: the mean of a cell needs no more, and the pass no other memory.
    lines = np.ascontiguousarray(image[CELL_PX // 2 :: CELL_PX, : columns * CELL_PX][:rows])
    sums = cv2.reduce(lines.reshape(rows * columns, -1), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return np.asarray(sums, dtype=np.float32).reshape(grid) / np.float32(lines.size // (rows * columns))


class _ClipWatch:
    """Sums of one clip."""

    def __init__(self, body: ClipBody, grid: tuple[int, int]) -> None:
        self._body, self._grid = body, grid
        self._first = int(body.video_frames[0]) if len(body.video_frames) else 0
        n_frames = int(body.video_frames[-1]) - self._first + 1 if len(body.video_frames) else 0
        # Rows by frame, with room on both sides for every lag; -1 where the clip has no row.
        self._row_of = np.full(n_frames + STEP_FRAMES + 2 * MAX_LAG_FRAMES, -1, dtype=np.int64)
        self._row_of[body.video_frames - self._first + MAX_LAG_FRAMES] = np.arange(len(body.video_frames))
        self._pending: list[tuple[int, NDArray[np.uint8]]] = []
        self._by_lag = Correlation.empty(_LAGS.shape)
        self._by_camera = Correlation.empty((len(body.others),))
        # Half of the columns: the spectrum of a real map is symmetric.
        self._spectrum = np.zeros((grid[0], grid[1] // 2 + 1), dtype=np.complex128)
        self._on_body, self._covered = 0.0, 0
        self._n_pairs, self._n_moving = 0, 0

    def shows(self, frame: int) -> bool:
        """Return whether the clip has a row for this frame and for the one that it is compared with."""
        place = frame - self._first + MAX_LAG_FRAMES
        if not 0 <= place < len(self._row_of) - STEP_FRAMES:
            return False
        return bool(self._row_of[place] >= 0 and self._row_of[place + STEP_FRAMES] >= 0)

    def take(self, frame: int, change: NDArray[np.uint8]) -> None:
        """Take what changed between a frame and the one `STEP_FRAMES` later."""
        self._pending.append((frame, change))
        if len(self._pending) == _PAIRS_AT_ONCE:
            self._flush()

    def result(self) -> PictureAgreement:
        """Return the measurement."""
        self._flush()
        clip = self._body.clip
        if self._n_moving < LEAST_MOVING_PAIRS:
            reason = (
                f"the body moves visibly in {self._n_moving} of {self._n_pairs} compared pairs of frames, "
                f"at least {LEAST_MOVING_PAIRS} are needed"
            )
            return PictureAgreement(clip, n_pairs=self._n_pairs, not_judged=reason)
        # The middle of the lags is lag 0.
        by_chance = self._covered / float(self._by_lag.count[MAX_LAG_FRAMES])
        by_lag, changed = self._by_lag.coefficients(), float(self._by_lag.x[MAX_LAG_FRAMES])
        if not np.isfinite(by_lag).all():
            # Nothing at all changes: then the picture agrees with no motion.
            return PictureAgreement(
                clip, self._n_pairs, agreement=0.0, gain=0.0, lag_agreement=0.0, by_chance=by_chance
            )
        peak = find_peak(by_lag)
        # The agreement at the largest lags is that of chance and of the background.
        gain = peak.value - 0.5 * float(by_lag[0] + by_lag[-1])
        return PictureAgreement(
            clip,
            n_pairs=self._n_pairs,
            agreement=float(by_lag[MAX_LAG_FRAMES]),
            gain=gain,
            lag_frames=float(peak.place[0]) - MAX_LAG_FRAMES if gain >= LEAST_GAIN else None,
            lag_at_edge=peak.at_edge,
            lag_agreement=peak.value,
            offset_px=self._offset_px(),
            on_body=self._on_body / changed,
            by_chance=by_chance,
            others=dict(zip(self._body.others, np.nan_to_num(self._by_camera.coefficients()).tolist(), strict=True)),
        )

    def _flush(self) -> None:
        if not self._pending:
            return
        frames = np.array([frame for frame, _ in self._pending])
        changes = np.stack([change for _, change in self._pending])
        self._pending = []
        flat = changes.reshape(len(frames), -1).astype(np.float32)
        now = frames - self._first + MAX_LAG_FRAMES
        predicted = self._add_lags(now, flat)
        self._n_pairs += len(frames)
        self._n_moving += int(((predicted >= _MOVING_LEVEL).sum(axis=1) >= _MOVING_CELLS).sum())
        self._add_body(now, flat)
        self._add_cameras(now, flat)
        chosen = slice(None, None, _OFFSET_EVERY)
        self._add_offsets(flat[chosen], predicted[chosen])

    def _add_lags(self, now: NDArray[np.int64], flat: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Add the correlation of a block of changes with the body's motion at every lag; return that at lag 0."""
        first = int(now[0]) - MAX_LAG_FRAMES
        place = np.arange(first, int(now[-1]) + MAX_LAG_FRAMES + 1)
        known = (self._row_of[place] >= 0) & (self._row_of[place + STEP_FRAMES] >= 0)
        maps = np.zeros((len(place), flat.shape[1]), dtype=np.uint8)
        maps[known] = self._predict(self._body.body_px, place[known])
        # Most cells are never near the body; products with them are nothing.
        near = maps.any(axis=0)
        body = maps[:, near].astype(np.float32)
        # A picture that is late by a lag shows the body that many frames earlier.
        column = now[:, None] - _LAGS - first
        counts = known[column].astype(np.float64)
        self._by_lag.add(
            count=counts * flat.shape[1],
            x=counts * flat.sum(axis=1)[:, None],
            xx=counts * _squares(flat)[:, None],
            y=body.sum(axis=1)[column],
            yy=_squares(body)[column],
            xy=np.take_along_axis(flat[:, near] @ body.T, column, axis=1),
        )
        return maps[now - first]

    def _add_cameras(self, now: NDArray[np.int64], flat: NDArray[np.float32]) -> None:
        if not self._body.others:
            return
        ones = np.ones((len(flat), len(self._body.others)))
        maps = [self._predict(pixels, now).astype(np.float32) for pixels in self._body.others.values()]
        self._by_camera.add(
            count=ones * flat.shape[1],
            x=ones * flat.sum(axis=1)[:, None],
            xx=ones * _squares(flat)[:, None],
            y=np.stack([one.sum(axis=1) for one in maps], axis=1),
            yy=np.stack([_squares(one) for one in maps], axis=1),
            xy=np.stack([np.einsum("ij,ij->i", flat, one) for one in maps], axis=1),
        )

    def _add_body(self, now: NDArray[np.int64], flat: NDArray[np.float32]) -> None:
        pixels = self._body.body_px
        before, after = pixels[self._row_of[now]], pixels[self._row_of[now + STEP_FRAMES]]
        cells = body_cells(before, after, self._grid).reshape(flat.shape)
        self._on_body += float(flat[cells].sum())
        self._covered += int(cells.sum())

    def _add_offsets(self, flat: NDArray[np.float32], maps: NDArray[np.uint8]) -> None:
        seen, expected = (np.fft.rfft2(part.reshape(-1, *self._grid)) for part in (flat, maps.astype(np.float32)))
        # The cross-correlation theorem: sums of spectra of all pairs, one inverse transform at the end.
        self._spectrum += (seen * expected.conj()).sum(axis=0)

    def _offset_px(self) -> tuple[float, float] | None:
        """Return how far the picture lies right of, and below, the body; None where the best place is at the edge."""
        shared = np.fft.irfft2(self._spectrum, s=self._grid)
        reach = np.arange(-MAX_OFFSET_CELLS, MAX_OFFSET_CELLS + 1)
        # Negative offsets lie at the end of the axis, as the transform is periodic.
        peak = find_peak(shared[np.ix_(reach % self._grid[0], reach % self._grid[1])])
        down, right = (peak.place - MAX_OFFSET_CELLS) * CELL_PX
        return None if peak.at_edge else (float(right), float(down))

    def _predict(self, pixels: NDArray[np.float32], place: NDArray[np.int64]) -> NDArray[np.uint8]:
        before, after = pixels[self._row_of[place]], pixels[self._row_of[place + STEP_FRAMES]]
        return predicted_change(before, after, self._grid).reshape(len(place), -1)


def _squares(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ij,ij->i", maps, maps))
