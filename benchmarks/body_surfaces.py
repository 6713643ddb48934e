"""How well our model fits people: static landmarks of the mean woman and man, a line through both, and random bodies.

    python -m benchmarks.body_surfaces --body-models DIR [--bodies 86] [--deviation 1.3] [--seed 0] [--model M.osim]

`DIR` holds `female/model.npz` and `male/model.npz` in SMPL+H's layout. The line is woman + t (man - woman), surfaces
and joints alike. Random bodies have betas of a normal distribution, half of them women. Every body is scaled as the
pipeline scales it, and its audit is sound, doubtful or refused.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.body.t_pose import stand_in_t_pose, static_markers
from movi_prep.config.scaling import ScaleAuditSettings
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.marker_set import read_marker_set
from movi_prep.formats.opensim_setup import read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.models import read_model
from movi_prep.osim.scale_model import scale_model
from movi_prep.records.markers import StaticTrial
from movi_prep.records.scale_result import AuditGrade
from movi_prep.stages.scale import solve_pose_converged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.scale_result import ScaleResult

LINE = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Places on the line from the mean woman (0) to the mean man (1)."""

MASS_KG = 70.0
"""Masses do not change where markers are."""


@dataclass(frozen=True)
class People:
    """The mean woman and man, and the model that they are measured with.

    Attributes:
        female: the woman.
        male: the man, of the same topology.
        model: the unscaled .osim.
    """

    female: BodyModel
    male: BodyModel
    model: Path

    def at(self, t: float) -> BodyModel:
        """Return woman + t (man - woman)."""
        template_m = self.female.template_m + t * (self.male.template_m - self.female.template_m)
        # Joints too, or the joints of one would lie in the surface of the other.
        regressor = self.female.joint_regressor + t * (self.male.joint_regressor - self.female.joint_regressor)
        return replace(self.female, template_m=template_m, joint_regressor=regressor)

    def scaled(self, body: BodyModel, betas: NDArray[np.float64] | None = None) -> ScaleResult:
        """Return what scaling to a body's T-pose gives."""
        markers = read_marker_set(packaged_path("opensim_models", "marker_set_d3ke.yaml")).on_body(body)
        pose = stand_in_t_pose(body, np.zeros(16) if betas is None else betas)
        trial = StaticTrial(
            markers=static_markers(pose, markers, rate_hz=30.0, duration_s=0.5),
            height_m=pose.height_m,
            mass_kg=MASS_KG,
            sex=body.sex,
            mass_source="given",
        )
        setup = read_scale_setup(packaged_path("opensim_models", "scaling_full_body.yaml"))
        return scale_model(read_model(self.model), trial, setup, ScaleAuditSettings(), solve_pose=solve_pose_converged)


def read_people(folder: Path, model: Path | None = None) -> People:
    """Return the people of a folder of body models."""
    female, male = (
        read_body_model(folder / name / "model.npz", sex=sex) for name, sex in (("female", "female"), ("male", "male"))
    )
    return People(female, male, model or packaged_path("opensim_models", "movi_full_body.osim"))


def draw_bodies(people: People, n_bodies: int, *, deviation: float, seed: int) -> list[ScaleResult]:
    """Return the scaling of random bodies, women and men in turn."""
    rng = np.random.default_rng(seed)
    # Drawn in one call: the first n bodies are the same for every number of bodies.
    betas = deviation * rng.standard_normal((n_bodies, 16))
    return [people.scaled((people.female, people.male)[index % 2], row) for index, row in enumerate(betas)]


def main(arguments: list[str] | None = None) -> int:
    """Print the tables and return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--body-models", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, metavar="FILE.osim")
    parser.add_argument("--bodies", type=int, default=86)
    parser.add_argument("--deviation", type=float, default=1.3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    people = read_people(options.body_models, options.model)
    print(f"{'woman + t (man - woman)':30}{'RMS, mm':>9}{'largest, mm':>13}  audit")
    for t in LINE:
        _print_body(f"t = {t:g}", people.scaled(people.at(t)))
    drawn = draw_bodies(people, options.bodies, deviation=options.deviation, seed=options.seed)
    _print_drawn(drawn, options.deviation)
    return 0


def worst_landmarks(result: ScaleResult, count: int = 3) -> str:
    """Return the landmarks that miss most, with their distances."""
    landmarks = [
        (float(error), name)
        for name, weight, error in zip(result.marker_names, result.marker_weights, result.marker_errors_m, strict=True)
        if weight >= ScaleAuditSettings().landmark_weight
    ]
    return ", ".join(f"{name} {1000.0 * error:.1f}" for error, name in sorted(landmarks, reverse=True)[:count])


def _print_body(name: str, result: ScaleResult) -> None:
    rms_mm, largest_mm = 1000.0 * result.landmark_rms_m, 1000.0 * result.landmark_max_m
    audit = result.audit.name.lower() + ("" if result.passed else f": {result.findings[0]}")
    print(f"{name:30}{rms_mm:9.1f}{largest_mm:13.1f}  {audit} ({worst_landmarks(result)})")


def _print_drawn(drawn: list[ScaleResult], deviation: float) -> None:
    rms_mm = 1000.0 * np.array([result.landmark_rms_m for result in drawn])
    largest_mm = 1000.0 * np.array([result.landmark_max_m for result in drawn])
    grades = Counter(result.audit.name.lower() for result in drawn)
    told = ", ".join(f"{grades[grade.name.lower()]} {grade.name.lower()}" for grade in AuditGrade)
    print(f"\n{len(drawn)} bodies drawn at {deviation:g} standard deviations: {told}")
    print(
        f"  RMS median {np.median(rms_mm):.1f}, largest {rms_mm.max():.1f} mm; largest miss {largest_mm.max():.1f} mm"
    )
    unsound = [result for result in drawn if not result.passed]
    for reason, count in Counter(finding for result in unsound for finding in result.findings[:1]).most_common():
        print(f"  {count}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
