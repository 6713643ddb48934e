"""`demo`: writes the embedded data set and runs every stage on it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.flags import settings_of
from movi_prep.cli.printing import open_console, print_findings, print_json, print_table, verification_rows
from movi_prep.cli.run_command import carry_out_and_print, say_stopped
from movi_prep.config.load import load_config
from movi_prep.plain_text import count_of, shell_line
from movi_prep.runtime.pipeline_run import prepare_run

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from movi_prep.runtime.summary import Summary
    from movi_prep.runtime.work_plan import PlannedUnit

_MOMENTS = (0.0, 0.33, 0.67, 1.0)
"""Places of the pictures that are shown of the one recording whose camera moves, as parts of its length."""


def run_demo(given: argparse.Namespace) -> int:
    """`demo`: write the embedded data set, run every stage on it, and list the results."""
    from movi_prep.demo import draw_contact_sheet, find_demo, write_demo
    from movi_prep.runtime.progress import show_work

    begin = time.perf_counter()
    console = open_console(to_stderr=bool(given.json))
    folder = Path(given.folder).absolute()
    written = find_demo(folder, seed=given.seed)
    done = "unchanged since it was written"
    if written is None:
        console.print(f"writing the embedded data set, which takes about a minute: {folder}", markup=False)
        with show_work("writing the embedded data set") as advance:
            written = write_demo(folder, seed=given.seed, workers=given.workers, advance=advance)
        done = f"in {time.perf_counter() - begin:.0f} s"
    console.print(
        f"embedded data set: {count_of(written.n_clips, 'clip')}, {count_of(written.n_frames, 'video frame')}, "
        f"{written.n_bytes / 1e6:.0f} MB, {done}: {folder}",
        markup=False,
    )
    config = load_config(written.config, settings_of(given))
    stages, notes = stages_of("run", config)
    prepared = prepare_run(config, stages)
    print_findings(console, "data", (*prepared.recordings.findings, *notes))

    go_on = shell_line(["movi-prep", "run", "--config", str(written.config)])

    def redo(planned: PlannedUnit) -> str:
        return f"{go_on} {shell_line(['--only', planned.unit.id])}"

    result, summary = carry_out_and_print(console, prepared, redo=redo, go_on=go_on, verbose=bool(given.verbose))
    if result.interrupted:
        return say_stopped(console)
    sheet = config.work / "contact_sheet.png"
    if result.is_complete:
        with show_work("drawing the contact sheet"):
            draw_contact_sheet(folder, config.work, sheet)
    _print_outputs(console, summary, config.work)
    is_sound = _print_verification(console, config.work)
    # In this order: `and` would leave the second run out where the first is not sound.
    is_sound = _run_own_recording(console, folder / "own", given) and is_sound
    if sheet.is_file():
        console.print(f"picture of the markers on the videos: {sheet}", markup=False)
    if result.is_complete:
        _export(console, config.work, folder / "videopose3d")
    page = shell_line([sys.argv[0], "report", "--work", str(config.work)])
    console.print(f"for a page on quality: {page}", markup=False)
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    return OK if result.is_complete and is_sound else UNITS_FAILED


def _run_own_recording(console: Console, folder: Path, given: argparse.Namespace) -> bool:
    """Write and run the recording that is not BML-MoVi's, draw its shard, and return whether it is sound."""
    from importlib.util import find_spec

    from movi_prep.demo.own_recording import find_own_recording, write_own_recording
    from movi_prep.export.picture import draw_points
    from movi_prep.runtime.progress import show_work
    from movi_prep.video.packet_reader import INSTALL

    # Asked for without importing: PyAV is optional, and loading it takes time.
    if find_spec("av") is None:
        console.print(
            f"left out: a recording of one's own with an .mp4 video, which needs PyAV ({INSTALL})", markup=False
        )
        return True
    manifest = find_own_recording(folder, seed=given.seed)
    if manifest is None:
        with show_work("writing a recording of one's own"):
            manifest = write_own_recording(folder, seed=given.seed, workers=given.workers)
    console.print(
        f"a recording of one's own, of an SMPL-X body by a camera that is carried along: {manifest}", markup=False
    )
    config = load_config(manifest.with_name("config.yaml"), {})
    stages, _ = stages_of("run", config)
    prepared = prepare_run(config, stages)
    go_on = shell_line(["movi-prep", "run", "--config", str(manifest.with_name("config.yaml"))])

    def redo(planned: PlannedUnit) -> str:
        return f"{go_on} {shell_line(['--only', planned.unit.id])}"

    result, _ = carry_out_and_print(console, prepared, redo=redo, go_on=go_on, verbose=bool(given.verbose))
    if not (result.is_complete and _print_verification(console, config.work)):
        return False
    picture = draw_points(config.work, config.work / "points17.png", moments=_MOMENTS)
    console.print(f"picture of its shard, from a camera that moves: {picture}", markup=False)
    return True


def _export(console: Console, work: Path, out: Path) -> None:
    """Export the shards to one training code, and draw the points that its files hold."""
    from movi_prep.export.picture import draw_points
    from movi_prep.export.targets import export
    from movi_prep.export.tracks import Wanted
    from movi_prep.runtime.progress import show_work

    with show_work("exporting to VideoPose3D"):
        done = export(work, out, target="videopose3d", wanted=Wanted())
    console.print(
        f"exported to VideoPose3D: {count_of(done.n_files, 'file')}, {done.n_bytes / 1e6:.1f} MB: {done.folder}",
        markup=False,
    )
    with show_work("drawing the 17 points"):
        picture = draw_points(work, work / "points17.png")
    console.print(f"picture of the 17 points that it trains on: {picture}", markup=False)


def _print_outputs(console: Console, summary: Summary, work: Path) -> None:
    """Print the number and size of the results, by folder and type of file."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name in summary.outputs:
        path = work / name
        groups.setdefault((name.split("/", maxsplit=1)[0], path.suffix), []).append(path.stat().st_size)
    rows = [
        (f"{work / folder}/**/*{suffix}", str(len(sizes)), f"{sum(sizes) / 1e6:.1f} MB")
        for (folder, suffix), sizes in groups.items()
    ]
    print_table(console, "results", ("files", "number#", "size#"), rows)


def _print_verification(console: Console, work: Path) -> bool:
    """Verify the shards that a run wrote, print each file's state, and return whether all are sound."""
    from movi_prep.runtime.progress import show_work
    from movi_prep.stages.d3ke.verify import verify_folder

    with show_work("verifying the shards") as advance:
        report = verify_folder(work, advance=advance)
    print_table(console, "verified as training reads them", ("file", "rows#", "state"), verification_rows(report))
    return report.is_sound
