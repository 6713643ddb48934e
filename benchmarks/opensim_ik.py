"""Every number of scaling and inverse kinematics through OpenSim, in one table per part.

    python -m benchmarks.opensim_ik [--shared FOLDER] [--data FOLDER] [--frames 60] [--parts gait,d3ke,...]

`gait` (a real person) and `d3ke` (World A with D3KE's tables) need the reference material beside the checkout and are
skipped without it; `data` needs the folder that `movi-prep demo` writes, and so does our model in `tool`, which sets
models with couplers against OpenSim's own tool. `self_test` and `memory` need nothing.
Times are CPU seconds of this process; compare ratios within one run.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.converged_ik import Trial, run_tool, without_hands_trial, work_trials, world_trial
from movi_prep.config.ik import IkSettings, SolveSettings
from movi_prep.config.root import Config
from movi_prep.config.scaling import ScaleAuditSettings, ScalingSettings
from movi_prep.examine.self_test import run_self_test
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import read_trc
from movi_prep.osim.models import add_marker_set, read_model, write_model
from movi_prep.osim.scale_model import scale_model
from movi_prep.osim.solution import marker_objectives, prepare_model
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.pipeline_run import find_data
from movi_prep.stages.ik import IK
from movi_prep.stages.markers import MARKERS, STATIC
from movi_prep.stages.scale import SCALE
from movi_prep.stages.solve_clip import read_scaled_model, solve_clip
from movi_prep.trials.trial_input import select_time_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.setups import IkSetup

PARTS = ("gait", "d3ke", "tool", "data", "self_test", "memory")
MESHLESS = ("clavphant", "scapphant", "humphant", "humphant1", "firstmc1")
"""Bodies whose factor the reference does not state (it reads factors off meshes)."""


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--frames", type=int, default=60, help="samples per clip of World A")
    parser.add_argument("--parts", default=",".join(PARTS))
    arguments = parser.parse_args()
    reference = arguments.shared / "reference"
    wanted = arguments.parts.split(",")
    with tempfile.TemporaryDirectory() as folder:
        for part in (part for part in PARTS if part in wanted):
            print(f"\n== {part}")
            if part in ("gait", "d3ke") and not reference.is_dir():
                print(f"skipped: no reference material at {reference}")
            elif part == "gait":
                measure_gait(reference / "gait2354", Path(folder))
            elif part == "d3ke":
                measure_d3ke(reference, Path(folder), arguments.frames)
            elif part == "tool":
                measure_tool(arguments.data, reference, Path(folder))
            elif part == "data" and arguments.data is None:
                print("skipped: give --data FOLDER (movi-prep demo writes one)")
            elif part == "data":
                measure_data(arguments.data, reference, Path(folder))
            elif part == "self_test":
                measure_self_test()
            else:
                measure_memory()


def measure_gait(source: Path, folder: Path) -> None:
    """The official example of a real person: published factors, OpenSim's own tool, published coordinates."""
    scaled_s, factors = _cpu(lambda: _scale_gait(source))
    published = _published_factors(source / "expected" / "subject01_scaleSet_applied.xml")
    row("scale factors, largest difference to the published", max(_off(factors, published).values()), "1")
    row("scaling, CPU", scaled_s, "s")
    for name in ("subject01_Setup_IK.xml", "subject01_walk1.trc", "expected/subject01_simbody.osim"):
        shutil.copyfile(source / name, folder / Path(name).name)
    document = folder / "subject01_Setup_IK.xml"
    tool_s, tool = _cpu(lambda: _run_tool(document))
    setup = read_ik_setup(document)
    scaled = read_scaled_model(folder / "subject01_simbody.osim")
    markers = select_time_range(read_trc(folder / "subject01_walk1.trc"), setup.time_range_s)
    expected = read_storage(source / "expected" / "subject01_walk1_ik.mot")
    # Both results through the same forward kinematics: what the tool itself reports is rounded.
    by_tool = objectives(scaled, setup, markers, tool)
    for solver in ("opensim", "converged"):
        settings = SolveSettings(solver=solver)  # type: ignore[arg-type]
        solve_clip(scaled, markers, setup, settings)
        seconds, (solution, _) = _cpu(lambda: solve_clip(scaled, markers, setup, settings))  # noqa: B023
        ratio = objectives(scaled, setup, markers, solution.coordinates) / by_tool
        row(f"{solver}: weighted squared marker error / OpenSim's tool, mean", ratio.mean(), "1")
        row(f"{solver}: frames within 1 % of the tool or below", 100.0 * np.mean(ratio <= 1.01), "%")
        row(f"{solver}: tool's CPU time / ours, same frames", tool_s / seconds, "x")
        off = _rms_by_coordinate(solution.coordinates, scaled, expected.values, expected.labels)
        worst = max(off, key=lambda name: off[name])
        row(f"{solver}: worst RMS to published coordinates ({worst})", off[worst], "deg")


