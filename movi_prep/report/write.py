"""The quality report: `WORK/report/index.html` for the corpus, `WORK/report/S001.html` per subject.

Pages hold everything they show (style, scripts, charts, pictures) and load nothing, so that they can be mailed,
archived, and compared: the same work folder gives the same bytes. Their scripts sort and filter tables and draw curves;
without them, only the curves are missing. Pages say which stages have not run, and which files cannot be
read; neither is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import MissingError, UsageError, list_names
from movi_prep.formats.atomic import write_text
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.records.advance import Advance, advancing, unheard
from movi_prep.records.choice import choose_names
from movi_prep.records.work_folder import WorkFolder
from movi_prep.report.corpus import write_corpus_page
from movi_prep.report.quality import Scope, measure_subject
from movi_prep.report.subject import write_subject_page
from movi_prep.report.work import PlanFacts, find_subjects, read_outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.root import Config


def write_report(
    config: Config, *, beside: Path | None = None, plan: PlanFacts | None = None, advance: Advance = unheard
) -> tuple[Path, ...]:
    """Write the pages of a work folder; return their paths, the corpus page first.

    Args:
        config: where the work folder is, the bounds, and `subjects` where not all are wanted.
        beside: another work folder, solved with another model or solver, to compare residuals with.
        plan: what was left out, and which shards are out of date; None if unknown.
        advance: receives the fraction that is done.

    Raises:
        MissingError: there is no such work folder.
        UsageError: none of the subjects that are asked for has results.
    """
    # A report of nothing would look like one of a failed run.
    for folder in (config.work, beside):
        if folder is not None and not folder.is_dir():
            raise MissingError(
                folder, expected="a work folder", got="none", remedy="give one with --work or --beside, or run first"
            )
    work = WorkFolder(config.work)
    outcomes, problems = read_outcomes(work)
    scope = Scope(
        work=work,
        config=config,
        tables=read_label_tables(split=config.shard.split),
        outcomes=outcomes,
        beside=WorkFolder(beside) if beside is not None else None,
        plan=plan or PlanFacts(),
    )
    there = find_subjects(work, outcomes)
    chosen = set(there) if config.subjects is None else choose_names(config.subjects, there)[0]
    if there and not chosen:
        raise UsageError(
            f"subjects: expected subjects with results ({list_names(there)}), but got "
            f"{list_names(config.subjects or ())}; correct --subjects"
        )
    qualities, pages = [], []
    subjects = [name for name in there if name in chosen]
    for subject in advancing(subjects, advance, total=len(subjects)):
        # Pages are written one by one: solutions of a whole corpus do not fit into memory.
        quality = measure_subject(scope, subject)
        pages.append(work.report().with_name(f"{subject}.html"))
        write_text(pages[-1], write_subject_page(quality, scope))
        qualities.append(quality)
    write_text(work.report(), write_corpus_page(qualities, scope, problems=problems))
    return work.report(), *pages
