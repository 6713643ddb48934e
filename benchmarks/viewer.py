"""Pages of clips in Chromium: frames per second while scrubbing, sizes, and the list of as many clips as BMLmovi has.

    python -m benchmarks.viewer [--demo DIR]

Frames are counted while a script moves the scrubber once per refresh of the screen; Chromium draws without a graphics
card here, so that a desktop is faster. The list holds 1,801 clips, made from records only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.shards import absolute_path, make_demo_run, print_table
from movi_prep.config.root import Config
from movi_prep.formats.atomic import write_text
from movi_prep.formats.ik_file import read_ik_solution, write_ik_solution
from movi_prep.records.work_folder import WorkFolder
from movi_prep.view.index_page import write_index_page
from movi_prep.view.work import find_trials, read_trial_numbers, write_trial_page
from tests.builders.browser import find_chromium, run_in_browser
from tests.view.test_pages import write_many

N_CLIPS = 1801
LONG_ROWS = 18_000
SIZES_PX = ((1400, 900), (500, 900))

_SCRUB = """
const { clock, clip } = moviPrepViewer;
const scrubber = document.getElementById("scrubber");
await new Promise((resolve) => setTimeout(resolve, 1500));
return await new Promise((resolve) => {
  const begin = performance.now();
  let [frames, frame] = [0, 0];
  const tick = () => {
    frame = (frame + 1) % clip.nFrames;
    scrubber.value = frame;
    scrubber.dispatchEvent(new Event("input"));
    frames++;
    const seconds = (performance.now() - begin) / 1000;
    if (seconds > 4) resolve(frames / seconds);
    else requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
});
"""

_LIST = """
const opened = performance.getEntriesByType("navigation")[0];
const filter = document.querySelector("input[type=search]");
const begin = performance.now();
filter.value = "s03 c1";
filter.dispatchEvent(new Event("input"));
document.body.getBoundingClientRect();
const filtered = performance.now() - begin;
const again = performance.now();
document.querySelectorAll("th")[4].click();
document.body.getBoundingClientRect();
return [performance.now() - again, filtered, opened.domComplete];
"""


def main() -> None:
    """Print one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`")
    asked = parser.parse_args()
    # A browser is not part of the project's environment.
    if find_chromium() is None:
        print("left out: there is no Chromium here")
        return
    with tempfile.TemporaryDirectory() as folder:
        work = WorkFolder(asked.demo / "work" if asked.demo else make_demo_run(Path(folder) / "demo").work)
        rows = [*_clips(work, Path(folder)), *_long_clip(work, Path(folder)), *_list(Path(folder))]
        print_table("Pages of clips", ("measured", "value"), rows)


def _clips(work: WorkFolder, folder: Path) -> list[tuple[str, str]]:
    rows = []
    for trial in find_trials(work)[:2]:
        begin = time.perf_counter()
        written = write_trial_page(trial, work, Config(work=work.root), into=folder / "view")
        rows.append(
            (f"{trial.name}: page", f"{written.stat().st_size / 1e6:.2f} MB in {time.perf_counter() - begin:.2f} s")
        )
        for size_px in SIZES_PX:
            rate = run_in_browser(written, _SCRUB, size_px=size_px)
            rows.append((f"{trial.name}: scrubbing, {size_px[0]} x {size_px[1]}", f"{rate:.0f} frames/s"))
    return rows


def _long_clip(work: WorkFolder, folder: Path) -> list[tuple[str, str]]:
    """Measure a clip of ten minutes: one of the embedded ones, over and over."""
    trial = find_trials(work)[0]
    solution = read_ik_solution(trial.solution)
    times = -(-LONG_ROWS // solution.n_rows)
    # Every array with one entry per row; names and ranges stay as they are.
    many = {
        name: np.concatenate([value] * times)
        for name, value in vars(solution).items()
        if isinstance(value, np.ndarray) and value.shape[:1] == (solution.n_rows,)
    }
    rows = np.arange(times * solution.n_rows)
    many |= {"times_s": rows / solution.rate_hz, "sample_indices": 4 * rows}
    path = folder / "long" / "ik" / "S001" / "C01.h5"
    write_ik_solution(path, replace(solution, **many), provenance={})
    begin = time.perf_counter()
    written = write_trial_page(replace(trial, solution=path), work, Config(work=work.root), into=folder / "long")
    seconds = time.perf_counter() - begin
    rate = run_in_browser(written, _SCRUB)
    return [
        (
            f"{len(rows) / solution.rate_hz / 60:.0f} minutes: page",
            f"{written.stat().st_size / 1e6:.2f} MB in {seconds:.1f} s",
        ),
        ("its scrubbing, 1400 x 900", f"{rate:.0f} frames/s"),
    ]


def _list(folder: Path) -> list[tuple[str, str]]:
    work = WorkFolder(folder / "many")
    write_many(work, N_CLIPS)
    begin = time.perf_counter()
    numbers = [read_trial_numbers(trial, work, Config(work=work.root)) for trial in find_trials(work)]
    page = work.view() / "index.html"
    write_text(page, write_index_page(numbers, set(), work))
    seconds = time.perf_counter() - begin
    sort_ms, filter_ms, open_ms = run_in_browser(page, _LIST)
    return [
        (f"list of {N_CLIPS} clips: page", f"{page.stat().st_size / 1e6:.2f} MB in {seconds:.1f} s"),
        ("its opening, sorting, filtering", f"{open_ms:.0f}, {sort_ms:.0f}, {filter_ms:.0f} ms"),
    ]


if __name__ == "__main__":
    main()
