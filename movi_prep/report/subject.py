"""The page of one subject: scaling, residuals, bias against variance, ranges, alignment, pictures, failures."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from movi_prep.pages.assets import page
from movi_prep.pages.html import (
    Html,
    anchor,
    cards,
    element,
    explain,
    join,
    missing,
    section,
    table,
)
from movi_prep.plain_text import count_of
from movi_prep.records.marker_set import FLOOR_PREFIX
from movi_prep.report.charts import RED, colour_key
from movi_prep.report.curves import curves_section
from movi_prep.report.pictures import draw_strip
from movi_prep.report.quality import attention
from movi_prep.report.sections import bias_section, coordinates_section, residuals_section, scaling_section
from movi_prep.report.tables import (
    N_SHOWN,
    SHARD_COLUMNS,
    alignment_table,
    beside_table,
    failure_list,
    finding_list,
    look_list,
    number,
    picture_table,
    shard_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.report.quality import Scope, SubjectQuality

_TITLES = (
    *("Look at first", "Scaling", "Inverse kinematics", "Marker bias and variance", "Coordinates", "Angles"),
    *("Alignment", "Shards and pictures", "Failures", "Findings"),
)


def write_subject_page(quality: SubjectQuality, scope: Scope) -> str:
    """Return the page of one subject."""
    return page(
        quality.files.subject,
        _subtitle(quality),
        element("nav", *(element("a", title, href=f"#{anchor(title)}") for title in _TITLES)),
        _cards(quality),
        _first_look(quality, scope),
        scaling_section(quality.files.scale, scope.config.scaling),
        residuals_section(quality.clips, pages={item.name: item.page for item in quality.curves if item.page}),
        bias_section(quality.biases),
        coordinates_section(quality.uses, quality.deviations_deg, unseen_deg=scope.unseen_deg),
        curves_section(quality.curves),
        _beside(quality, scope),
        _alignment(quality),
        _shards(quality),
        section("Failures", "Units that ended with an error, and the command that repeats each.",
                failure_list(quality.failures)),
        section("Findings", "The findings of the stages themselves.", finding_list(quality.outcomes)),
    )  # fmt: skip


def describe_person(quality: SubjectQuality) -> tuple[str, str, str]:
    """Return sex, height and mass with units; `-` where they are not known."""
    trial, scale = quality.files.trial, quality.files.scale
    # Scaling repeats numbers of the static trial; either may be missing.
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
    audit = "-" if scale is None else str(scale.audit)
    return cards(
        [
            (
                "scaling audit",
                audit,
                f"{number(scale.landmark_rms_m * 1e3)} mm landmark RMS" if scale else "no scaling",
            ),
            ("clips solved", len(clips), count_of(sum(clip.n_rows for clip in clips), "frame")),
            ("worst clip", f"{number(worst)} mm", "RMS of all weighted markers"),
            ("training rows", rows, f"in {count_of(len(quality.files.shards), 'shard')}"),
            ("failed units", len(quality.failures), "see below" if quality.failures else "none"),
        ]
    )


def _first_look(quality: SubjectQuality, scope: Scope) -> Html:
    return section("Look at first", "", look_list(attention(quality, scope), at_most=N_SHOWN))


def _beside(quality: SubjectQuality, scope: Scope) -> Html:
    if scope.beside is None:
        return Html("")
    says = describe_beside(quality.files.model, quality.beside_model, scope.beside.title)
    if not any(clip.clip in quality.beside for clip in quality.clips):
        return section("Beside", says, element("p", "No clip is solved in both.", class_="missing"))
    return section("Beside", says, beside_table(quality.clips, quality.beside))


def describe_beside(model: ModelOutline | None, other: ModelOutline | None, folder: str) -> str:
    """Return a sentence on the two sides of a comparison."""
    ours, theirs = (facts.name if facts is not None else "unknown" for facts in (model, other))
    return (
        f"The same clips solved here (model {ours}) and in {folder} (model {theirs}). Common "
        "markers: those that both solutions track, with equal weight per marker."
    )


def _alignment(quality: SubjectQuality) -> Html:
    says = (
        "Agreement with the joint centres of the session, clip by clip: time lag, the rigid motion between them, "
        "and what remains after it."
    )
    alignment = quality.files.alignment
    if alignment is None:
        return section("Alignment", says, missing("Alignment", "movi-prep shard"))
    pictures = [item for shard in quality.files.shards for item in shard.pictures]
    if not pictures:
        return section("Alignment", says, alignment_table(alignment.clips))
    seen = (
        "Below: pictures against the body that the calibration projects into them. Agreement is the correlation of "
        "where the picture changes with where the body moves (0 by chance, 1 at best); then how late the picture is, "
        "how far it lies beside the body, and the agreement through the calibration of another camera, which is larger "
        "where files are exchanged. Warnings list clips that were left out because of their pictures."
    )
    return section("Alignment", says, alignment_table(alignment.clips), explain(seen), picture_table(pictures))


def _shards(quality: SubjectQuality) -> Html:
    says = "Crops as training reads them, with the labels of the file drawn on them."
    if not quality.files.shards:
        return section("Shards and pictures", says, missing("Shards", "movi-prep shard"))
    key = (("#28a0ff", "SMPL joints"), ("#ffeb3c", "markers of the data"), (RED, "markers of the fitted model"))
    model = quality.files.model
    on_floor = [name for name in (model.marker_bodies if model else ()) if name.startswith(FLOOR_PREFIX)]
    axes = "Red, green and blue lines are the pelvis' X (forward), Y (up) and Z (right), 15 cm. Where the model fits, "
    axes += "yellow covers red."
    axes += (
        f" Yellow dots below a raised foot are {FLOOR_PREFIX}*: its markers, dropped onto the floor."
        if on_floor
        else ""
    )
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
