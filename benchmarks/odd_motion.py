"""False alarms and finds of what cannot be true of a motion: leaps, and rows that repeat the one before.

    python -m benchmarks.odd_motion [--demo DIR] [--shared ../shared] [--spoilt 400]

Real recordings, where the reference material is there: gait2354's trials, and markers on thigh, shank, shoulder blade
and arm beside bone pins or X-rays (running, throwing, punching, sitting down). `--demo` adds the embedded data. As they
are, every alarm is false; samples kept out are those that scaling from motion would not use. Then stretches of 1 to 10
rows are frozen, or 1 to 4 rows moved by half a metre, wherever the body moves at 0.3 m/s or more, and counted where the
rows are named exactly.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.trc import read_trc
from movi_prep.geometry.jumps import leaping_samples, marker_jumps
from movi_prep.geometry.repeats import row_steps, standstills

Trial = tuple[str, NDArray[np.float64], float]
"""Group, positions (n, m, 3) metres, rows per second."""

Spoilt = tuple[NDArray[np.float64], tuple[int, int]]
Find = Callable[[NDArray[np.float64], float], list[tuple[int, int]]]
LEAST_MARKERS, FASTER_M_S, LEAP_M = 3, 0.3, 0.5


def real_trials(shared: Path) -> Iterator[Trial]:
    """Yield the recordings of the reference material; none where it is absent."""
    for path in sorted((shared / "reference" / "gait2354").glob("*.trc")):
        markers = read_trc(path)
        yield "gait2354", markers.positions_m, markers.rate_hz
    for path in sorted((shared / "reference" / "soft_tissue").glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays["ids"].tolist():
                inner = np.asarray(arrays[f"{name}/markers"], dtype=np.float64)
                bone, at = arrays[f"{name}/R"], arrays[f"{name}/t"]
                if inner.shape[1] >= LEAST_MARKERS:
                    placed_mm = np.einsum("nij,nmj->nmi", bone, inner) + at[:, None]
                    yield path.stem, placed_mm / 1000.0, float(json.loads(str(arrays[f"{name}/meta"]))["rate_hz"])


def demo_trials(work: Path) -> Iterator[Trial]:
    """Yield the markers of the embedded clips."""
    for path in sorted((work / "markers").glob("S*/C*.h5")):
        markers = read_markers(path)
        yield "embedded", markers.positions_m, markers.rate_hz


def frozen_rows(positions_m: NDArray[np.float64], rate_hz: float) -> list[tuple[int, int]]:
    """Return first and last row of each run of copies."""
    return [(run.first, run.last) for run in standstills(row_steps(positions_m), rate_hz)]


def leaping_rows(positions_m: NDArray[np.float64], rate_hz: float) -> list[tuple[int, int]]:
    """Return first and last row of each leap."""
    return [(jump.first, jump.last) for jump in marker_jumps(positions_m, rate_hz)]


def freeze(positions_m: NDArray[np.float64], first: int, rng: np.random.Generator) -> Spoilt:
    """Return a copy in which 1 to 10 rows repeat the one before."""
    last, spoilt = first + int(rng.integers(0, 10)), positions_m.copy()
    spoilt[first : last + 1] = spoilt[first - 1]
    return spoilt, (first, last)


def leap(positions_m: NDArray[np.float64], first: int, rng: np.random.Generator) -> Spoilt:
    """Return a copy in which 1 to 4 rows are half a metre off."""
    last, spoilt, way = first + int(rng.integers(0, 4)), positions_m.copy(), rng.normal(size=3)
    spoilt[first : last + 1] += LEAP_M * way / np.linalg.norm(way)
    return spoilt, (first, last)


def main() -> None:
    """Print alarms on recordings as they are, and finds in spoilt ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, help="folder of a finished `movi-prep demo`")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of the reference material")
    parser.add_argument("--spoilt", type=int, default=400, help="spoilt copies of each kind")
    options = parser.parse_args()
    trials = [*real_trials(options.shared), *(demo_trials(options.demo / "work") if options.demo else ())]
    if not trials:
        parser.error(f"no reference material in {options.shared}, and no --demo")
    for group in dict.fromkeys(name for name, *_ in trials):
        own = [(rows, rate) for name, rows, rate in trials if name == group]
        leaps, frozen = (sum(len(find(rows, rate)) for rows, rate in own) for find in (leaping_rows, frozen_rows))
        n_rows = sum(len(rows) for rows, _ in own)
        kept_out = sum(int(leaping_samples(rows, rate).sum()) for rows, rate in own)
        print(
            f"{group}: {len(own)} trials, {n_rows} rows: {leaps} leap and {frozen} repeat as they are; "
            f"{kept_out} samples kept out"
        )
    rng = np.random.default_rng(0)
    for what, spoil, find in (("frozen", freeze, frozen_rows), ("leaping", leap, leaping_rows)):
        found = [_is_found(trials, spoil, find, rng) for _ in range(options.spoilt)]
        print(f"{what}: {sum(found)} of {len(found)} named to the row")


def _is_found(
    trials: list[Trial],
    spoil: Callable[[NDArray[np.float64], int, np.random.Generator], Spoilt],
    find: Find,
    rng: np.random.Generator,
) -> bool:
    """Spoil a trial somewhere, and return whether exactly these rows are named."""
    while True:
        _, rows, rate_hz = trials[int(rng.integers(len(trials)))]
        fast = np.flatnonzero(row_steps(rows) * rate_hz > FASTER_M_S)
        # Room for the longest fault and for the rows before and after that a leap is judged by.
        fast = fast[(fast >= 2) & (fast < len(rows) - 12)]
        # Neither search looks at gaps.
        whole = [row for row in fast.tolist() if np.isfinite(rows[row - 1 : row + 11]).all()]
        if whole:
            spoilt, where = spoil(rows, whole[int(rng.integers(len(whole)))], rng)
            return where in find(spoilt, rate_hz)


if __name__ == "__main__":
    main()
