"""`verify`: reads shards as training does; in a work folder, also compares them with the last run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import (
    open_console,
    print_findings,
    print_json,
    print_outdated,
    print_table,
    verification_rows,
)
from movi_prep.errors import MoviPrepError
from movi_prep.records.work_folder import WorkFolder

if TYPE_CHECKING:
    import argparse

    from movi_prep.records.outdated import OutdatedShards


def verify(given: argparse.Namespace) -> int:
    """`verify`: read every sample of the shards as training does; in a work folder, list those out of date."""
    from movi_prep.runtime.named_work_folder import check_work_folder
    from movi_prep.runtime.progress import show_work
    from movi_prep.stages.d3ke.verify import verify_folder

    console = open_console(to_stderr=bool(given.json))
    folder = Path(given.work or "work").absolute()
    # Shards may stand by themselves: a machine that only trains has no work folder.
    if not any(folder.glob("*.h*5")):
        check_work_folder(folder, what="a work folder or a folder of shards")
    with show_work("verifying shards") as advance:
        result = verify_folder(folder, workers=given.workers or 1, advance=advance)
    print_table(console, "shards", ("file", "rows#", "state"), verification_rows(result))
    outdated, notes = _outdated_shards(folder)
    print_outdated(console, outdated)
    print_findings(console, "not compared with the last run", notes)
    content = [
        {"file": str(file.path), "rows": file.n_rows, "faults": [str(fault) for fault in file.faults]}
        for file in result.files
    ]
    print_json({"shards": content, "outdated": [vars(item) for item in outdated], "notes": notes}, wanted=given.json)
    return OK if result.is_sound and not outdated else UNITS_FAILED


def _outdated_shards(folder: Path) -> tuple[tuple[OutdatedShards, ...], list[str]]:
    """Return the shards of a work folder that are out of date; if that cannot be found out, why not."""
    work = folder if (folder / "config.yaml").is_file() else folder.parent
    if not (work / "config.yaml").is_file() or not WorkFolder(work).records().is_dir():
        # Shards that the user copied elsewhere have no records beside them to compare with.
        return (), []
    try:
        from movi_prep.cli.chosen_stages import stages_of
        from movi_prep.config.load import load_config
        from movi_prep.runtime.data_of_work import config_path
        from movi_prep.runtime.outdated import find_outdated
        from movi_prep.runtime.pipeline_run import prepare_run, use_embedded_data
    except ImportError as error:
        # On a machine that only trains, the packages that make shards may be missing.
        return (), [f"{error.name} is not installed here"]
    try:
        config = use_embedded_data(load_config(config_path(work), {"work": str(work)}), write=False)
        prepared = prepare_run(config, stages_of("run", config)[0], as_chosen=True)
    except MoviPrepError as error:
        # The data may not be on this machine; the shards can still be sound.
        return (), [str(error)]
    return find_outdated(prepared.plan, prepared.identities), []
