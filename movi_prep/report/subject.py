"""The page of one subject: scaling, residuals, bias against variance, ranges, alignment, pictures, failures."""

from __future__ import annotations

from math import degrees, isfinite
from typing import TYPE_CHECKING

from movi_prep.records.identity import subject_key
from movi_prep.report.charts import BLUE, LINE, ORANGE, PALE, RED, TRACK, bias_bar, colour_key, range_bar
from movi_prep.report.html import (
    Html,
    anchor,
    badge,
    cards,
    element,
    folded,
    join,
    judged,
    missing,
    page,
    section,
    table,
)
from movi_prep.report.measures import AT_LIMIT_RAD, judge
from movi_prep.report.pictures import draw_strip
from movi_prep.report.quality import asymmetry, attention
from movi_prep.report.tables import (
    CLIP_COLUMNS,
    N_SHOWN,
    SHARD_COLUMNS,
    alignment_table,
    beside_table,
    clip_rows,
    failure_list,
    finding_list,
    look_list,
    number,
    picture_table,
    shard_rows,
    span,
    status_sentence,
    table_with_rest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.records.scaling import ScaleResult
    from movi_prep.report.measures import CoordinateUse
    from movi_prep.report.quality import Scope, SubjectQuality
    from movi_prep.report.work import ModelFacts

N_WORST_MARKERS = 15

_TITLES = (
    *("Look at first", "Scaling", "Inverse kinematics", "Marker bias and variance", "Coordinates", "Alignment"),
    *("Shards and pictures", "Failures", "Findings"),
)
N_COORDINATES = 20
_TOLD_ASYMMETRY_PERCENT = 0.1


def write_subject_page(quality: SubjectQuality, scope: Scope) -> str:
    """Return the page of one subject."""
    return page(
        subject_key(quality.files.subject),
        _subtitle(quality),
        element("nav", *(element("a", title, href=f"#{anchor(title)}") for title in _TITLES)),
        _cards(quality),
        _first_look(quality, scope),
        _scaling(quality, scope),
        _clips(quality),
        _markers(quality),
        _coordinates(quality, scope),
        _beside(quality, scope),
        _alignment(quality),
        _shards(quality),
        section("Failures", "Units that ended with an error, and the command that repeats each.",
                failure_list(quality.failures)),
        section("Findings", "What the stages themselves want a person to read.", finding_list(quality.outcomes)),
    )  # fmt: skip


def describe_person(quality: SubjectQuality) -> tuple[str, str, str]:
    """Return sex, height and mass with units; `-` where they are not known."""
    trial, scale = quality.files.trial, quality.files.scale
    height_m = trial.height_m if trial else (scale.height_m if scale else None)
    mass_kg = trial.mass_kg if trial else (scale.mass_kg if scale else None)
    sex = trial.sex if trial and trial.sex else "-"
    return sex, f"{number(height_m, 2)} m", f"{number(mass_kg)} kg"


def _subtitle(quality: SubjectQuality) -> Html:
    sex, height, mass = describe_person(quality)
    model = f" · model {quality.files.model.name}" if quality.files.model else ""
    facts = f"{sex} · {height} · {mass} · split: {quality.split}{model}"
    return join([facts, " · ", element("a", "the whole corpus", href="index.html")])


def _cards(quality: SubjectQuality) -> Html:
    clips = quality.clips
    rows = sum(shard.n_rows for shard in quality.files.shards)
    worst = max((clip.marker_rms_mm for clip in clips if isfinite(clip.marker_rms_mm)), default=None)
    scale = quality.files.scale
    audit = "-" if scale is None else "passed" if scale.passed else "failed"
    return cards(
        [
            (
                "scaling audit",
                audit,
                f"{number(scale.landmark_rms_m * 1e3)} mm landmark RMS" if scale else "no scaling",
            ),
            ("clips solved", len(clips), f"{sum(clip.n_rows for clip in clips)} frames"),
            ("worst clip", f"{number(worst)} mm", "RMS of all weighted markers"),
            ("training rows", rows, f"in {len(quality.files.shards)} shards"),
            ("failed units", len(quality.failures), "see below" if quality.failures else "none"),
        ]
    )


def _first_look(quality: SubjectQuality, scope: Scope) -> Html:
    return section("Look at first", "", look_list(attention(quality, scope), at_most=N_SHOWN))


def _scaling(quality: SubjectQuality, scope: Scope) -> Html:
    scale, bounds = quality.files.scale, scope.config.scaling
    says = (
        "Residuals of landmarks in the static pose, before markers are moved onto the data. OpenSim's guideline: RMS "
        "below 10 mm, largest below 20 mm. Factors stand relative to the generic model."
    )
    if scale is None:
        return section("Scaling", says, missing("Scaling", "movi-prep ik"))
    difference, where = asymmetry(quality)
    told = f"; {where}" if difference >= _TOLD_ASYMMETRY_PERCENT else ""
    factors = scale.body_factors
    rms_limit_mm, max_limit_mm = bounds.landmark_rms_limit_m * 1e3, bounds.landmark_max_limit_m * 1e3
    rms_mm, max_mm = scale.landmark_rms_m * 1e3, scale.landmark_max_m * 1e3
    facts: list[list[object]] = [
        ["audit", badge("good", "passed") if scale.passed else badge("bad", "failed"), "; ".join(scale.findings)],
        [
            "landmark RMS",
            judged(f"{number(rms_mm)} mm", judge(rms_mm, good=rms_limit_mm)),
            f"bound {rms_limit_mm:g} mm",
        ],
        [
            "largest landmark error",
            judged(f"{number(max_mm)} mm", judge(max_mm, good=max_limit_mm)),
            f"bound {max_limit_mm:g} mm; {_worst_landmark(scale, bounds.landmark_weight)}",
        ],
        [
            "scale factors",
            span(factors.min(), factors.max(), 3) if factors.size else "-",
            f"bounds {bounds.factor_min:g} to {bounds.factor_max:g}",
        ],
        [
            "left/right asymmetry",
            judged(f"{number(difference)} %", judge(difference, good=100.0 * bounds.asymmetry_limit)),
            f"bound {100.0 * bounds.asymmetry_limit:g} %{told}",
        ],
        ["mass of the scaled model", f"{number(scale.mass_kg)} kg", ""],
    ]
    return section("Scaling", says, table(("what", "value", "remark"), facts), _scale_details(scale))


def _worst_landmark(scale: ScaleResult, landmark_weight: float) -> str:
    errors = [
        (error_m, name)
        for name, weight, error_m in zip(scale.marker_names, scale.marker_weights, scale.marker_errors_m, strict=True)
        if weight >= landmark_weight and isfinite(error_m)
    ]
    return f"worst is {max(errors)[1]}" if errors else "no landmark is seen"


def _scale_details(scale: ScaleResult) -> Html:
    errors = sorted(
        zip(scale.marker_errors_m.tolist(), scale.marker_names, scale.marker_weights.tolist(), strict=True),
        key=lambda item: (not isfinite(item[0]), -item[0], item[1]),
    )
    markers = [[name, number(weight, 0), number(error_m * 1e3)] for error_m, name, weight in errors]
    measured = zip(scale.measurement_names, scale.measurement_factors.tolist(), strict=True)
    bodies = zip(scale.body_names, scale.body_factors.tolist(), strict=True)
    return join(
        [
            folded("Static residual of every marker", table(("marker", "weight#", "error, mm#"), markers)),
            folded(
                "Measurements",
                table(("measurement", "factor#"), [[name, number(value, 3)] for name, value in measured]),
            ),
            folded(
                "Factors of every body",
                table(("body", "X#", "Y#", "Z#"), [[name, *(number(v, 3) for v in values)] for name, values in bodies]),
            ),
        ]
    )


def _clips(quality: SubjectQuality) -> Html:
    says = (
        "Distance between the model's markers and the data's over usable frames. OpenSim's guideline: RMS below 20 mm, "
        "largest below 20 to 40 mm (above 20: check, above 40: over limit). The line over time spans 0 to 40 mm, "
        "dashed at 20; red ticks are frames without a usable pose. Jitter: RMS second difference of valid label angles "
        "per row, of which true acceleration is a part."
    )
    if not quality.clips:
        return section("Inverse kinematics", says, missing("Solutions", "movi-prep ik"))
    return section(
        "Inverse kinematics",
        says,
        table(CLIP_COLUMNS, clip_rows(quality.clips)),
        element("p", status_sentence(quality.clips)),
    )


def _markers(quality: SubjectQuality) -> Html:
    says = (
        "The residual vector of each marker in the frame of its body, over all usable frames of all clips. Its mean is "
        "bias: the marker sits wrong on the model, or the segment has the wrong length; more data do not help, moving "
        "the marker does. The deviation about it is soft tissue, tracking, or a joint that the model lacks. "
        "RMS² = bias² + deviation²."
    )
    worst = quality.biases[:N_WORST_MARKERS]
    if not worst:
        return section("Marker bias and variance", says, missing("Solutions", "movi-prep ik"))
    top = max(20.0, *(max(bias.bias_mm, bias.deviation_mm) for bias in worst))
    columns = (
        *("marker", "weight#", "in the frame of", "bias, mm#", "deviation, mm#", "RMS, mm#", "X, mm#", "Y, mm#"),
        *("Z, mm#", f"bias and deviation, 0 to {top:.0f} mm"),
    )
    rows = [
        [
            bias.name,
            number(bias.weight, 0),
            bias.body,
            number(bias.bias_mm),
            number(bias.deviation_mm),
            number(bias.rms_mm),
            *(f"{value:+.1f}" for value in bias.mean_mm),
            bias_bar(bias.bias_mm, bias.deviation_mm, top=top),
        ]
        for bias in worst
    ]
    shown = f"The {len(worst)} of {len(quality.biases)} weighted markers with the largest bias."
    key = colour_key(((BLUE, "bias"), (ORANGE, "standard deviation")))
    return section("Marker bias and variance", says, table(columns, rows), element("p", shown), key)


def _coordinates(quality: SubjectQuality, scope: Scope) -> Html:
    says = (
        f"What of the model's range the subject used. At a limit: within {degrees(AT_LIMIT_RAD):.1f} deg of an end; a "
        "coordinate that often is there is held by its bound, not by the data. Posterior deviation: how well the "
        f"markers determine the angle at the stated marker noise; above {scope.unseen_deg:.1f} deg it is not seen."
    )
    if not quality.uses:
        return section("Coordinates", says, missing("Solutions", "movi-prep ik"))
    ordered = sorted(
        quality.uses,
        key=lambda use: (not use.free, -use.at_limit_percent, -quality.deviations_deg.get(use.name, 0.0), use.name),
    )
    columns = (
        *("coordinate", "range of the model and its use", "model, deg", "used, deg", "at a limit, %#"),
        *("beyond, deg#", "posterior deviation, deg#", "jitter, deg#", "valid labels, %#"),
    )
    rows = [_coordinate_row(use, quality.deviations_deg, scope.unseen_deg) for use in ordered]
    key = ((TRACK, "range of the model"), (PALE, "all values"), (BLUE, "5th to 95th percentile"), (LINE, "zero"))
    return section("Coordinates", says, colour_key(key), table_with_rest(columns, rows, at_most=N_COORDINATES))


def _coordinate_row(use: CoordinateUse, deviations_deg: dict[str, float], unseen_deg: float) -> list[object]:
    low, high = use.model_range_deg
    bounded = isfinite(low) and isfinite(high)
    deviation = deviations_deg.get(use.name)
    return [
        use.name if use.free else f"{use.name} (coupled or locked)",
        range_bar(use.model_range_deg, use.used_deg, use.middle_deg) if bounded else "no range",
        span(low, high, 0) if bounded else "-",
        span(*use.used_deg),
        judged(number(use.at_limit_percent), "check" if use.often_at_limit else "good" if use.free else "none"),
        number(use.beyond_deg) if use.beyond_deg > 0.05 else "0",
        "-" if deviation is None else deviation_cell(deviation, unseen_deg),
        number(use.jitter_deg, 2),
        number(use.valid_percent),
    ]


def deviation_cell(deviation_deg: float, unseen_deg: float) -> Html:
    """Return a posterior deviation, with a word where the coordinate is not seen."""
    if deviation_deg <= unseen_deg:
        return judged(number(deviation_deg, 2), "good")
    text = number(deviation_deg, 1) if isfinite(deviation_deg) else "undetermined"
    return join([element("span", text, class_="value bad"), badge("bad", "not seen")], " ")


def _beside(quality: SubjectQuality, scope: Scope) -> Html:
    if scope.beside is None:
        return Html("")
    says = describe_beside(quality.files.model, quality.beside_model, scope.beside.root.name)
    if not any(clip.clip in quality.beside for clip in quality.clips):
        return section("Beside", says, element("p", "No clip is solved in both.", class_="missing"))
    return section("Beside", says, beside_table(quality.clips, quality.beside))


def describe_beside(model: ModelFacts | None, other: ModelFacts | None, folder: str) -> str:
    """Return what the two sides of a comparison are."""
    ours, theirs = (facts.name if facts is not None else "unknown" for facts in (model, other))
    return (
        f"The same clips solved here (model {ours}) and beside, in work folder {folder} (model {theirs}). Common "
        "markers: those that both solutions track, with equal weight per marker."
    )


def _alignment(quality: SubjectQuality) -> Html:
    says = (
        "Agreement of AMASS with V3D's joint centres, clip by clip: time lag, the rigid motion between them, and what "
        "remains after it."
    )
    alignment = quality.files.alignment
    if alignment is None:
        return section("Alignment", says, missing("Alignment", "movi-prep shard"))
    pictures = [item for shard in quality.files.shards for item in shard.pictures]
    if not pictures:
        return section("Alignment", says, alignment_table(alignment.clips))
    seen = (
        "Pictures against the body that the calibration projects into them: the correlation of where the picture "
        "changes with where the body moves (0 by chance, 1 at best), how late the picture is, how far it lies beside "
        "the body, and the agreement through the calibration of another camera, which is larger where files are "
        "exchanged. Clips that were left out for their pictures stand among the warnings."
    )
    explanation = element("p", seen, class_="explanation")
    return section("Alignment", says, alignment_table(alignment.clips), explanation, picture_table(pictures))


def _shards(quality: SubjectQuality) -> Html:
    says = "Crops as training reads them, with the labels of the file drawn on them."
    if not quality.files.shards:
        return section("Shards and pictures", says, missing("Shards", "movi-prep shard"))
    key = (("#28a0ff", "SMPL joints"), ("#ffeb3c", "markers of the data"), (RED, "markers of the fitted model"))
    axes = "Red, green and blue lines are the pelvis' X (forward), Y (up) and Z (right), 15 cm."
    return section(
        "Shards and pictures",
        says,
        table(SHARD_COLUMNS, shard_rows(quality.files.shards)),
        colour_key(key),
        element("p", axes, class_="explanation"),
        *_strips(quality),
    )


def _strips(quality: SubjectQuality) -> Sequence[Html]:
    return [join([element("h3", shard.camera), draw_strip(shard.path)]) for shard in quality.files.shards]
