"""What a trial is solved from: marker files in OpenSim ground, cut to their time range, under the model's names.

Marker files are in OpenSim ground (y up), as OpenSim's own tools take them, unless `ik.marker_file_up` says z; their
unit row is honoured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.trc import read_trc
from movi_prep.geometry.body_orientation import judge_orientation
from movi_prep.geometry.frames import amass_to_ground
from movi_prep.plain_text import count_of
from movi_prep.trials.marker_names import check_names_fit, match_marker_names, read_names_as

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.ik import IkSettings
    from movi_prep.osim.marker_tracking import Curve
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.setups import IkSetup


@dataclass(frozen=True)
class Trial:
    """A marker file that can be solved.

    Attributes:
        path: the file.
        markers: trajectories, metres, OpenSim ground, the rows that are asked for.
        setup: the set-up, with markers under the model's names.
        order: marker names in the order of the file, as they were matched.
        warnings: what makes the whole result doubtful: a body that lies, a mirror image.
        findings: what reading had to decide.
    """

    path: Path
    markers: MarkerTrajectories
    setup: IkSetup
    order: tuple[str, ...]
    warnings: tuple[str, ...]
    findings: tuple[str, ...]


def read_trial(path: Path, scaled: ScaledModel, setup: IkSetup, settings: IkSettings, *, is_cut: bool) -> Trial:
    """Read a marker file for a model and a set-up.

    Args:
        path: the marker file.
        scaled: the model.
        setup: the set-up: weights, tasks and time range.
        settings: which axis of the file is up.
        is_cut: whether the time range of the set-up counts.

    Raises:
        MissingError: the file does not exist.
        InputError: the file cannot be read, or too few of its markers are those that are tracked.
    """
    whole = read_marker_file(path, settings)
    known = tuple(scaled.default_markers_m)
    named, name_findings = read_names_as(whole, known)
    renamed, how = match_marker_names(tuple(setup.marker_weights), known)
    if renamed:
        tracked = {renamed.get(name, name): weight for name, weight in setup.marker_weights.items()}
        setup = replace(setup, marker_weights=tracked)
        name_findings += (f"{count_of(len(renamed), 'marker name')} of {setup.source} matched to the model's {how}",)
    weights = {name: weight for name, weight in setup.marker_weights.items() if name in known}
    check_names_fit(named.names, weights, source=str(path))
    markers = select_time_range(named, setup.time_range_s) if is_cut else named
    return Trial(
        path=path,
        markers=markers,
        setup=setup,
        order=markers.names,
        warnings=judge_orientation(markers, scaled.default_markers_m).findings,
        findings=(*markers.findings, *name_findings, *_cut_findings(whole, markers)),
    )


def _cut_findings(whole: MarkerTrajectories, used: MarkerTrajectories) -> tuple[str, ...]:
    if used.n_rows == whole.n_rows:
        return ()
    return (
        f"{used.n_rows} of {whole.n_rows} rows are solved, {used.times_s[0]:g} to {used.times_s[-1]:g} s: the set-up's "
        "<time_range> leaves out the rest",
    )


def read_marker_file(path: Path, settings: IkSettings) -> MarkerTrajectories:
    """Read a marker file (.trc or .c3d) into OpenSim ground."""
    if path.suffix.lower() == ".c3d":
        from movi_prep.formats.c3d import read_c3d

        return read_c3d(path, up=settings.marker_file_up)
    markers = read_trc(path)
    if settings.marker_file_up == "y":
        return markers
    # AMASS' world is such a laboratory's: z up, right-handed.
    return replace(markers, positions_m=amass_to_ground(markers.positions_m))


def select_time_range(markers: MarkerTrajectories, time_range_s: tuple[float, float]) -> MarkerTrajectories:
    """Return the rows from the one nearest to the first to the one nearest to the last time, as OpenSim's tool does."""
    times_s = markers.times_s
    first, last = max(time_range_s[0], float(times_s[0])), min(time_range_s[1], float(times_s[-1]))
    if last < first:
        raise InputError(
            markers.source,
            expected=f"samples between {time_range_s[0]:g} and {time_range_s[1]:g} s",
            got=f"samples from {times_s[0]:g} to {times_s[-1]:g} s",
            remedy="correct the time range of the set-up",
        )
    start, stop = int(np.argmin(np.abs(times_s - first))), int(np.argmin(np.abs(times_s - last)))
    return markers.rows(slice(start, stop + 1))


def read_curves(path: Path | None, scaled: ScaledModel) -> dict[str, Curve]:
    """Return the coordinates of a storage file as functions of time, in code's units; () if there is no file.

    Between samples a quintic spline interpolates, as OpenSim does (GCVSplineSet of degree 5). Asked for times that the
    file does not have, the functions raise InputError: beyond its ends a spline leaves for any value. One row holds
    for all times.
    """
    if path is None:
        return {}
    from movi_prep.formats.storage import coordinates_of, read_storage

    table = read_storage(path)
    # A name that several joints have means the first of them, as in OpenSim. Reversed, because the last of equal names
    # wins in a dictionary.
    kinds = reversed(list(zip(scaled.coordinate_names, scaled.coordinate_is_rotation.tolist(), strict=True)))
    values = coordinates_of(table, dict(kinds))
    columns = {label: table.labels.index(label) for label in table.labels}
    return {label: _curve(path, table.times_s, values[:, column]) for label, column in columns.items()}


def _curve(path: Path, times_s: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    from scipy.interpolate import make_interp_spline

    spline = make_interp_spline(times_s, values, k=min(5, len(times_s) - 1))
    first, last = float(times_s[0]), float(times_s[-1])
    # the ends of two files at one rate may differ by less than a sample
    slack = float(np.median(np.diff(times_s))) if len(times_s) > 1 else np.inf

    def values_at(asked_s: NDArray[np.float64]) -> NDArray[np.float64]:
        if asked_s.min() < first - slack or asked_s.max() > last + slack:
            raise InputError(
                path,
                expected=f"coordinates from {asked_s.min():g} to {asked_s.max():g} s",
                got=f"{first:g} to {last:g} s",
                remedy="shorten the time range, or name a coordinate file of the whole trial",
            )
        # Within the slack, the value at the end holds: beyond its ends a quintic spline runs away.
        return np.asarray(spline(np.clip(asked_s, first, last)), dtype=np.float64)

    return values_at
