"""Reads solutions of a work folder with markers, bodies and joints, also those whose files hold nothing but angles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import InputError, list_names
from movi_prep.formats.ik_file import count_ik_rows, read_ik_solution
from movi_prep.formats.marker_file import count_marker_rows, read_markers
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.stages.solve_clip import read_scaled_model

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.work_folder import WorkFolder


def read_whole_solution(
    work: WorkFolder, clip: ClipId, setup: Path, rows: slice = slice(None), *, without: Collection[str] = ()
) -> IkSolution:
    """Return the solution of a clip; what its file lacks comes from the model, the clip's markers and their weights.

    Args:
        work: the work folder.
        clip: the clip.
        setup: the set-up with the weights.
        rows: which rows of the clip.
        without: optional fields of the file to leave out, as if it had none.

    Raises:
        MissingError: there is no solution, or no model or markers to complete it with.
        InputError: a file is damaged, or the markers are of another run than the solution.
    """
    from movi_prep.osim.solution import restore_bodies

    path = work.ik_solution(clip)
    solution = read_ik_solution(path, rows, without=without)
    if solution.is_whole:
        return solution
    scaled, markers = read_scaled_model(work.scaled_model(clip.subject)), read_markers(work.markers(clip), rows)
    is_longer = count_marker_rows(work.markers(clip)) != count_ik_rows(path)
    if scaled.coordinate_names != solution.coordinate_names or is_longer:
        raise InputError(
            path,
            expected=f"the angles of {list_names([work.scaled_model(clip.subject).name, work.markers(clip).name])}",
            got="those of another model, or of other samples",
            remedy="run movi-prep ik again",
        )
    weights = read_ik_setup(setup).marker_weights
    return restore_bodies(scaled, solution, markers, dict(weights))
