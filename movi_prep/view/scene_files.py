"""Files that other programs open: `.glb` (Blender, the web), `.bvh` (animation), `.osim` with geometry (OpenSim).

| target | one file for each | |
|---|---|---|
| `glb` | clip or trial | animated skeleton with a surface, metres, y up |
| `bvh` | clip or trial | bones of fixed length and their rotations, centimetres, y up |
| `osim` | subject, or the model of trials | the scaled model, bodies without geometry drawn as ellipsoids |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InputError, MoviPrepError
from movi_prep.formats.atomic import write_bytes, write_text
from movi_prep.formats.bvh import bvh_text
from movi_prep.formats.glb import glb_bytes
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.formats.packaged import packaged_path
from movi_prep.plain_text import count_of
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.packaged_model import PACKAGED_IK_SETUP
from movi_prep.view.solution_rig import make_rig
from movi_prep.view.work import find_trials, read_trial_solution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.view.work import Trial

SceneKind = Literal["glb", "bvh", "osim"]
SCENE_KINDS: tuple[SceneKind, ...] = ("glb", "bvh", "osim")

_TOLD_SLIDE_M = 0.001


@dataclass(frozen=True)
class SceneFiles:
    """The result of an export.

    Attributes:
        outputs: the files.
        findings: sentences on what the files lack.
        failed: what could not be written, and why.
    """

    outputs: tuple[Path, ...]
    findings: tuple[str, ...]
    failed: tuple[str, ...]


def export_scenes(source: Path, out: Path, kind: SceneKind) -> SceneFiles:
    """Write the files of a work folder for other programs; one that cannot be written leaves the others.

    Args:
        source: a work folder with solutions.
        out: folder of the files; they bear the names of clips, or of subjects.
        kind: which files.

    Raises:
        MissingError: there is no solution.
    """
    trials = find_trials(WorkFolder(source))
    outputs, findings, failed = [], [], []
    for name, trial in (_models(trials) if kind == "osim" else {trial.name: trial for trial in trials}).items():
        path = out / f"{name}.{kind}"
        try:
            findings += [f"{name}: {text}" for text in _write(trial, WorkFolder(source), path, kind)]
        except MoviPrepError as error:
            failed.append(f"{name}: {error}")
            continue
        outputs.append(path)
    return SceneFiles(tuple(outputs), tuple(findings), tuple(failed))


def _models(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Return one trial for each model, by the name of its file."""
    return {trial.clip.subject if trial.clip is not None else trial.model.stem: trial for trial in trials}


def _write(trial: Trial, work: WorkFolder, path: Path, kind: SceneKind) -> list[str]:
    if kind == "osim":
        return _write_model(trial.model, path)
    # The weights of markers move no bone: the packaged ones serve any solution.
    solution = read_trial_solution(trial, work, packaged_path("opensim_models", PACKAGED_IK_SETUP))
    rig, n_held = make_rig(solution, read_model_outline(trial.model))
    findings = (
        [f"{count_of(n_held, 'frame without a pose repeats', 'frames without a pose repeat')} the one before"]
        if n_held
        else []
    )
    if kind == "glb":
        write_bytes(path, glb_bytes(rig, name=trial.name))
        return findings
    text, slide_m = bvh_text(rig)
    write_text(path, text)
    if slide_m > _TOLD_SLIDE_M:
        findings.append(f"a joint slides by {1e3 * slide_m:.0f} mm, which .bvh cannot hold; .glb does")
    return findings


def _write_model(model_file: Path, path: Path) -> list[str]:
    from movi_prep.osim.body_geometry import add_simple_geometry
    from movi_prep.osim.models import read_model, write_model

    # Drawn bodies would become part of the model that later stages read.
    if path.resolve() == model_file.resolve():
        raise InputError(path, expected="another file than the model", got="the same", remedy="name another folder")
    model = read_model(model_file)
    drawn = add_simple_geometry(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_model(path, model)
    bodies = count_of(len(drawn), "body", "bodies")
    return [f"drawn as ellipsoids, without geometry of their own: {bodies}"] if drawn else []
