"""Whether a clip runs at the rate that its file states: free fall and steps are clocks that do not depend on it.

While no foot touches the floor, the centre of mass falls with 9.81 m/s2. In a file that states twice the true rate it
falls four times as fast, in one that states half of it a quarter as fast: wherever there is a flight, both are far
from the truth. People walk with 1.2 to 3 steps a second. Long steps that are much faster without a flight, or much
slower, give a finding too, with less certainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GRAVITY_M_S2 = 9.80665

_MASSES = (
    # Ends of a segment (joints of every body), where its centre lies between them, its share of the mass: Winter 2009,
    # Biomechanics and Motor Control of Human Movement, table 4.1.
    (0, 12, 0.50, 0.497),
    (12, 15, 1.00, 0.081),
    *((hip, knee, 0.433, 0.100) for hip, knee in ((1, 4), (2, 5))),
    *((knee, ankle, 0.433, 0.0465) for knee, ankle in ((4, 7), (5, 8))),
    *((ankle, toes, 0.50, 0.0145) for ankle, toes in ((7, 10), (8, 11))),
    *((shoulder, elbow, 0.436, 0.028) for shoulder, elbow in ((16, 18), (17, 19))),
    *((elbow, wrist, 0.682, 0.022) for elbow, wrist in ((18, 20), (19, 21))),
)
_ANKLES, _TOES = (7, 8), (10, 11)

_OFF_FLOOR_M = 0.03
"""Least height of the lowest foot in a flight above its lowest place in the clip."""

_LEAST_DROP_M, _CLEAR_DROP_M = 0.005, 0.03
"""Least height of the arc of the centre of mass in a flight that counts, and in a flight that suffices by itself. It
does not depend on the rate."""

_MOST_RESIDUAL, _MOST_SIDEWAYS = 0.15, 0.35
"""Largest deviation of an arc from a parabola, and largest sideways acceleration, both relative to the fall."""

_SLOWEST_FALL, _FASTEST_FALL = 1 / 8, 16.0
"""Accelerations that count as a fall, in gravities: a quarter to four times, with room on both sides."""

_FEWEST_SAMPLES, _LONGEST_S = 5, 2.0
WRONG_RATIO = 2.0**0.5
"""A stated rate is wrong at this multiple of the true rate, or at one over it: half-way to twice the rate."""

_FASTEST_STEPS_HZ, _SLOWEST_STEPS_HZ = 3.3, 0.95
_LONG_STEP_M, _FEWEST_STEPS = 0.45, 3


@dataclass(frozen=True)
class RateAudit:
    """Evidence in a clip on its own rate.

    Attributes:
        n_flights: flights that were measured; a single low one does not count.
        fall_m_s2: how fast the centre of mass falls in them, m/s2, by the stated rate; NaN without a flight.
        n_steps: steps of the longest walk.
        steps_hz: steps per second by the stated rate; NaN without a walk.
        step_m: length of a step, metres.
    """

    n_flights: int
    fall_m_s2: float
    n_steps: int
    steps_hz: float
    step_m: float

    @property
    def stated_by_true(self) -> float:
        """Ratio of the stated rate to the true one, by free fall; NaN without a flight."""
        # A fall grows with the square of the rate.
        return float(np.sqrt(self.fall_m_s2 / GRAVITY_M_S2))

    def findings(self, rate_hz: float) -> tuple[str, ...]:
        """Return findings on a clip that states `rate_hz`."""
        if self.n_flights:
            ratio = self.stated_by_true
            if 1 / WRONG_RATIO <= ratio <= WRONG_RATIO:
                return ()
            return (
                f"free fall is {self.fall_m_s2:.1f} m/s2 in {self.n_flights} flights, not 9.8: the clip is probably of "
                f"{rate_hz / ratio:.0f} Hz, not {rate_hz:g} as its file says",
            )
        if self.n_steps < _FEWEST_STEPS or self.step_m < _LONG_STEP_M:
            return ()
        if _SLOWEST_STEPS_HZ <= self.steps_hz <= _FASTEST_STEPS_HZ:
            return ()
        fast = self.steps_hz > _FASTEST_STEPS_HZ
        return (
            f"{self.n_steps} steps of {self.step_m:.2f} m at {self.steps_hz:.1f} a second, without a flight: the clip "
            f"may run {'twice too fast' if fast else 'too slow by half, or is of slow motion'} at {rate_hz:g} Hz",
        )


class RateWatch:
    """A watch over the joints of a clip, block by block, that keeps what the audit needs."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._parts: list[NDArray[np.float64]] = []

    def add(self, joints_m: NDArray[np.float64]) -> None:
        """Take the next rows: (n, 22 or more, 3) metres, OpenSim ground."""
        feet = joints_m[:, [*_ANKLES, *_TOES], 1].min(axis=1)
        apart = joints_m[:, _ANKLES[0]] - joints_m[:, _ANKLES[1]]
        self._parts.append(np.column_stack([centre_of_mass(joints_m), feet, apart]))

    def audit(self, rate_hz: float) -> RateAudit:
        """Return the evidence of all rows, at `rate_hz` rows per second."""
        seen = np.concatenate(self._parts)
        centre_m, feet_m, apart_m = seen[:, :3], seen[:, 3], seen[:, 4:]
        falls = _falls(centre_m, feet_m, rate_hz)
        n_steps, steps_hz, step_m = _steps(centre_m, apart_m, rate_hz)
        # One low hop may be a foot that was lost; two of them, or one clear jump, are not.
        enough = len(falls) > 1 or any(fall.drop_m >= _CLEAR_DROP_M for fall in falls)
        median = float(np.median([fall.rate_m_s2 for fall in falls])) if enough else np.nan
        return RateAudit(len(falls) if enough else 0, median, n_steps, steps_hz, step_m)