def measure_d3ke(reference: Path, folder: Path, n_frames: int) -> None:
    """World A with D3KE's model and tables, against D3KE's own results."""
    world = reference / "world_a_d3ke"
    for subject in (1, 15):
        static = np.load(world / f"subject_{subject}_static_markers.npz")
        markers = _trajectories(np.repeat(static["markers"][None], 67, axis=0), static["names"], 120.0)
        model = read_model(reference / "d3ke_models" / "full_body.osim")
        setup = read_scale_setup(packaged_path("opensim_models", "scaling_d3ke.yaml"))
        trial = StaticTrial(markers, 1.7, float("nan"), None, "given")
        seconds, result = _cpu(lambda: scale_model(model, trial, setup, ScaleAuditSettings()))  # noqa: B023
        factors = dict(zip(result.body_names, result.body_factors, strict=True))
        published = json.loads((world / f"subject_{subject}_body_scales.json").read_text())["factor"]
        off = _off(factors, {k: np.array(v) for k, v in published.items() if k.removesuffix("_l") not in MESHLESS})
        row(f"S{subject:02d} scale factors, largest difference", max(off.values()), "1")
        row(f"S{subject:02d} scaling, CPU", seconds, "s")
        write_model(folder / f"S{subject}.osim", model)
        _measure_d3ke_clip(world, folder, subject, n_frames)


def _measure_d3ke_clip(world: Path, folder: Path, subject: int, n_frames: int) -> None:
    data = np.load(world / f"Subject_{subject}_F_2_markers.npz")
    x, y, z = np.moveaxis(data["markers"][:n_frames].astype(np.float64), -1, 0)
    # Turned from z up into OpenSim ground, y up: (x, z, -y).
    markers = _trajectories(np.stack([x, z, -y], axis=-1), data["names"], 120.0)
    unturned = _trajectories(np.stack([x, y, z], axis=-1), data["names"], 120.0)
    setup = read_ik_setup(packaged_path("opensim_models", "ik_d3ke.yaml"))
    (folder / "theirs.osim").write_bytes(gzip.decompress((world / f"subject_{subject}_scale.osim.gz").read_bytes()))
    theirs = prepare_model(read_model(folder / "theirs.osim"), folder)
    published = np.load(world / f"Subject_{subject}_F_2_ik.npz")
    order = [[str(name) for name in published["names"]].index(name) for name in theirs.coordinate_names]
    values = published["values_mot_units"][: markers.n_rows, order]
    values = np.where(theirs.coordinate_is_rotation, np.radians(values), values)
    # Their data are z up in a y-up model; the objective is measured in that frame.
    by_d3ke = objectives(theirs, setup, unturned, values)
    scaled = read_scaled_model(folder / f"S{subject}.osim")
    for solver in ("opensim", "converged"):
        settings = SolveSettings(solver=solver)  # type: ignore[arg-type]
        seconds, (solution, _) = _cpu(lambda: solve_clip(scaled, markers, setup, settings))  # noqa: B023
        ours = objectives(scaled, setup, markers, solution.coordinates)
        row(f"S{subject:02d} {solver}: weighted squared marker error / D3KE's, mean", np.mean(ours / by_d3ke), "1")
        row(f"S{subject:02d} {solver}: frames not above D3KE", 100.0 * np.mean(ours <= by_d3ke), "%")
        row(f"S{subject:02d} {solver}: CPU per frame", 1000.0 * seconds / markers.n_rows, "ms")


