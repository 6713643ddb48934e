"""People of known size with markers at known sites, in motion that is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics.scale_groups import scale_groups
from movi_prep.kinematics.scaled_tree import ScaledMarkers, scale_tree
from movi_prep.kinematics.tracks import is_root
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.records.markers import MarkerTrajectories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree


@dataclass(frozen=True, eq=False)
class KnownPerson:
    """A person whose truth is known.

    Attributes:
        markers: the unscaled model, its factors and tracked markers.
        weights: (k,) their weights.
        log_factors: (g,) true logarithms of factors.
        offsets_m: (k, 3) metres, true sites minus the scaled table.
    """

    markers: ScaledMarkers
    weights: NDArray[np.float64]
    log_factors: NDArray[np.float64]
    offsets_m: NDArray[np.float64]

    def sites_m(self, log_factors: NDArray[np.float64], offsets_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (k, 3) sites in the scaled bodies, metres."""
        return self.markers.groups.factors(log_factors)[self.markers.bodies] * self.markers.sites_m + offsets_m

    def unknowns(self, n_frames: int, seed: int, *, swing: float = 0.6) -> NDArray[np.float64]:
        """Return (n, x) unknowns of a smooth motion through this share of every range, rad and m."""
        rng, folded = np.random.default_rng(seed), self.markers.folded
        lower, upper = folded.arrays.lower, folded.arrays.upper
        low, high = np.where(np.isfinite(lower), lower, -0.5), np.where(np.isfinite(upper), upper, 0.5)
        middle, reach = 0.5 * (low + high), 0.5 * swing * (high - low)
        root = is_root(folded)
        middle, reach = np.where(root, folded.start, middle), np.where(root, 0.5, reach)
        turns = rng.uniform(0.5, 3.0, len(low)) * np.linspace(0.0, 1.0, n_frames)[:, None] + rng.random(len(low))
        return np.asarray(middle + reach * np.sin(2.0 * np.pi * turns))

    def move(self, n_frames: int, seed: int, *, swing: float = 0.6, noise_m: float = 0.0) -> NDArray[np.float64]:
        """Return (n, k, 3) tracked markers of that motion, metres."""
        unknowns = self.unknowns(n_frames, seed, swing=swing)
        shown = self.markers.pose(unknowns, self.log_factors, self.offsets_m, derivatives=False).positions_m
        return shown + np.random.default_rng(seed).normal(0.0, noise_m, shown.shape)

    def stand(
        self, seed: int, *, noise_m: float = 0.0, off_rad: float = 0.05, n_frames: int = 15
    ) -> MarkerTrajectories:
        """Return a static trial with all markers of the model, near its default pose.

        Markers that are not tracked sit where the scaled table has them.
        """
        tree, rng = self.markers.tree, np.random.default_rng(seed)
        factors = self.markers.groups.factors(self.log_factors)
        sites_m = factors[tree.marker_body] * tree.marker_position_m
        sites_m[self.markers.markers] += self.offsets_m
        folded = self.markers.folded
        off = np.where(is_root(folded), 0.0, rng.normal(0.0, off_rad, len(folded.start)))
        pose = np.clip(folded.start + off, folded.arrays.lower, folded.arrays.upper)[None]
        placed_m = scale_tree(tree, factors, sites_m).marker_positions(self.markers.coordinates(pose))
        return MarkerTrajectories(
            names=tree.marker_names,
            positions_m=placed_m + rng.normal(0.0, noise_m, (n_frames, *placed_m.shape[1:])),
            times_s=np.arange(n_frames) / 30.0,
            sample_indices=np.arange(n_frames),
            rate_hz=30.0,
            source="static",
        )


@lru_cache(maxsize=1)
def packaged_tree() -> KinematicTree:
    """Return our model."""
    return extract_tree(read_model(packaged_path("opensim_models", "movi_full_body.osim")))


def known_person(
    seed: int, *, size: float = 0.08, factor_std: float = 0.04, site_m: float = 0.02, moved: float = 1.0
) -> KnownPerson:
    """Return a person of our model.

    Args:
        seed: of its factors and sites.
        size: largest difference of its size from the model's, as a share.
        factor_std: deviation of the logarithm of each factor from that.
        site_m: how far markers sit from the table at most, metres.
        moved: share of the markers that do.
    """
    rng, tree = np.random.default_rng(seed), packaged_tree()
    setup = read_scale_setup(packaged_path("opensim_models", "scaling_full_body.yaml"))
    by_name = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights
    chosen = tuple(index for index, name in enumerate(tree.marker_names) if by_name.get(name, 0.0) > 0.0)
    groups, _ = scale_groups(tree.body_names, setup, "as set up")
    markers = ScaledMarkers(tree, groups, np.array(chosen))
    markers = ScaledMarkers(tree, groups, markers.folded.markers)
    k = len(chosen)
    direction = rng.normal(size=(k, 3))
    direction *= (rng.uniform(0.0, site_m, k) / np.linalg.norm(direction, axis=1))[:, None]
    direction[rng.random(k) >= moved] = 0.0
    return KnownPerson(
        markers=markers,
        weights=np.array([by_name[tree.marker_names[index]] for index in markers.markers]),
        log_factors=np.log(rng.uniform(1.0 - size, 1.0 + size)) + rng.normal(0.0, factor_std, len(groups.names)),
        offsets_m=direction,
    )