def centre_of_mass(joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3) metres: the centre of mass of (n, 22 or more, 3) joints, by the usual masses of segments."""
    # Normalised, so that rounding in the table does not move the centre.
    total = sum(share for *_, share in _MASSES)
    return np.asarray(
        sum(
            share / total * ((1 - at) * joints_m[:, upper] + at * joints_m[:, lower])
            for upper, lower, at, share in _MASSES
        )
    )


class _Fall(NamedTuple):
    """A flight: how high the arc of the centre of mass is, and how fast it falls."""

    drop_m: float
    rate_m_s2: float


def _falls(centre_m: NDArray[np.float64], feet_m: NDArray[np.float64], rate_hz: float) -> list[_Fall]:
    """Return the flights of a clip in which the centre of mass falls freely."""
    # The second percentile: single samples below the floor are noise.
    off_floor = feet_m > np.percentile(feet_m, 2) + _OFF_FLOOR_M
    edges = np.flatnonzero(np.diff(np.concatenate([[0], off_floor.astype(np.int8), [0]])))
    falls = []
    for first, after in edges.reshape(-1, 2).tolist():
        # Cut by the ends of the clip, nobody knows what holds the body up.
        whole = first > 0 and after < len(feet_m)
        if whole and _FEWEST_SAMPLES <= after - first <= _LONGEST_S * rate_hz:
            fall = _fall(centre_m[first:after], rate_hz)
            falls += [] if fall is None else [fall]
    return falls


def _fall(centre_m: NDArray[np.float64], rate_hz: float) -> _Fall | None:
    """Return the fall of a body over some rows, or None where it does not fall freely."""
    n = len(centre_m)
    times = np.linspace(-1.0, 1.0, n)
    powers = np.column_stack([np.ones(n), times, times**2])
    coefficients, *_ = np.linalg.lstsq(powers, centre_m, rcond=None)
    drop_m = float(-coefficients[2, 1])
    off_m = float(np.sqrt(np.mean((powers @ coefficients - centre_m)[:, 1] ** 2)))
    # Gravity pulls down only: a push sideways means that something holds the body.
    sideways = np.hypot(coefficients[2, 0], coefficients[2, 2])
    if drop_m < _LEAST_DROP_M or off_m > _MOST_RESIDUAL * drop_m or sideways > _MOST_SIDEWAYS * drop_m:
        return None
    # From -1 to 1 in n - 1 steps.
    fall = _Fall(drop_m, 2 * drop_m / (0.5 * (n - 1) / rate_hz) ** 2)
    return fall if _SLOWEST_FALL <= fall.rate_m_s2 / GRAVITY_M_S2 <= _FASTEST_FALL else None


def _steps(centre_m: NDArray[np.float64], apart_m: NDArray[np.float64], rate_hz: float) -> tuple[int, float, float]:
    """Return number, rate and length of the steps of the longest walk: feet that pass each other."""
    n = len(centre_m)
    # Over the way of two steps, however fast: half a metre before and after.
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(centre_m[:, [0, 2]], axis=0).T))])
    before, after = (np.clip(np.searchsorted(way, way + off), 0, n - 1) for off in (-0.5, 0.5))
    ahead = centre_m[after] - centre_m[before]
    along = (apart_m[:, [0, 2]] * ahead[:, [0, 2]]).sum(axis=1) / np.maximum(np.hypot(ahead[:, 0], ahead[:, 2]), 1e-9)
    # A foot leads when it is a tenth of a metre in front; a step is a change of the foot that leads.
    leads = np.where(along > 0.1, 1, np.where(along < -0.1, -1, 0))
    shown = np.flatnonzero(leads)
    changes = shown[1:][leads[shown[1:]] != leads[shown[:-1]]]
    if len(changes) < 2:
        return 0, np.nan, np.nan
    lengths = way[changes[1:]] - way[changes[:-1]]
    # Longer ways between two changes are not single steps; shorter ones are feet that shuffle on the spot.
    long = np.concatenate([[False], (lengths > 0.5 * _LONG_STEP_M) & (lengths < 2.5), [False]])
    edges = np.flatnonzero(np.diff(long.astype(np.int8))).reshape(-1, 2)
    if not len(edges):
        return 0, np.nan, np.nan
    first, last = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    durations = np.diff(changes[first : last + 1]) / rate_hz
    return int(last - first), float(1.0 / np.median(durations)), float(np.median(lengths[first:last]))