def measure_tool(data: Path | None, reference: Path, folder: Path, *, rounds: int = 3) -> None:
    """Models with couplers: OpenSim's tool, and OpenSim's solver through us, on the same frames, in turns.

    Ours holds residuals and positions of markers, bodies and joints of every frame, so that the fair comparison is the
    tool with both of its reports on; the table also has it without them.
    """
    for trial in _coupled_trials(data, reference, folder):
        # In turns: the machine is as busy for one as for the other.
        turns = [_tool_turn(trial, folder) for _ in range(rounds)]
        bare_ms, reported_ms, enforced_ms, penalty_ms = np.array([costs for costs, _, _ in turns]).T
        _, off_deg, ratio = turns[-1]
        row(f"{trial.name}: OpenSim's tool, CPU per frame", np.median(reported_ms), "ms")
        row(f"{trial.name}: tool's CPU time / ours, couplers enforced", np.median(reported_ms / enforced_ms), "x")
        row(f"{trial.name}: the same, tool without reports", np.median(bare_ms / enforced_ms), "x")
        row(f"{trial.name}: largest difference of an angle to the tool's", off_deg, "deg")
        row(f"{trial.name}: tool's CPU time / ours, penalty of 0.1", np.median(reported_ms / penalty_ms), "x")
        row(f"{trial.name}: weighted squared marker error / the tool's, penalty of 0.1", ratio, "1")


def _tool_turn(trial: Trial, folder: Path, *, n_frames: int = 40) -> tuple[list[float], float, float]:
    """Return ms per frame (tool bare and with reports, ours enforced and with a penalty), degrees off, ratio."""
    scaled = read_scaled_model(trial.model_path)
    _, bare_ms = run_tool(trial, n_frames, folder)
    theirs, reported_ms = run_tool(trial, n_frames, folder, reports=True)
    # What the tool read: rounded to the digits of a .trc file.
    markers = read_trc(folder / "tool.trc")
    costs, solved = [bare_ms, reported_ms], []
    for weight in (np.inf, 0.1):
        settings = SolveSettings(solver="opensim", constraint_weight=weight)
        seconds, (solution, _) = _cpu(lambda: solve_clip(scaled, markers, trial.setup, settings))  # noqa: B023
        costs.append(1000.0 * seconds / n_frames)
        solved.append(solution.coordinates)
    off_deg = float(np.degrees(np.abs(solved[0] - theirs))[:, scaled.coordinate_is_rotation].max())
    mine, their = (objectives(scaled, trial.setup, markers, values) for values in (solved[1], theirs))
    return costs, off_deg, float(np.mean(mine / their))


def _coupled_trials(data: Path | None, reference: Path, folder: Path) -> Iterator[Trial]:
    if data is None:
        print("our model skipped: give --data FOLDER (movi-prep demo writes one)")
    else:
        config = Config(work=folder / "tool", amass=data / "amass", body_models=data / "body_models", subjects=("1",))
        _run_stages(config, (STATIC, MARKERS, SCALE))
        yield next(work_trials(config.work))
    if reference.is_dir():
        yield world_trial(reference, 1, folder)
        yield without_hands_trial(reference)
    else:
        print(f"D3KE's models skipped: no reference material at {reference}")


def measure_data(data: Path, reference: Path, folder: Path) -> None:
    """The embedded data set: our model, and D3KE's without hands beside it where it is there."""
    config = Config(
        work=folder / "data",
        amass=data / "amass",
        body_models=data / "body_models",
        scaling=ScalingSettings(keep_failed_audit=True),
        ik=IkSettings(solver="opensim"),
    )
    # Once for all variants: markers do not depend on the model.
    _run_stages(config, (STATIC, MARKERS))
    variants = {"movi_full_body": config}
    without_hands = reference / "d3ke_models" / "full_body_wo_hands.osim"
    if without_hands.is_file():
        scaling = ScalingSettings(
            model=without_hands,
            setup=packaged_path("opensim_models", "scaling_d3ke_without_hands.yaml"),
            keep_failed_audit=True,
        )
        setup = packaged_path("opensim_models", "ik_d3ke_without_hands.yaml")
        theirs = {"scaling": scaling, "ik": IkSettings(solver="opensim", setup=setup)}
        variants["full_body_wo_hands"] = config.model_copy(update=theirs)
    for name, variant in variants.items():
        for solver in ("opensim", "converged"):
            ik = variant.ik.model_copy(update={"solver": solver})
            seconds = _run_stages(variant.model_copy(update={"ik": ik}), (SCALE, IK))
            _tell_data(f"{name} {solver}", variant, seconds)


