"""Things to look at: each is one line with the problem, its meaning and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.report.verdicts import AUDIT_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.pages.html import Verdict
    from movi_prep.records.scale_result import ScaleResult


@dataclass(frozen=True)
class Look:
    """One thing to look at.

    Attributes:
        verdict: how urgent it is: "bad" before "check".
        says: the problem, with its numbers, as text or markup.
        means: what follows from it.
        remedy: what to do.
    """

    verdict: Verdict
    says: object
    means: str = ""
    remedy: str = ""


def most_urgent_first(found: Sequence[Look]) -> list[Look]:
    """Return what must be looked at before what may be, each in its order."""
    return sorted(found, key=lambda look: look.verdict != "bad")


def unreadable(problem: str) -> Look:
    """Return a file that cannot be read."""
    return Look("bad", f"cannot be read: {problem}", "Nothing of this file is on the page.", "Make the file again.")


def failed_units(count: int, stages: Sequence[str]) -> Look:
    """Return units that failed."""
    says = f"{count} unit{'s' * (count > 1)} failed ({', '.join(stages)})"
    return Look("bad", says, "Their results are missing.", "Failures, below, has the reason and the command of each.")


def doubted_scaling(scale: ScaleResult) -> Look:
    """Return a scaling that its audit does not call sound."""
    return Look(
        AUDIT_VERDICTS[scale.audit],
        f"the audit calls scaling {scale.audit}: {_first_of(scale.findings)}",
        "The model may not have the subject's size, which affects every angle of the subject.",
        "Look at the largest residuals under Scaling: a marker that sits wrong, or a pose that is not static.",
    )


def _first_of(findings: Sequence[str]) -> str:
    """Return the first of some findings, and how many there are besides: they are listed under Scaling."""
    if len(findings) < 2:
        return "".join(findings)
    return f"{findings[0]}; and {len(findings) - 1} more finding{'s' * (len(findings) > 2)}, see Scaling"


def stage_warning(text: str) -> Look:
    """Return a warning of a stage."""
    return Look("bad", text, "The stage left something out, or its result must not be trusted.", "See the clip: view.")


def failed_trial(name: str, reason: str) -> Look:
    """Return a trial that has no result."""
    return Look("bad", f"{name} failed: {reason}", "It has no result.", "Correct the cause and run it again.")


def trial_warning(name: str, text: str) -> Look:
    """Return what makes the whole result of a trial doubtful."""
    return Look("bad", f"{name}: {text}", "The whole result is probably wrong.", "Correct the marker file.")


RESIDUAL_MEANS = "The model does not reach these markers: the pose is wrong there, or a marker is."
RESIDUAL_REMEDY = "Look at the frame (movi-prep view): a swapped or moved marker, or a marker that sits wrong."
BIAS_MEANS = "They sit elsewhere on the model than on the person: more data do not help."
BIAS_REMEDY = "Move them on the model (scaling that places markers), or track them with less weight."
MASKED_MEANS = "Landmarks that miss mask the angles of their bodies; networks do not learn masked angles."
MASKED_REMEDY = "See which angles under Coordinates, and which markers under Marker bias."
LOST_MEANS = "These frames have no labels."
LOST_REMEDY = "movi-prep view lists them; the usual causes are markers that are not seen or swapped."
UNSEEN_MEANS = "No tracked marker decides these angles: their values are the solver's default, not a measurement."
UNSEEN_REMEDY = "Do not use them, or track a marker on the body that they move."
LIMIT_MEANS = "The bound of the model holds these angles there, not the data."
LIMIT_REMEDY = "Widen the range in the model, or look for a marker that sits wrong on the body."
ALIGNMENT_MEANS = "Video and motion of the clip do not belong together as they are."
ALIGNMENT_REMEDY = "See Alignment; suspect clips are left out of shards unless the settings keep them."
REFUSED_MEANS = "Frames without a row: networks do not see them."
REFUSED_REMEDY = "The table of shards has the reasons."
