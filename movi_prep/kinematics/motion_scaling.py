"""A person from motion: scale factors, marker sites and poses that together explain the markers best.

Unknown are the logarithms s of the factors, how far each site d is from the table, and the pose x_f of every frame:

    min  sum_f sum_m w_m rho(|p_m(x_f; s, d_m) - y_fm| / sigma)  + prior of s  + |d_m|^2 / tau_m^2  + faint prior of x

`rho` is Cauchy's (a marker in the wrong place loses its weight, and no frame its pose); sigma, the noise of a marker of
average weight, follows the residuals, so that both priors fade as the data get better. The step is Gauss and Newton's
with the poses eliminated frame by frame (variable projection: Golub and Pereyra 1973; bundle adjustment: Triggs et al.
2000): with H the matrix of poses of a frame and B its coupling to theta = (s, d),

    S = sum_f (T_f - B_f' H_f^-1 B_f) + priors ,   d x_f / d theta = - H_f^-1 B_f

S is the information that the motion has on the person: its inverse is the covariance of factors and sites. What a
frame's pose can absorb tells nothing of the person. Bounds are an active set; a step that fails is damped
(Levenberg and Marquardt).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from movi_prep.kinematics.tracks import is_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.scaled_tree import PosedMarkers, ScaledMarkers

# Beyond this many times its noise a marker loses its weight (Cauchy's constant, generous: skin is no outlier).
_OUTLIER = 6.0
# The noise never counts as less, metres: it bounds how weak the priors become.
_LEAST_NOISE_M = 1e-4
# Residuals below the usual noise of a marker, metres, are the model's misfit more than noise. That does not average
# out over frames, so it counts so many times.
_USUAL_NOISE_M, _MISFIT = 5e-3, 5.0
# Noise before the first step, metres.
_FIRST_NOISE_M = 0.01
# Damping, as a share of the diagonal: after a failed step, beyond which the search ends, and below which there is none.
_FIRST_DAMPING, _LARGEST_DAMPING, _SMALLEST_DAMPING = 1e-4, 1e6, 1e-7
# Frames whose equations are set up together: few enough to stay near the processor.
_AT_ONCE = 64
# A step that gains less of the cost than this is the last: the gain is the sum of squared changes in units of
# deviations, so that each of a few hundred factors and sites changes by a fiftieth of its own. Noise that changes by
# less than the second number, a share, is settled.
_SMALL_GAIN, _SAME_NOISE = 0.1, 0.02
# So often bounds of factors and sites are looked at anew within a step, and so often that is cut in half.
_MEETING_BOUNDS, _HALVINGS = 30, 8
# So often a pose that a limit stops is looked at for further limits.
_MEETING_LIMITS = 2
# No unknown of a pose moves further in one step (rad or m).
_LARGEST_STEP = 0.3
# The faint prior of a pose: a quarter of each range (0.02 to 1 rad or m) over the root of this strength.
_POSE_PRIOR, _POSE_STD = 0.01, (0.02, 1.0)
# How steep bounds of sites are, in what the frames say, and those of factors, per squared deviation.
_WALL, _FACTOR_WALL = 30.0, 1e6
# Deviation of a factor's logarithm that is as good as no information.
_NO_OPINION = 0.2


@dataclass(frozen=True, eq=False)
class ScalingFrames:
    """The frames that a person is fitted to.

    Attributes:
        positions_m: (n, k, 3) float64, metres, ground, markers in the order of `ScaledMarkers`; NaN where not seen.
        weights: (n, k) float64, weight of every marker, 0 where it is not to count.
        trial: (n,) int64, which trial each frame is from.
        row: (n,) int64, which frame of its trial it is.
    """

    positions_m: NDArray[np.float64]
    weights: NDArray[np.float64]
    trial: NDArray[np.int64]
    row: NDArray[np.int64]

    def only(self, chosen: NDArray[np.bool_]) -> ScalingFrames:
        """Return the chosen frames, (n,) bool."""
        return ScalingFrames(self.positions_m[chosen], self.weights[chosen], self.trial[chosen], self.row[chosen])

    def joined(self, more: ScalingFrames) -> ScalingFrames:
        """Return these frames and `more` behind them."""
        pairs = zip(*(vars(each).values() for each in (self, more)), strict=True)
        return ScalingFrames(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, eq=False)
class PersonPrior:
    """Knowledge of a person before any motion is seen.

    Attributes:
        log_mean: (g,) logarithm of each factor.
        log_covariance: (g, g) of these.
        site_std_m: (k,) metres, how far a marker's site is from the table, per axis.
        site_limit_m: metres, how far it can be at most.
        log_limit: how many deviations a factor may be from what is expected of it once all others are known.
    """

    log_mean: NDArray[np.float64]
    log_covariance: NDArray[np.float64]
    site_std_m: NDArray[np.float64]
    site_limit_m: float = np.inf
    log_limit: float = np.inf

    @property
    def precision(self) -> NDArray[np.float64]:
        """(g, g) inverse of the covariance."""
        return np.asarray(np.linalg.inv(self.log_covariance))

    @property
    def alone(self) -> NDArray[np.float64]:
        """(g,) deviation of each factor once all others are known."""
        return np.asarray(1.0 / np.sqrt(np.diag(self.precision)))


@dataclass(frozen=True, eq=False)
class Person:
    """Factors, sites and poses.

    Attributes:
        log_factors: (g,).
        offsets_m: (k, 3) metres, sites minus the scaled table, in body axes.
        unknowns: (n, x) rad and m.
        noise_m: deviation to which a marker of average weight is taken, per axis, metres.
    """

    log_factors: NDArray[np.float64]
    offsets_m: NDArray[np.float64]
    unknowns: NDArray[np.float64]
    noise_m: float = _FIRST_NOISE_M


@dataclass(frozen=True, eq=False)
class PersonFit:
    """A person, and how well the motion determines it.

    Attributes:
        person: what was found.
        log_covariance: (g, g) of the logarithms of the factors, after the motion was seen.
        residuals_m: (n, k, 3) metres, model minus data, ground; NaN where a marker was not seen.
        in_body_m: (n, k, 3) metres, the same in the axes of the carrying body.
        found_noise_m: deviation that the residuals have, of a marker of average weight, per axis, metres.
        iterations: steps taken.
        converged: whether the last step was small.
    """

    person: Person
    log_covariance: NDArray[np.float64]
    residuals_m: NDArray[np.float64]
    in_body_m: NDArray[np.float64]
    found_noise_m: float
    iterations: int
    converged: bool


@dataclass(frozen=True, eq=False)
class _System:
    """Normal equations at one person, poses eliminated, without bounds; `undamped` is without damping of theta."""

    information: NDArray[np.float64]
    undamped: NDArray[np.float64]
    gradient: NDArray[np.float64]
    pose_inverse: NDArray[np.float64]
    pose_gradient: NDArray[np.float64]
    coupling: NDArray[np.float64]


def fit_person(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    prior: PersonPrior,
    start: Person,
    *,
    iteration_limit: int = 30,
) -> PersonFit:
    """Return the person that explains the frames best.

    Args:
        markers: the model, unscaled.
        frames: what was seen.
        prior: what was known.
        start: where to begin; its poses must be near (`start_poses`).
        iteration_limit: steps at most.
    """
    fit = _Fit(markers, frames, prior)
    person, residuals, damping, steps, converged = start, fit.residuals(start), 0.0, 0, False
    person = fit.with_noise(person, residuals)
    cost = fit.cost(person, residuals)
    system, damped = None, True
    while steps < iteration_limit and damping < _LARGEST_DAMPING and not converged:
        system, damped = fit.system(person, damping), damping > 0.0
        trial, gain = fit.step(person, system)
        ahead = fit.residuals(trial)
        steps += 1
        # Both costs are at the old noise: the cost has no term for the noise itself, so that a larger one would look
        # like a gain.
        if fit.cost(trial, ahead) > cost * (1.0 + 1e-12):
            damping = max(damping * 10.0, _FIRST_DAMPING)
            continue
        damping, noise_m, residuals = damping * 0.1, person.noise_m, ahead
        damping = 0.0 if damping < _SMALLEST_DAMPING else damping
        # The noise follows accepted steps only.
        person, gained = fit.with_noise(trial, residuals), cost - fit.cost(trial, residuals)
        cost = fit.cost(person, residuals)
        converged = min(gain, gained) < _SMALL_GAIN and abs(person.noise_m - noise_m) < _SAME_NOISE * noise_m
    if system is None or damped:
        # Damping would count as information. Without, the equations before the last step will do: it was a small one.
        system = fit.system(person, 0.0)
    return fit.result(person, system, iterations=steps, converged=converged)


class _Fit:
    """The cost and its normal equations; holds what does not change from step to step."""

    def __init__(self, markers: ScaledMarkers, frames: ScalingFrames, prior: PersonPrior) -> None:
        self.markers, self.frames, self.prior = markers, frames, prior
        seen = np.asarray(np.isfinite(frames.positions_m).all(axis=-1))
        self.observed = np.where(seen[..., None], frames.positions_m, 0.0)
        weights = np.where(seen, frames.weights, 0.0)
        self.weights = weights / max(float(weights[weights > 0.0].mean()), 1e-300) if weights.any() else weights
        folded = markers.folded
        self.lower, self.upper = folded.arrays.lower, folded.arrays.upper
        low, high = folded.tree.coordinate_range[folded.unknowns].T
        weight = _POSE_PRIOR / np.clip((high - low) / 4.0, *_POSE_STD) ** 2
        self.pose_weight = np.where(is_root(folded), 0.0, weight)
        self.pose_centre = folded.start
        self.precision = prior.precision
        # From logarithms of factors to standard scores: each factor against what is expected of it, given all others.
        self.unlike = prior.alone[:, None] * self.precision
        self.n_seen = np.count_nonzero(self.weights, axis=0)

    @property
    def n_equations(self) -> int:
        """Equations of markers that count, less the unknowns of poses."""
        return max(3 * int(np.count_nonzero(self.weights)) - len(self.observed) * len(self.lower), 1)

    def residuals(self, person: Person) -> NDArray[np.float64]:
        """(n, k, 3) metres, model minus data; 0 where not seen."""
        return self._missed(self.posed(person), slice(None))

    def _missed(self, posed: PosedMarkers, rows: slice) -> NDArray[np.float64]:
        return np.where(self.weights[rows, :, None] > 0.0, posed.positions_m - self.observed[rows], 0.0)

    def posed(self, person: Person) -> PosedMarkers:
        """Return the person's markers."""
        return self.markers.pose(person.unknowns, person.log_factors, person.offsets_m, derivatives=False)

    def cost(self, person: Person, residuals: NDArray[np.float64]) -> float:
        """Return the value that is minimised, at the person's own noise."""
        squared = self._squared(residuals, person.noise_m)
        return float(0.5 * _OUTLIER**2 * np.log1p(squared / _OUTLIER**2).sum()) + self._prior_cost(person)

    def _squared(
        self, residuals: NDArray[np.float64], noise_m: float, rows: slice = slice(None)
    ) -> NDArray[np.float64]:
        """(n, k) weighted squared residuals in units of the noise, of some frames."""
        return np.asarray(self.weights[rows] * (residuals**2).sum(axis=-1) / noise_m**2)

    def _prior_cost(self, person: Person) -> float:
        apart, poses = person.log_factors - self.prior.log_mean, person.unknowns - self.pose_centre
        sites = person.offsets_m / self.prior.site_std_m[:, None]
        quadratic = apart @ self.precision @ apart + (sites**2).sum() + (self.pose_weight * poses**2).sum()
        return float(0.5 * quadratic) + self._wall_cost(person)

    def _wall_cost(self, person: Person) -> float:
        beyond, over_m = self._beyond(person)
        return float(0.5 * (_WALL * (self._rows(person) * over_m**2).sum() + _FACTOR_WALL * (beyond**2).sum()))

    def _rows(self, person: Person) -> NDArray[np.float64]:
        """(k,) what a bound of a site has to outweigh: the information of all frames that show the marker."""
        return np.asarray((self.n_seen + 1.0) / person.noise_m**2)

    def _beyond(self, person: Person) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (g,) deviations of factors and (k,) metres of sites beyond their bounds."""
        unlike = self.unlike @ (person.log_factors - self.prior.log_mean)
        far_m = np.linalg.norm(person.offsets_m, axis=1)
        beyond = np.sign(unlike) * np.maximum(np.abs(unlike) - self.prior.log_limit, 0.0)
        return beyond, np.maximum(far_m - self.prior.site_limit_m, 0.0)

    def _walls(self, person: Person) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return matrix and gradient of the bounds of factors and sites: steep squares beyond them."""
        g, k = self.markers.n_groups, len(self.n_seen)
        beyond, over_m = self._beyond(person)
        rows = self.unlike[beyond != 0.0]
        matrix, gradient = np.zeros((g + 3 * k, g + 3 * k)), np.zeros(g + 3 * k)
        matrix[:g, :g] = _FACTOR_WALL * rows.T @ rows
        gradient[:g] = _FACTOR_WALL * self.unlike.T @ beyond
        steep = _WALL * self._rows(person)
        for marker in np.flatnonzero(over_m > 0.0):
            place = slice(g + 3 * marker, g + 3 * marker + 3)
            far_m = float(np.linalg.norm(person.offsets_m[marker]))
            away = person.offsets_m[marker] / far_m
            along, across = np.outer(away, away), over_m[marker] / far_m
            matrix[place, place] = steep[marker] * (along + across * (np.eye(3) - along))
            gradient[place] = steep[marker] * over_m[marker] * away
        return matrix, gradient

    def with_noise(self, person: Person, residuals: NDArray[np.float64]) -> Person:
        """Return the person with the noise that its residuals show."""
        return replace(person, noise_m=_acting_noise(self.found_noise_m(person, residuals)))

    def found_noise_m(self, person: Person, residuals: NDArray[np.float64]) -> float:
        """Return the deviation of the residuals, of a marker of average weight, per axis."""
        trust = _trust(self._squared(residuals, person.noise_m))
        left = float((trust * self.weights * (residuals**2).sum(axis=-1)).sum())
        return float(np.sqrt(left / self.n_equations))

    def system(self, person: Person, damping: float) -> _System:
        """Return the normal equations with poses eliminated."""
        n, x = person.unknowns.shape
        size = self.markers.n_groups + 3 * len(self.n_seen)
        information, gradient = self._priors(person)
        inverse, pose_gradient = np.empty((n, x, x)), np.empty((n, x))
        coupling = np.empty((n, x, size))
        for first in range(0, n, _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            part = self._part(person, rows, damping)
            information += part.information
            gradient += part.gradient
            inverse[rows], pose_gradient[rows], coupling[rows] = part.pose_inverse, part.pose_gradient, part.coupling
        undamped = information.copy()
        information[np.diag_indices_from(information)] *= 1.0 + damping
        return _System(information, undamped, gradient, inverse, pose_gradient, coupling)

    def _part(self, person: Person, rows: slice, damping: float) -> _System:
        """Return what some frames add to the normal equations."""
        unknowns = person.unknowns[rows]
        posed = self.markers.pose(unknowns, person.log_factors, person.offsets_m)
        residuals = self._missed(posed, rows)
        root = np.sqrt(self.weights[rows] * _trust(self._squared(residuals, person.noise_m, rows))) / person.noise_m
        n, x = unknowns.shape
        # In the axes of the carrying body a marker moves with its own site as with its place: no matrix is needed.
        turn = root[..., None, None] * posed.rotations.swapaxes(2, 3)
        by_pose = (turn @ posed.by_unknown).reshape(n, -1, x)
        by_group = (turn @ posed.by_group).reshape(n, by_pose.shape[1], -1)
        left = (turn @ residuals[..., None]).reshape(n, -1)
        pose_gradient = (left[:, None] @ by_pose)[:, 0] + self.pose_weight * (unknowns - self.pose_centre)
        held = self._held(unknowns, pose_gradient)
        # A held unknown gets a zero column, and 1 on its diagonal below: the step leaves it where it is.
        by_pose, pose_gradient = np.where(held[:, None], 0.0, by_pose), np.where(held, 0.0, pose_gradient)
        matrix = by_pose.swapaxes(1, 2) @ by_pose
        diagonal = np.arange(x)
        own = matrix[:, diagonal, diagonal]
        matrix[:, diagonal, diagonal] += self.pose_weight + damping * own + np.where(held, 1.0, 1e-9 * (own + 1.0))
        by_site = np.repeat(root, 3, axis=1)
        coupling = np.concatenate(
            [by_pose.swapaxes(1, 2) @ by_group, by_pose.swapaxes(1, 2) * by_site[:, None]], axis=2
        )
        # H^-1 = L^-T L^-1: `half` is L^-1 B, so that half' half is the term B' H^-1 B to be taken off (Schur
        # complement).
        inverse = np.linalg.inv(np.linalg.cholesky(matrix))
        half = (inverse @ coupling).reshape(n * x, -1)
        half_gradient = (inverse @ pose_gradient[..., None]).reshape(-1)
        information = _unreduced(by_group, by_site) - half.T @ half
        sites = (by_site * left).sum(axis=0)
        at_poses = np.concatenate([left.ravel() @ by_group.reshape(-1, by_group.shape[2]), sites])
        gradient = at_poses - half.T @ half_gradient
        return _System(information, information, gradient, inverse, pose_gradient, coupling)

    def _priors(self, person: Person) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return matrix and gradient of the priors of factors and sites."""
        g = self.markers.n_groups
        sites = np.repeat(1.0 / self.prior.site_std_m**2, 3)
        matrix = np.diag(np.concatenate([np.zeros(g), sites]))
        matrix[:g, :g] = self.precision
        groups = self.precision @ (person.log_factors - self.prior.log_mean)
        return matrix, np.concatenate([groups, sites * person.offsets_m.ravel()])

    def _held(self, unknowns: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n, x) unknowns at a bound that the gradient pushes out of."""
        at_lower, at_upper = unknowns <= self.lower + 1e-12, unknowns >= self.upper - 1e-12
        return np.asarray((at_lower & (gradient > 0.0)) | (at_upper & (gradient < 0.0)))

    def step(self, person: Person, system: _System) -> tuple[Person, float]:
        """Return the person after one step, and what the step gains of the cost, to first order."""
        change, slope = self._change(person, system)
        right = system.pose_gradient + system.coupling @ change
        inner = system.pose_inverse.swapaxes(1, 2) @ system.pose_inverse
        poses = -(inner @ right[..., None])[..., 0]
        # Joint by joint, unlike in the solver: one wild frame must not shorten the step of the person.
        lowest = np.maximum(self.lower - person.unknowns, -_LARGEST_STEP)
        highest = np.minimum(self.upper - person.unknowns, _LARGEST_STEP)
        poses = np.clip(_within(poses, inner, lowest, highest), lowest, highest)
        return replace(self._moved(person, change), unknowns=person.unknowns + poses), float(-change @ slope)

    def _change(self, person: Person, system: _System) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how factors and sites change in a step, and the slope of the cost where the step begins.

        Bounds are met within the step: they are known, unlike what the frames will say, and a step that ran into one
        blindly would have to be taken back.
        """
        change = np.zeros_like(system.gradient)
        walls, wall_gradient = self._walls(person)
        slope, value = system.gradient + wall_gradient, self._wall_cost(person)
        for _ in range(_MEETING_BOUNDS):
            left = system.gradient + system.information @ change + wall_gradient
            more = -cho_solve(cho_factor(system.information + walls), left)
            # Convex, so that half of a step, or a quarter, gains where the whole meets another bound.
            for _ in range(_HALVINGS):
                value_ahead = self._expected(person, system, change + more)
                if value_ahead <= value:
                    break
                more = 0.5 * more
            change, gained, value = change + more, value - value_ahead, value_ahead
            if gained < 0.1 * _SMALL_GAIN:
                break
            walls, wall_gradient = self._walls(self._moved(person, change))
        return change, slope

    def _expected(self, person: Person, system: _System, change: NDArray[np.float64]) -> float:
        """Return what the frames' equations and the bounds say of the cost after a change, less the cost before."""
        quadratic = change @ (system.gradient + 0.5 * system.information @ change)
        return float(quadratic) + self._wall_cost(self._moved(person, change))

    def _moved(self, person: Person, change: NDArray[np.float64]) -> Person:
        """Return the person with other factors and sites."""
        g = len(person.log_factors)
        return replace(
            person,
            log_factors=person.log_factors + change[:g],
            offsets_m=person.offsets_m + change[g:].reshape(-1, 3),
        )

    def result(self, person: Person, system: _System, *, iterations: int, converged: bool) -> PersonFit:
        """Return the person with its covariance and residuals."""
        # Without bounds: what a bound decides, the motion does not.
        covariance = np.linalg.inv(system.undamped)
        posed = self.posed(person)
        # Also where a marker has no say: how far it is out of place there is for the findings.
        missed = posed.positions_m - self.frames.positions_m
        g = len(person.log_factors)
        return PersonFit(
            person=person,
            log_covariance=np.asarray(covariance[:g, :g], dtype=np.float64),
            residuals_m=missed,
            in_body_m=(missed[..., None, :] @ posed.rotations)[..., 0, :],
            found_noise_m=self.found_noise_m(person, self._missed(posed, slice(None))),
            iterations=iterations,
            converged=converged,
        )


def _within(
    poses: NDArray[np.float64], inner: NDArray[np.float64], lowest: NDArray[np.float64], highest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return steps of poses, (n, x), of which those that would cross their limits end there and the others make up.

    `inner` is (n, x, x), the inverses of the matrices of poses.
    """
    kept = poses.copy()
    for frame in np.flatnonzero((poses < lowest).any(axis=1) | (poses > highest).any(axis=1)):
        met = np.zeros(poses.shape[1], dtype=bool)
        for _ in range(_MEETING_LIMITS):
            step = kept[frame]
            met |= (step < lowest[frame]) | (step > highest[frame])
            ends = np.clip(step, lowest[frame], highest[frame])[met]
            # The least costly step with these ends: d + H^-1 E (E' H^-1 E)^-1 (ends - E' d).
            columns = inner[frame][:, met]
            kept[frame] = step + columns @ np.linalg.solve(columns[met], ends - step[met])
    return kept


def _unreduced(by_group: NDArray[np.float64], by_site: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix of factors and sites at fixed poses, without priors."""
    flat = by_group.reshape(-1, by_group.shape[2])
    mixed = (by_group * by_site[..., None]).sum(axis=0).T
    return np.block([[flat.T @ flat, mixed], [mixed.T, np.diag((by_site**2).sum(axis=0))]])


def _acting_noise(found_m: float) -> float:
    """Return the deviation to which markers are taken, metres, from the one that their residuals have."""
    return max(found_m, min(_MISFIT * found_m, _USUAL_NOISE_M), _LEAST_NOISE_M)


def _trust(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of its weight that a marker keeps (Cauchy's weight)."""
    return np.asarray(1.0 / (1.0 + squared / _OUTLIER**2))


def residuals_m(markers: ScaledMarkers, frames: ScalingFrames, person: Person) -> NDArray[np.float64]:
    """Return (n, k, 3) metres, ground: the person's markers minus those seen; NaN where not seen."""
    posed = markers.pose(person.unknowns, person.log_factors, person.offsets_m, derivatives=False)
    return np.asarray(posed.positions_m - frames.positions_m)


def trial_shift(
    markers: ScaledMarkers, frames: ScalingFrames, prior: PersonPrior, fit: PersonFit, trial: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much one trial would change the logarithm of every factor, sites kept, and how sharply.

    Returns:
        (g,) changes and (g,) their deviations.
    """
    rows = frames.trial == trial
    own = _Fit(markers, frames.only(rows), prior)
    system = own.system(replace(fit.person, unknowns=fit.person.unknowns[rows]), 0.0)
    g = len(fit.person.log_factors)
    information = system.undamped[:g, :g] - own.precision
    gradient = system.gradient[:g] - own.precision @ (fit.person.log_factors - prior.log_mean)
    # Wide enough to be no opinion: factors that the trial does not see stay where they are.
    information[np.diag_indices(g)] += 1.0 / _NO_OPINION**2
    covariance = np.linalg.inv(information)
    return -covariance @ gradient, np.sqrt(np.diag(covariance))