def _tell_data(title: str, config: Config, seconds: dict[str, float]) -> None:
    work, recordings = WorkFolder(config.work), find_data(config)
    for subject in recordings.subjects:
        result = read_scale_result(work.scale_result(subject))
        row(f"{title}: {subject} static landmark RMS", 1000.0 * result.landmark_rms_m, "mm")
        row(f"{title}: {subject} static landmark max", 1000.0 * result.landmark_max_m, "mm")
        row(f"{title}: {subject} T-pose middle angle", np.degrees(result.pelvis_middle_angle_rad), "deg")
    row(f"{title}: scaling per subject, CPU", seconds["scale"] / len(recordings.subjects), "s")
    clips = [clip for clip in recordings.motions if work.ik_solution(clip).is_file()]
    told = [_clip_numbers(work.ik_solution(clip)) for clip in clips]
    squares, counts, valid, n_rows = (np.array(column) for column in zip(*told, strict=True))
    row(f"{title}: marker RMS over {len(clips)} clips", 1000.0 * np.sqrt(squares.sum() / counts.sum()), "mm")
    row(f"{title}: label coordinates valid", 100.0 * (valid * n_rows).sum() / n_rows.sum(), "%")
    row(f"{title}: IK, CPU per frame", 1000.0 * seconds["ik"] / n_rows.sum(), "ms")


def _clip_numbers(path: Path) -> tuple[float, int, float, int]:
    """Return sum of squared tracked residuals (m^2), their count, share of valid label coordinates, rows."""
    solution = read_ik_solution(path)
    residuals = solution.residuals_m()[:, solution.marker_weights > 0]
    seen = residuals[np.isfinite(residuals)]
    labels = [solution.coordinate_names.index(name) for name in read_label_tables().coordinates]
    return float((seen**2).sum()), seen.size, float(solution.coordinate_valid[:, labels].mean()), solution.n_rows


def measure_self_test() -> None:
    """Known poses of the packaged model through both solvers, and what tighter settings give and cost."""
    # Not counted: it loads or compiles the kernels.
    run_self_test("converged")
    variants = {
        "opensim, as packaged": SolveSettings(solver="opensim"),
        "opensim, accuracy 3e-6": SolveSettings(solver="opensim", accuracy=3e-6),
        "opensim, couplers as penalty 0.1": SolveSettings(solver="opensim", constraint_weight=0.1),
        "converged": SolveSettings(solver="converged"),
    }
    for name, settings in variants.items():
        seconds, result = _cpu(lambda: run_self_test(settings=settings))  # noqa: B023
        row(f"{name}: RMS error of {result.n_coordinates} coordinates", result.rms_deg, "deg")
        row(f"{name}: worst coordinate ({result.worst_coordinate})", result.worst_deg, "deg")
        row(f"{name}: CPU", seconds, "s")


def measure_memory(n_units: int = 300) -> None:
    """Growth of the process over many clips through OpenSim's solver."""
    scaled = read_scaled_model(packaged_path("opensim_models", "movi_full_body.osim"))
    setup = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml"))
    tree = scaled.tree
    assert tree is not None  # noqa: S101 - the packaged model has one
    pose = np.repeat(tree.complete_coordinates(tree.coordinate_default)[None], 2, axis=0)
    markers = _trajectories(tree.marker_positions(pose), tree.marker_names, 30.0)
    settings, at_20 = SolveSettings(solver="opensim"), 0.0
    for unit in range(1, n_units + 1):
        solve_clip(scaled, markers, setup, settings)
        # Caches are full by then; what grows later is a leak.
        if unit == 20:
            at_20 = _resident_mb()
    row(f"memory growth from unit 20 to {n_units}", _resident_mb() - at_20, "MB")


