"""The page of the whole corpus: counts, subjects, residuals, observability, alignment, shards, failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.pages.assets import page
from movi_prep.pages.html import (
    Html,
    anchor,
    badge,
    cards,
    counted,
    element,
    join,
    judged,
    missing,
    section,
    table,
)
from movi_prep.plain_text import count_of
from movi_prep.report.charts import BLUE, ORANGE, bias_bar, colour_key, histogram, value_bar
from movi_prep.report.looks import Look, most_urgent_first, unreadable
from movi_prep.report.measures import CLIP_GUIDELINES, biases_over_subjects, median_deviations_deg
from movi_prep.report.quality import asymmetry, attention
from movi_prep.report.sections import deviation_cell
from movi_prep.report.subject import describe_beside, describe_person
from movi_prep.report.subsets import subset_section, subsets_of
from movi_prep.report.tables import (
    CLIP_COLUMNS,
    SHARD_COLUMNS,
    alignment_table,
    beside_table,
    clip_rows,
    failure_list,
    look_list,
    number,
    shard_rows,
    shortened,
    span,
    status_sentence,
)
from movi_prep.report.verdicts import (
    AUDIT_VERDICTS,
    IK_MAX_LIMITS_MM,
    IK_RMS_LIMIT_MM,
    judge,
    judge_max,
    judge_rms,
    judge_valid,
)
from movi_prep.stages.order import ORDER, entries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.records.alignment import ClipAlignment
    from movi_prep.report.measures import ClipMeasures
    from movi_prep.report.quality import Scope, SubjectQuality

N_WORST_CLIPS = 15
N_COORDINATES = 20
N_SHARDS = 20
N_MARKERS = 15
N_FIRST = 25

_TITLES = (
    *("Look at first", "Stages", "Left out", "Subsets", "Subjects", "Inverse kinematics", "Markers", "Observability"),
    *("Alignment", "Shards", "Failures"),
)


def write_corpus_page(qualities: Sequence[SubjectQuality], scope: Scope, *, problems: Sequence[str]) -> str:
    """Return the page of the corpus; `problems` are records that cannot be read."""
    clips = [clip for quality in qualities for clip in quality.clips]
    return page(
        "Quality of the corpus",
        _subtitle(qualities, clips, scope),
        element("nav", *(element("a", title, href=f"#{anchor(title)}") for title in _titles(scope))),
        _cards(qualities, clips, scope),
        _first_look(qualities, scope, problems),
        _stages(scope),
        _left_out(qualities, scope),
        *([subset_section(qualities, scope.outcomes)] if subsets_of(scope.outcomes) else []),
        _subjects(qualities, scope),
        _kinematics(clips),
        _markers(qualities),
        _beside(qualities, clips, scope),
        _observability(clips, scope),
        _alignment(qualities),
        _shards(qualities, scope),
        section("Failures", "Units that ended with an error, and the command that repeats each.",
                failure_list([outcome for outcome in scope.outcomes if outcome.status == "failed"])),
    )  # fmt: skip


def _subtitle(qualities: Sequence[SubjectQuality], clips: Sequence[ClipMeasures], scope: Scope) -> Html:
    counts = f"{count_of(len(qualities), 'subject')}, {count_of(len(clips), 'clip')} solved"
    said = f"{scope.work.title}: {counts}"
    if not (scope.work.view() / "index.html").is_file():
        return join([said])
    return join([said, " · ", element("a", "clips that move", href="../view/index.html")])


def _titles(scope: Scope) -> tuple[str, ...]:
    """Return the titles of the sections that the page has."""
    return tuple(title for title in _TITLES if title != "Subsets" or subsets_of(scope.outcomes))


def _cards(qualities: Sequence[SubjectQuality], clips: Sequence[ClipMeasures], scope: Scope) -> Html:
    rms = np.array([clip.marker_rms_mm for clip in clips])
    # Over clips that have a pose: a clip without any has no RMS.
    median = float(np.median(rms[np.isfinite(rms)])) if np.isfinite(rms).any() else float("nan")
    n_failed = sum(outcome.status == "failed" for outcome in scope.outcomes)
    scaled = [quality.files.scale for quality in qualities if quality.files.scale is not None]
    n_frames = sum(clip.n_rows for clip in clips)
    # Weighted by frames: a mean over clips would let short clips count as much as long ones.
    valid = sum(clip.valid_percent * clip.n_rows for clip in clips) / n_frames if n_frames else None
    shards = [shard for quality in qualities for shard in quality.files.shards]
    return cards(
        [
            (
                "subjects",
                len(qualities),
                f"{sum(scale.passed for scale in scaled)} of {len(scaled)} sound by the audit",
            ),
            ("clips solved", len(clips), count_of(n_frames, "frame")),
            ("median clip", f"{number(median)} mm", "RMS of all weighted markers"),
            ("valid angles", f"{number(valid)} %", "of all angles"),
            ("training rows", sum(shard.n_rows for shard in shards), f"in {count_of(len(shards), 'shard')}"),
            ("failed units", n_failed, f"of {len(scope.outcomes)}"),
        ]
    )


def _first_look(qualities: Sequence[SubjectQuality], scope: Scope, problems: Sequence[str]) -> Html:
    found = [unreadable(problem) for problem in problems]
    left_out_means = "It was asked for, and has no rows."
    found += [Look("bad", text, left_out_means, "See Left out, below.") for text in scope.plan.left_out]
    if scope.plan.outdated:
        n_files = sum(len(item.files) for item in scope.plan.outdated)
        means = "Training would read files that are out of date."
        found.append(
            Look("bad", f"{count_of(n_files, 'shard file')} outdated", means, "Shards, below, has the command.")
        )
    for quality in qualities:
        name = quality.files.subject
        link = element("a", name, href=f"{name}.html")
        found += [replace(look, says=join([link, ": ", look.says])) for look in attention(quality, scope)]
    return section("Look at first", "", look_list(most_urgent_first(found), at_most=N_FIRST))


def _stages(scope: Scope) -> Html:
    says = "Units by their records. Units that never ran have none: movi-prep status names them."
    rows = []
    asked = entries_of("shard", scope.config)
    for entry in ORDER:
        units = [outcome for outcome in scope.outcomes if outcome.stage == entry.name]
        # A layout that the configuration does not ask for is not missing.
        if not units and entry not in asked:
            continue
        failed = sum(outcome.status == "failed" for outcome in units)
        rows.append(
            [
                entry.name,
                len(units) - failed if units else "not there yet",
                counted(failed, "bad", "failed"),
                f"{sum(outcome.seconds for outcome in units):.0f}" if units else "-",
                f"{max(outcome.peak_memory_mb for outcome in units):.0f}" if units else "-",
            ]
        )
    return section("Stages", says, table(("stage", "done#", "failed#", "work, s#", "peak memory, MB#"), rows))


def _left_out(qualities: Sequence[SubjectQuality], scope: Scope) -> Html:
    says = (
        "What has no rows in the shards, and why: stages and cameras for which there are no data, clips that were "
        "refused, keys that the configuration excludes. Below it what of the data was passed over or is not there."
    )
    shards = [shard for quality in qualities for shard in quality.files.shards]
    clips = [f"{clip} of {shard.camera}: {why}" for shard in shards for clip, why in shard.left_out]
    if not shards:
        # Files in D3KE's layout cannot say it themselves; the records of their units do.
        units = [outcome for outcome in scope.outcomes if outcome.stage == "shard_d3ke"]
        clips = [f"{unit.key} {text}" for unit in units for text in unit.warnings]
    excluded = [f"{key}: excluded by the configuration" for key in scope.config.exclude]
    found = [*scope.plan.left_out, *excluded, *clips]
    listed = shortened(found, at_most=N_FIRST) if found else element("p", "Nothing is left out.")
    data = shortened(scope.plan.data) if scope.plan.data else ""
    return section("Left out", says, listed, element("h3", "Data") if data else "", data)


def _subjects(qualities: Sequence[SubjectQuality], scope: Scope) -> Html:
    says = (
        "Scaling is judged by the audit (landmarks: RMS below 10 mm, largest below 20 mm; factors in range; left and "
        "right alike), inverse kinematics by OpenSim's guideline (RMS below 20 mm)."
    )
    columns = (
        *("subject", "split", "sex", "height#", "mass#", "audit", "landmark RMS, mm#", "largest, mm#", "factors"),
        *("left/right, %#", "clips#", "median clip RMS, mm#", "worst clip RMS, mm#", "rows#", "failed#"),
    )
    return section("Subjects", says, table(columns, [_subject_row(quality, scope) for quality in qualities]))


def _subject_row(quality: SubjectQuality, scope: Scope) -> list[object]:
    name = quality.files.subject
    rms = [clip.marker_rms_mm for clip in quality.clips if isfinite(clip.marker_rms_mm)]
    median, worst = (float(np.median(rms)), max(rms)) if rms else (float("nan"), float("nan"))
    return [
        element("a", name, href=f"{name}.html"),
        quality.split,
        *describe_person(quality),
        *_scale_cells(quality, scope),
        len(quality.clips),
        judged(number(median), judge_rms(median)),
        judged(number(worst), judge_rms(worst)),
        sum(shard.n_rows for shard in quality.files.shards),
        counted(len(quality.failures), "bad", "failed"),
    ]


def _scale_cells(quality: SubjectQuality, scope: Scope) -> list[object]:
    scale, bounds = quality.files.scale, scope.config.scaling
    if scale is None:
        return [badge("none", "not there yet"), "-", "-", "-", "-"]
    rms_mm, max_mm = scale.landmark_rms_m * 1e3, scale.landmark_max_m * 1e3
    difference, _ = asymmetry(quality)
    factors = scale.body_factors
    return [
        badge(AUDIT_VERDICTS[scale.audit], scale.audit),
        judged(number(rms_mm), judge(rms_mm, good=bounds.landmark_rms_limit_m * 1e3)),
        judged(number(max_mm), judge(max_mm, good=bounds.landmark_max_limit_m * 1e3)),
        span(factors.min(), factors.max(), 2) if factors.size else "-",
        judged(number(difference), judge(difference, good=100.0 * bounds.asymmetry_limit)),
    ]


def _kinematics(clips: Sequence[ClipMeasures]) -> Html:
    says = (
        "Marker RMS of each clip over its usable frames. Landmarks (heavy weights) and tracking markers are shown "
        "apart: landmarks decide whether a label is valid. OpenSim's guideline: RMS below 20 mm, largest below 20 to "
        "40 mm."
    )
    if not clips:
        return section("Inverse kinematics", says, missing("Solutions", "movi-prep ik"))
    charts = element(
        "div",
        _spread(clips, "landmark_rms_mm", "landmarks, RMS per clip"),
        _spread(clips, "tracking_rms_mm", "tracking markers, RMS per clip"),
        _spread(clips, "max_mm", "largest residual per clip", limit=IK_MAX_LIMITS_MM[1]),
        class_="charts",
    )
    # A clip without a single pose has no RMS: it is the worst.
    worst = sorted(clips, key=lambda clip: (-np.nan_to_num(clip.marker_rms_mm, nan=np.inf), clip.clip))[:N_WORST_CLIPS]
    return section(
        "Inverse kinematics",
        says,
        charts,
        _summary(clips),
        element("p", _verdict_sentence(clips)),
        element("p", status_sentence(clips)),
        element(
            "h3",
            "All clips, the largest RMS first"
            if len(worst) == len(clips)
            else f"The {count_of(len(worst), 'clip')} with the largest RMS",
        ),
        table(CLIP_COLUMNS, clip_rows(worst, links=True)),
    )


def _spread(clips: Sequence[ClipMeasures], field: str, caption: str, *, limit: float = IK_RMS_LIMIT_MM) -> Html:
    values = np.array([getattr(clip, field) for clip in clips], dtype=np.float64)
    return histogram(values, unit="mm", limit=limit, caption=caption)


_SUMMARY = (
    *((name, field, "mm", guideline) for name, field, guideline in CLIP_GUIDELINES),
    ("valid angles", "valid_percent", "%", judge_valid),
    ("jitter (second difference per row)", "jitter_deg", "deg", None),
)
"""What the report shows of all clips: name, field of ClipMeasures, unit, and the guideline."""


_SPREADS: tuple[tuple[int, tuple[str, ...], tuple[int, ...]], ...] = (
    (10, ("smallest#", "10th percentile#", "median#", "90th percentile#", "largest#"), (0, 10, 50, 90, 100)),
    (2, ("smallest#", "median#", "largest#"), (0, 50, 100)),
    (0, ("the only clip#",), (50,)),
)
"""From how many clips on which columns, and which percentiles they hold."""


def _summary(clips: Sequence[ClipMeasures]) -> Html:
    # For few clips, the values themselves say as much as percentiles.
    columns, percentiles = next((names, at) for least, names, at in _SPREADS if len(clips) >= least)
    rows = []
    for name, field, unit, guideline in _SUMMARY:
        values = np.array([getattr(clip, field) for clip in clips], dtype=np.float64)
        # Kinds of markers that a clip lacks are NaN, and would make every percentile NaN.
        values = values[np.isfinite(values)]
        spread = np.percentile(values, percentiles).tolist() if values.size else [float("nan")] * len(percentiles)
        digits = 2 if unit == "deg" else 1
        cells = [judged(number(v, digits), guideline(v)) if guideline else number(v, digits) for v in spread]
        rows.append([f"{name}, {unit}", *cells])
    return table(("per clip", *columns), rows)


def _markers(qualities: Sequence[SubjectQuality]) -> Html:
    says = (
        "Bias (mean residual vector in the frame of the marker's body) and standard deviation, medians over subjects. "
        "A bias that subjects share comes from the model or the marker set, not from a subject."
    )
    biases = biases_over_subjects([quality.biases for quality in qualities])
    if not biases:
        return section("Markers", says, missing("Solutions", "movi-prep ik"))
    top = max(20.0, *(max(bias_mm, deviation_mm) for _, _, bias_mm, deviation_mm in biases))
    rows = [
        [name, count, number(bias_mm), number(deviation_mm), bias_bar(bias_mm, deviation_mm, top=top)]
        for name, count, bias_mm, deviation_mm in biases
    ]
    columns = ("marker", "subjects#", "bias, mm#", "deviation, mm#", f"bias and deviation, 0 to {top:.0f} mm")
    key = colour_key(((BLUE, "bias"), (ORANGE, "standard deviation")))
    return section("Markers", says, key, table(columns, rows, shown=N_MARKERS))


def _verdict_sentence(clips: Sequence[ClipMeasures]) -> str:
    by_rms = Counter(judge_rms(clip.marker_rms_mm) for clip in clips)
    by_max = Counter(judge_max(clip.max_mm) for clip in clips)
    return (
        f"RMS: {by_rms['good']} of {count_of(len(clips), 'clip')} below {IK_RMS_LIMIT_MM:.0f} mm. Largest residual: "
        f"{by_max['good']} are below {IK_MAX_LIMITS_MM[0]:.0f} mm, {by_max['check']} between, "
        f"{by_max['bad']} above {IK_MAX_LIMITS_MM[1]:.0f} mm."
    )


def _beside(qualities: Sequence[SubjectQuality], clips: Sequence[ClipMeasures], scope: Scope) -> Html:
    if scope.beside is None:
        return Html("")
    beside = {clip: measures for quality in qualities for clip, measures in quality.beside.items()}
    both = [clip for clip in clips if clip.clip in beside]
    first = next((quality for quality in qualities if quality.beside), qualities[0] if qualities else None)
    models = (first.files.model, first.beside_model) if first else (None, None)
    says = describe_beside(*models, scope.beside.title)
    if not both:
        return section("Beside", says, element("p", "No clip is solved in both.", class_="missing"))
    solvers = ", ".join(sorted({clip.solver for clip in both}))
    others = ", ".join(sorted({beside[clip.clip].solver for clip in both}))
    return section(
        "Beside",
        f"{says} Solvers: {solvers} here, {others} there.",
        beside_table(both, beside),
    )


def _observability(clips: Sequence[ClipMeasures], scope: Scope) -> Html:
    says = (
        "How far each angle may be from the bone's: its standard deviation (docs/deviation.md), median over clips. "
        f"What the markers do not see (above {scope.unseen_deg:.1f} deg) is the solver's default, not a measurement: "
        "training must not learn it."
    )
    deviations = median_deviations_deg(clips)
    if not deviations:
        return section("Observability", says, missing("Deviations", "movi-prep ik --solver converged"))
    unseen = [name for name, value in deviations.items() if not value <= scope.unseen_deg]
    named = (
        f"Not determined: {', '.join(unseen)}." if unseen else f"The markers determine all {len(deviations)} angles."
    )
    columns = ("coordinate", "deviation, deg#", "0 to twice the bound")
    rows = [
        [
            name,
            deviation_cell(value, scope.unseen_deg),
            value_bar(value, top=2 * scope.unseen_deg, limit=scope.unseen_deg),
        ]
        for name, value in deviations.items()
    ]
    shown = table(columns, rows, shown=N_COORDINATES)
    return section("Observability", says, element("p", named), shown)


def _alignment(qualities: Sequence[SubjectQuality]) -> Html:
    says = "Agreement with the joint centres of the session: the worst clips; the subjects' pages list all."
    clips = [
        clip for quality in qualities if quality.files.alignment is not None for clip in quality.files.alignment.clips
    ]
    if not clips:
        return section("Alignment", says, missing("Alignment", "movi-prep shard"))
    suspects = sum(clip.is_suspect for clip in clips)
    measured = sum(clip.rotation_deg is not None for clip in clips)
    sentence = f"{count_of(len(clips), 'clip')}, {measured} of them measured, {suspects} suspect."
    worst = sorted(clips, key=_misalignment, reverse=True)[:N_WORST_CLIPS]
    return section("Alignment", says, element("p", sentence), alignment_table(worst))


def _misalignment(clip: ClipAlignment) -> tuple[bool, float, float]:
    """Return what clips are ordered by: suspects first, then by offset and lag."""
    return clip.is_suspect, abs(clip.offset_m or 0.0), abs(clip.lag_s or 0.0)


def _shards(qualities: Sequence[SubjectQuality], scope: Scope) -> Html:
    says = "What training reads. Refused frames lie within a clip's flags and have no row; each has a reason."
    shards = [shard for quality in qualities for shard in quality.files.shards]
    d3ke = sorted(scope.work.d3ke_shards().glob("*"))
    told = (
        f"D3KE layout: {count_of(len(d3ke), 'file')}, {sum(path.stat().st_size for path in d3ke) / 1e6:.1f} MB."
        if d3ke
        else ""
    )
    outdated = _outdated(scope)
    if not shards:
        return section("Shards", says, outdated, missing("Native shards", "movi-prep shard"), element("p", told))
    rows, n_bytes = sum(shard.n_rows for shard in shards), sum(shard.n_bytes for shard in shards)
    refused = sum(shard.n_refused for shard in shards)
    total = (
        f"{count_of(len(shards), 'shard')}, {count_of(rows, 'row')}, {n_bytes / 1e6:.1f} MB; "
        f"{count_of(refused, 'frame')} refused. {told}"
    )
    # Most refused frames first: those are the shards to look at.
    shown = sorted(shards, key=lambda shard: (-shard.n_refused, shard.path.name))
    listed = table(SHARD_COLUMNS, shard_rows(shown), shown=N_SHARDS)
    return section("Shards", says, outdated, element("p", total), listed)


def _outdated(scope: Scope) -> Html:
    """Return a table of the shards that are out of date; nothing if there are none."""
    if not scope.plan.outdated:
        return Html("")
    items = [
        join(
            [
                *(element("strong", ", ".join(item.files)), f": {item.reason}"),
                *(element("br"), "redo: ", element("code", item.redo)),
            ]
        )
        for item in scope.plan.outdated
    ]
    says = "These files are out of date, but training would read them."
    return join([element("p", badge("bad", "outdated"), " ", says), shortened(items)])
