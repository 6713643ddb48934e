"""Parts of pages that AMASS subjects and marker files share: scaling, residuals, bias, coordinates."""

from __future__ import annotations

from math import degrees, isfinite
from typing import TYPE_CHECKING

from movi_prep.pages.html import Html, badge, element, folded, join, judged, missing, section, table
from movi_prep.records.marker_set import FLOOR_PREFIX
from movi_prep.report.charts import BLUE, LINE, ORANGE, PALE, TRACK, bias_bar, colour_key, range_bar
from movi_prep.report.tables import CLIP_COLUMNS, clip_rows, number, shortened, span, status_sentence
from movi_prep.report.verdicts import AT_LIMIT_RAD, AUDIT_VERDICTS, judge, largest_asymmetry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from movi_prep.config.scaling import ScalingSettings
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.report.measures import ClipMeasures, CoordinateUse, MarkerBias

N_WORST_MARKERS = 15
N_COORDINATES = 20
_TOLD_ASYMMETRY_PERCENT = 0.1


def scaling_section(scale: ScaleResult | None, bounds: ScalingSettings, *, are_details_open: bool = False) -> Html:
    """Return the audit of scaling: residuals of the static pose, factors, and the bounds beside them."""
    says = (
        "Residuals of landmarks: in the static pose, before markers are moved onto the data, or, where the subject is "
        "scaled by motion, their RMS over the frames used. OpenSim's guideline: RMS below 10 mm, largest below 20 mm. "
        "Factors are relative to the generic model."
    )
    if scale is None:
        return section("Scaling", says, missing("Scaling", "movi-prep ik"))
    if any(name.startswith(FLOOR_PREFIX) for name in scale.marker_names):
        says += f" Markers {FLOOR_PREFIX}* are others of the feet, dropped onto the floor."
    # A tenth of a percent is rounding of a model that is mirrored.
    difference, where = largest_asymmetry(scale)
    told = f"; {where}" if difference >= _TOLD_ASYMMETRY_PERCENT else ""
    factors = scale.body_factors
    rms_limit_mm, max_limit_mm = bounds.landmark_rms_limit_m * 1e3, bounds.landmark_max_limit_m * 1e3
    rms_mm, max_mm = scale.landmark_rms_m * 1e3, scale.landmark_max_m * 1e3
    facts: list[list[object]] = [
        ["audit", badge(AUDIT_VERDICTS[scale.audit], scale.audit), _n_findings(scale)],
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
    said = shortened(scale.findings) if scale.findings else ""
    details = _scale_details(scale, is_open=are_details_open)
    return section("Scaling", says, table(("what", "value", "remark"), facts), said, details)


def _n_findings(scale: ScaleResult) -> str:
    count = len(scale.findings)
    return f"{count} finding{'s' * (count > 1)}, below" if count else ""


def _worst_landmark(scale: ScaleResult, landmark_weight: float) -> str:
    errors = [
        (error_m, name)
        for name, weight, error_m in zip(scale.marker_names, scale.marker_weights, scale.marker_errors_m, strict=True)
        if weight >= landmark_weight and isfinite(error_m)
    ]
    return f"worst is {max(errors)[1]}" if errors else "no landmark is seen"


def _scale_details(scale: ScaleResult, *, is_open: bool) -> Html:
    errors = sorted(
        zip(scale.marker_errors_m.tolist(), scale.marker_names, scale.marker_weights.tolist(), strict=True),
        key=lambda item: (not isfinite(item[0]), -item[0], item[1]),
    )
    markers = [[name, f"{weight:g}", number(error_m * 1e3)] for error_m, name, weight in errors]
    bodies = zip(scale.body_names, scale.body_factors.tolist(), strict=True)
    return join(
        [
            folded(
                "Residual of every marker",
                table(("marker", "weight#", "error, mm#"), markers, shown=N_WORST_MARKERS),
                is_open=is_open,
            ),
            folded("Measurements", _measurement_table(scale), is_open=is_open),
            folded(
                "Factors of every body",
                table(("body", "X#", "Y#", "Z#"), [[name, *(number(v, 3) for v in values)] for name, values in bodies]),
                is_open=is_open,
            ),
        ]
    )


def _measurement_table(scale: ScaleResult) -> Html:
    """Return the measurements: every marker pair where it is known, those first that agree least with their factor."""
    factors = dict(zip(scale.measurement_names, scale.measurement_factors.tolist(), strict=True))
    if not scale.distances:
        return table(("measurement", "factor#"), [[name, number(value, 3)] for name, value in factors.items()])
    apart = {item: 100.0 * (item.ratio / factors[item.measurement] - 1.0) for item in scale.distances}
    columns = ("measurement", "markers", "subject, mm#", "generic model, mm#", "ratio#", "factor#", "ratio off by, %#")
    return table(
        columns,
        [
            [
                item.measurement,
                f"{item.first} to {item.second}",
                number(1e3 * item.measured_m),
                number(1e3 * item.model_m),
                number(item.ratio, 3),
                number(factors[item.measurement], 3),
                number(percent),
            ]
            for item, percent in sorted(apart.items(), key=lambda pair: -abs(pair[1]))
        ],
        shown=N_WORST_MARKERS,
    )


def residuals_section(clips: Sequence[ClipMeasures], *, pages: Mapping[str, str], what: str = "clip") -> Html:
    """Return the residuals of each clip, or of each of whatever was tracked.

    Args:
        clips: in numbers.
        pages: name of a clip -> address of the page on which it moves, for those that have one.
        what: what they are.
    """
    says = (
        "Distance between the model's markers and the data's over usable frames. OpenSim's guideline: RMS below 20 mm, "
        "largest below 20 to 40 mm (above 20: check, above 40: over limit). The line over time spans 0 to 40 mm, "
        "dashed at 20; red ticks are frames without a usable pose. Jitter: RMS second difference of valid angles "
        "per row, of which true acceleration is a part."
    )
    if not clips:
        return section("Inverse kinematics", says, missing("Solutions", "movi-prep ik"))
    return section(
        "Inverse kinematics",
        says,
        table((what, *CLIP_COLUMNS[1:]), clip_rows(clips, pages=pages)),
        element("p", status_sentence(clips)),
    )


def bias_section(biases: Sequence[MarkerBias]) -> Html:
    """Return the constant part of each marker's residual, the largest first."""
    says = (
        "The residual vector of each marker in the frame of its body, over all usable frames of all clips. Its mean is "
        "bias: the marker sits wrong on the model, or the segment has the wrong length; more data do not help, moving "
        "the marker does. The deviation about it is soft tissue, tracking, or a joint that the model lacks. "
        "RMS² = bias² + deviation²."
    )
    if not biases:
        return section("Marker bias and variance", says, missing("Solutions", "movi-prep ik"))
    # One scale for all rows, never finer than OpenSim's guideline.
    top = max(20.0, *(max(bias.bias_mm, bias.deviation_mm) for bias in biases))
    columns = (
        *("marker", "weight#", "in the frame of", "bias, mm#", "deviation, mm#", "RMS, mm#", "X, mm#", "Y, mm#"),
        *("Z, mm#", f"bias and deviation, 0 to {top:.0f} mm"),
    )
    rows = [
        [
            bias.name,
            f"{bias.weight:g}",
            bias.body,
            number(bias.bias_mm),
            number(bias.deviation_mm),
            number(bias.rms_mm),
            *(f"{value:+z.1f}" for value in bias.mean_mm),
            bias_bar(bias.bias_mm, bias.deviation_mm, top=top),
        ]
        for bias in biases
    ]
    key = colour_key(((BLUE, "bias"), (ORANGE, "standard deviation")))
    return section("Marker bias and variance", says, key, table(columns, rows, shown=N_WORST_MARKERS))


def coordinates_section(uses: Sequence[CoordinateUse], deviations_deg: dict[str, float], *, unseen_deg: float) -> Html:
    """Return how much of the model's ranges was used, and how well the markers determine each coordinate."""
    says = (
        f"What of the model's range the subject used. At a limit: within {degrees(AT_LIMIT_RAD):.1f} deg of an end; a "
        "coordinate that often is there is held by its bound, not by the data. Deviation: how far the angle may be "
        f"from the bone's, as a standard deviation (docs/deviation.md); above {unseen_deg:.1f} deg it is not seen."
    )
    if not uses:
        return section("Coordinates", says, missing("Solutions", "movi-prep ik"))
    # Coordinates that ought to be looked at first: those at a limit, then those that are least seen.
    ordered = sorted(
        uses,
        key=lambda use: (not use.free, -use.at_limit_percent, -deviations_deg.get(use.name, 0.0), use.name),
    )
    columns = (
        *("coordinate", "range of the model and its use", "model, deg", "used, deg", "at a limit, %#"),
        *("beyond, deg#", "deviation, deg#", "jitter, deg#", "valid angles, %#"),
    )
    rows = [_coordinate_row(use, deviations_deg, unseen_deg) for use in ordered]
    key = ((TRACK, "range of the model"), (PALE, "all values"), (BLUE, "5th to 95th percentile"), (LINE, "zero"))
    return section("Coordinates", says, colour_key(key), table(columns, rows, shown=N_COORDINATES))


def _coordinate_row(use: CoordinateUse, deviations_deg: dict[str, float], unseen_deg: float) -> list[object]:
    low, high = use.model_range_deg
    bounded = isfinite(low) and isfinite(high)
    deviation = deviations_deg.get(use.name)
    return [
        use.name if use.free else f"{use.name} (coupled, locked or held)",
        range_bar(use.model_range_deg, use.used_deg, use.middle_deg) if bounded else "no range",
        span(low, high, 0) if bounded else "-",
        span(*use.used_deg),
        judged(number(use.at_limit_percent), "check" if use.often_at_limit else "good" if use.free else "none"),
        number(use.beyond_deg) if use.beyond_deg > 0.05 else "0",
        # What is led, locked or held need not be seen by markers.
        "-" if deviation is None or not use.free else deviation_cell(deviation, unseen_deg),
        number(use.jitter_deg, 2),
        number(use.valid_percent),
    ]


def deviation_cell(deviation_deg: float, unseen_deg: float) -> Html:
    """Return a deviation, with a word where the coordinate is not seen."""
    if deviation_deg <= unseen_deg:
        return judged(number(deviation_deg, 2), "good")
    text = number(deviation_deg, 1) if isfinite(deviation_deg) else "undetermined"
    return join([element("span", text, class_="value bad"), badge("bad", "not seen")], " ")
