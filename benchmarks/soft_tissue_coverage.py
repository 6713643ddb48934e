"""How often the bone lies where the noise of markers says: fitted and judged on skin markers with a bone reference.

    python -m benchmarks.soft_tissue_coverage --shared ../shared

`../shared/reference/soft_tissue` holds the trials and `evaluate_coverage.py`, which defines errors, intervals and
coverage. Per segment the noise is fitted to the pose of the bone (orientation and displacement) by maximum likelihood,
all laboratories alike, once for a skin field in which markers move together and once for independent markers; each
laboratory is judged by a fit to the others. A laboratory that was not fitted differs from the mean of K others by the
variance of one more draw: standard deviations are those of the fit times sqrt((K + 1) / K). Third, independent markers
without that factor. Fourth, independent markers that are fitted to the orientation and nothing else, and not widened:
the best that they do there, and what it costs.

Last, `opensim_models/marker_noise.yaml` is compared with the fit to all laboratories.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from movi_prep.formats.noise_file import packaged_noise

LENGTHS_MM = (40.0, 80.0, 120.0, 170.0, 240.0, 360.0)
"""Lengths that are tried; the likelihood changes slowly between them."""

CORRELATION_S = 0.2
"""Correlation time of the skin: from 0.1 to 0.5 s coverage is the same within 2 points; see --correlation-s."""

FIELD, INDEPENDENT, NOT_WIDENED = "skin field", "independent", "independent, not widened"
TURNED_ONLY = "independent, orientation only"
ORIENTATION, DISPLACEMENT = slice(0, 3), slice(3, 6)
LEVEL = 0.9


@dataclass(frozen=True)
class UnitTrial:
    """One segment in one trial, with what a noise of 1 mm predicts for it.

    Attributes:
        lab: who measured it.
        errors: (n, 6) degrees and millimetres.
        variances: (n, 6) predicted, at 1 mm.
        misfits: mean of e' C^-1 e / k over the k = 6 numbers of the pose, and over the 3 of the orientation: the
            maximum likelihood of the noise's variance, mm^2.
        log_sizes: mean of log det C / 2 k of both.
    """

    lab: str
    errors: NDArray[np.float64]
    variances: NDArray[np.float64]
    misfits: tuple[float, float]
    log_sizes: tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """The noise of one segment: `length_mm` is None for independent markers; `loss` is the negative log likelihood."""

    sd_mm: float
    length_mm: float | None
    loss: float


@dataclass(frozen=True)
class Score:
    """What intervals of 90 % hold: coverage and interval score (mean of trials and axes), worst trial's coverage."""

    coverage: float
    interval: float
    worst: float


