"""`view`: pages on which clips move, for a work folder or for some of its clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import open_console, print_json
from movi_prep.errors import InputError, MoviPrepError
from movi_prep.plain_text import visible

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.view.work import Trial, TrialNumbers


def view(given: argparse.Namespace) -> int:
    """`view`: pages of clips, and the list of all clips."""
    from movi_prep.formats.atomic import write_text
    from movi_prep.records.advance import advancing
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.runtime.named_work_folder import check_work_folder
    from movi_prep.runtime.progress import show_work
    from movi_prep.view.index_page import write_index_page
    from movi_prep.view.work import INDEX, choose_trials, find_trials, read_trial_numbers, write_trial_page

    work = WorkFolder(Path(given.folder).absolute())
    check_work_folder(work.root, beside=given.clips)
    config = config_of_folder(work.root)
    trials = find_trials(work)
    console = open_console(to_stderr=bool(given.json))
    numbers = [read_trial_numbers(trial, work, config) for trial in trials]
    chosen = choose_trials(trials, given.clips) if given.clips else _most_urgent(numbers, given.pages)
    outputs, failed = [], []
    recordings = recordings_of(config)
    with show_work("writing pages") as advance:
        for trial in advancing(chosen, advance, total=len(chosen)):
            try:
                videos = _videos_of(trial, recordings, config)
                outputs.append(write_trial_page(trial, work, config, videos=videos))
            except InputError as error:
                # One clip that cannot be read must not cost the others.
                failed.append({"unit": trial.name, "reason": str(error), "redo": ""})
    for clip in failed:
        console.print(f"{clip['unit']}: {visible(clip['reason'])}", style="red", markup=False)
    for path in outputs:
        console.print(str(path), markup=False)
    # Pages of earlier calls count too: the list links all that are there.
    pages = {trial for trial in trials if (work.view() / trial.page).is_file()}
    index = work.view() / INDEX
    write_text(index, write_index_page(numbers, pages, work))
    console.print(str(index), markup=False)
    print_json({"outputs": [str(path) for path in (*outputs, index)], "failed": failed}, wanted=given.json)
    return UNITS_FAILED if failed else OK


def _most_urgent(numbers: list[TrialNumbers], n_pages: int) -> tuple[Trial, ...]:
    ordered = sorted(numbers, key=lambda item: -item.urgency)
    return tuple(item.trial for item in ordered[:n_pages])


def recordings_of(config: Config) -> Recordings | None:
    """Return the data of the last run; None where they are not there any more, which solutions and shards outlive."""
    from movi_prep.runtime.pipeline_run import find_data, use_embedded_data

    try:
        return find_data(use_embedded_data(config, write=False))
    except MoviPrepError:
        return None


def _videos_of(trial: Trial, recordings: Recordings | None, config: Config) -> dict[str, Path]:
    if trial.clip is None or recordings is None:
        return {}
    cameras = recordings.cameras_wanted(config.shard.cameras)
    return {name: video for name in cameras if (video := recordings.video_of(trial.clip, name)) is not None}


def config_of_folder(root: Path) -> Config:
    """Return the configuration of the last run; that of a folder without one, as of marker files, is the default."""
    from movi_prep.config.load import load_config
    from movi_prep.runtime.data_of_work import config_path

    path = config_path(root)
    return load_config(path if path.is_file() else None, {"work": str(root)})