def objectives(
    scaled: ScaledModel, setup: IkSetup, markers: MarkerTrajectories, coordinates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n,) half weighted mean squared marker errors, m^2, of (n, c) coordinates, rad and m."""
    tree = scaled.tree
    assert tree is not None  # noqa: S101 - every reference model has one
    names = [name for name in markers.names if name in tree.marker_names and setup.marker_weights.get(name, 0.0) > 0]
    model_m = tree.marker_positions(coordinates)[:, [tree.marker(name) for name in names]]
    weights = np.array([setup.marker_weights[name] for name in names])
    return marker_objectives(model_m, markers.select(names).positions_m, weights)


def row(what: str, value: float, unit: str) -> None:
    """Print one line of the table."""
    print(f"{what:<90s} {value:12.5g} {unit}", flush=True)


def _scale_gait(source: Path) -> dict[str, NDArray[np.float64]]:
    setup = read_scale_setup(source / "subject01_Setup_Scale.xml")
    model = read_model(source / "gait2354_simbody.osim")
    add_marker_set(model, source / "gait2354_Scale_MarkerSet.xml")
    static = StaticTrial(read_trc(source / "subject01_static.trc"), 1.8, setup.mass_kg or 0.0, None, "setup")
    result = scale_model(model, static, setup, ScaleAuditSettings())
    return dict(zip(result.body_names, result.body_factors, strict=True))


def _run_tool(document: Path) -> NDArray[np.float64]:
    """Run OpenSim's own tool on a document; return its coordinates, rad and m."""
    import opensim

    with _silenced(), _inside(document.parent):
        opensim.InverseKinematicsTool(str(document)).run()
    table = read_storage(document.parent / "subject01_walk1_ik.mot")
    scaled = read_scaled_model(document.parent / "subject01_simbody.osim")
    values = table.values[:, [table.labels.index(name) for name in scaled.coordinate_names]]
    return np.where(scaled.coordinate_is_rotation, np.radians(values), values)


def _rms_by_coordinate(
    coordinates: NDArray[np.float64], scaled: ScaledModel, expected: NDArray[np.float64], labels: tuple[str, ...]
) -> dict[str, float]:
    values = np.where(scaled.coordinate_is_rotation, np.degrees(coordinates), coordinates)
    columns = [scaled.coordinate_names.index(label) for label in labels]
    rms = np.sqrt(np.mean((values[:, columns] - expected) ** 2, axis=0))
    return dict(zip(labels, rms.tolist(), strict=True))


def _published_factors(path: Path) -> dict[str, NDArray[np.float64]]:
    scales = ET.parse(path).getroot().iter("Scale")  # noqa: S314 - reference material
    return {str(s.findtext("segment")).strip(): np.array(str(s.findtext("scales")).split(), float) for s in scales}


def _off(factors: dict[str, NDArray[np.float64]], published: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    return {name: float(np.abs(factors[name] - published[name]).max()) for name in factors if name in published}


def _trajectories(positions_m: NDArray[np.float64], names: object, rate_hz: float) -> MarkerTrajectories:
    n_rows = len(positions_m)
    return MarkerTrajectories(
        names=tuple(str(name) for name in names),  # type: ignore[attr-defined]
        positions_m=positions_m,
        times_s=np.arange(n_rows) / rate_hz,
        sample_indices=np.arange(n_rows, dtype=np.int64),
        rate_hz=rate_hz,
        source="benchmark",
    )


def _run_stages(config: Config, stages: tuple[object, ...]) -> dict[str, float]:
    """Run every unit of the stages in this process; return CPU seconds per stage."""
    recordings, work = find_data(config), WorkFolder(config.work)
    seconds = {}
    for stage in stages:
        started = time.process_time()
        for unit in stage.plan(recordings, work, config):  # type: ignore[attr-defined]
            stage.run_unit(unit)  # type: ignore[attr-defined]
        seconds[stage.name] = time.process_time() - started  # type: ignore[attr-defined]
    return seconds


def _cpu(call):  # type: ignore[no-untyped-def]
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """OpenSim's tool prints through C++, below Python's own streams."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    main()