def main(arguments: list[str] | None = None) -> int:
    """Print the tables and return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--correlation-s", type=float, default=CORRELATION_S)
    options = parser.parse_args(arguments)
    folder = options.shared / "reference" / "soft_tissue"
    judge = load_judge(folder / "evaluate_coverage.py")
    trials = judge.load_folder(str(folder))
    for segment in dict.fromkeys(trial["segment"] for trial in trials):
        chosen = [trial for trial in trials if trial["segment"] == segment and trial["markers"].shape[1] > 0]
        if not chosen:
            continue
        print_segment(judge, segment, chosen, options.correlation_s)
    return 0


def load_judge(path: Path) -> ModuleType:
    """Return evaluate_coverage.py as a module."""
    spec = importlib.util.spec_from_file_location("evaluate_coverage", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    # Loaded from its place, because the judge is part of the reference material and not of this package.
    spec.loader.exec_module(module)
    return module


def print_segment(judge: ModuleType, segment: str, trials: list[dict[str, Any]], correlation_s: float) -> None:
    """Print one line per kind of noise, then laboratory by laboratory, then what the package says."""
    tables = unit_tables(judge, trials, correlation_s)
    labs = sorted({trial.lab for trial in next(iter(tables.values()))})
    print(f"\n{segment}: {len(labs)} laboratories, {len(trials)} trials")
    print(f"{'noise':<30} {'orientation: cover % IS90 worst %':>36} {'displacement: cover % IS90':>28}   by laboratory")
    intervals: dict[str, float] = {}
    for kind in (FIELD, INDEPENDENT, NOT_WIDENED, TURNED_ONLY):
        scores = left_out_scores(tables, kind)
        turned = [score[0] for score in scores.values()]
        moved = [score[1] for score in scores.values()]
        intervals[kind] = float(np.mean([score.interval for score in turned]))
        print(
            f"{kind:<30} {100 * np.mean([score.coverage for score in turned]):>20.1f} {intervals[kind]:>8.2f} "
            f"{100 * min(score.worst for score in turned):>6.0f} "
            f"{100 * np.mean([score.coverage for score in moved]):>21.1f} "
            f"{np.mean([score.interval for score in moved]):>6.1f}   "
            + ", ".join(f"{lab} {100 * score[0].coverage:.0f}" for lab, score in scores.items())
        )
    whole = fit(tables, FIELD, labs)
    said = {entry.name: entry for entry in packaged_noise().segments}[segment]
    beside = ", ".join(
        f"{100 * (intervals[FIELD] / intervals[kind] - 1):+.0f} % ({kind})"
        for kind in (INDEPENDENT, NOT_WIDENED, TURNED_ONLY)
    )
    print(f"interval score of the field against others: {beside}")
    print(
        f"fit to all {whole.sd_mm:.1f} mm over {whole.length_mm:.0f} mm; "
        f"package {1000 * said.field_sd_m:.1f} mm over {1000 * said.field_length_m:.0f} mm"
    )


def left_out_scores(tables: dict[float | None, list[UnitTrial]], kind: str) -> dict[str, tuple[Score, Score]]:
    """Return lab -> scores of orientation and displacement by a fit to the others (to itself, if there are none)."""
    labs = sorted({trial.lab for trial in tables[None]})
    return {lab: _judge_lab(tables, kind, lab, labs) for lab in labs}


def unit_tables(
    judge: ModuleType, trials: list[dict[str, Any]], correlation_s: float
) -> dict[float | None, list[UnitTrial]]:
    """Return what noise of 1 mm predicts: for every length of the field, and under None for independent markers."""
    models: dict[float | None, dict[str, float]] = {
        length: {"field_sd_mm": 1.0, "field_length_mm": length, "tau_s": correlation_s} for length in LENGTHS_MM
    }
    models[None] = {"iid_sd_mm": 1.0, "iid_tau_s": correlation_s}
    return {
        key: [found for trial in trials if (found := unit_trial(judge, trial, model)) is not None]
        for key, model in models.items()
    }


def unit_trial(judge: ModuleType, trial: dict[str, Any], model: dict[str, float]) -> UnitTrial | None:
    """Return one trial under a noise of 1 mm; None where it cannot be used."""
    found = judge.trial_stats(trial, model)
    if found is None:
        return None
    good = found["good"]
    errors = np.concatenate([found["theta"][good], found["d"][good]], axis=1)
    covariances = found["C"][good]
    whole, turned = (_misfit(errors[:, part], covariances[:, part, part]) for part in (slice(0, 6), ORIENTATION))
    return UnitTrial(
        lab=str(trial["lab"]),
        errors=errors,
        variances=np.einsum("nii->ni", covariances),
        misfits=(whole[0], turned[0]),
        log_sizes=(whole[1], turned[1]),
    )


def _misfit(errors: NDArray[np.float64], covariances: NDArray[np.float64]) -> tuple[float, float]:
    n_numbers = errors.shape[1]
    weighed = np.linalg.solve(covariances, errors[..., None])[..., 0]
    misfit = float(np.mean(np.sum(errors * weighed, axis=1)) / n_numbers)
    return misfit, float(np.mean(np.linalg.slogdet(covariances)[1]) / (2 * n_numbers))


def fit(tables: dict[float | None, list[UnitTrial]], kind: str, labs: list[str]) -> Fit:
    """Return the likeliest noise for these laboratories, as wide as it must be for another one."""
    keys = [key for key in tables if (key is None) == (kind != FIELD)]
    part = 1 if kind == TURNED_ONLY else 0
    best = min((_fit_one(tables[key], key, labs, part) for key in keys), key=lambda found: found.loss)
    # Fitted to n laboratories, the next one scatters by (n + 1) / n of the variance.
    wider = 1.0 if kind in {NOT_WIDENED, TURNED_ONLY} else np.sqrt((len(labs) + 1.0) / len(labs))
    return Fit(float(best.sd_mm * wider), best.length_mm, best.loss)


def _fit_one(trials: list[UnitTrial], length_mm: float | None, labs: list[str], part: int) -> Fit:
    """The variance of a Gaussian at given shape is the mean misfit; the loss follows from it."""

    def balanced(value: str) -> float:
        return float(
            # Laboratories count alike, however many trials each of them has.
            np.mean([np.mean([getattr(one, value)[part] for one in trials if one.lab == lab]) for lab in labs])
        )

    variance = balanced("misfits")
    return Fit(float(np.sqrt(variance)), length_mm, 0.5 * float(np.log(variance)) + balanced("log_sizes"))


def _judge_lab(
    tables: dict[float | None, list[UnitTrial]], kind: str, lab: str, labs: list[str]
) -> tuple[Score, Score]:
    """Return the scores of one laboratory."""
    # Left out: noise must hold for people and laboratories that it was not fitted to.
    others = [other for other in labs if other != lab] or labs
    found = fit(tables, kind, others)
    trials = [trial for trial in tables[found.length_mm] if trial.lab == lab]
    return _score(trials, found.sd_mm, ORIENTATION), _score(trials, found.sd_mm, DISPLACEMENT)


def _score(trials: list[UnitTrial], sd_mm: float, part: slice) -> Score:
    half = [norm.ppf(0.5 + LEVEL / 2) * sd_mm * np.sqrt(trial.variances[:, part]) for trial in trials]
    beyond = [np.abs(trial.errors[:, part]) - width for trial, width in zip(trials, half, strict=True)]
    coverages = [float(np.mean(outside <= 0)) for outside in beyond]
    intervals = [
        # Interval score (Gneiting and Raftery 2007, equation 43): the width, and a penalty for what lies beyond.
        float(np.mean(2 * width + 2 / (1 - LEVEL) * np.maximum(outside, 0)))
        for width, outside in zip(half, beyond, strict=True)
    ]
    return Score(float(np.mean(coverages)), float(np.mean(intervals)), min(coverages))


if __name__ == "__main__":
    sys.exit(main())
