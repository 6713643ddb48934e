"""Data that the rows of a clip are made from, resampled where frames fall between mocap samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.between_samples import cubic_stencil
from movi_prep.geometry.frame_labels import SolvedClip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.alignment import ClipAlignment
    from movi_prep.records.markers import MarkerTrajectories


@dataclass(frozen=True)
class ClipSources:
    """Data from which the rows of one clip are made.

    Attributes:
        alignment: the clip's overlap with the video.
        solved: markers, inverse kinematics and scales.
        vertices_m: (n, v, 3) float64, metres, AMASS world: a sample of the posed mesh at `vertex_samples`.
        vertex_samples: (n,) int64, mocap samples of the clip.
    """

    alignment: ClipAlignment
    solved: SolvedClip
    vertices_m: NDArray[np.float64]
    vertex_samples: NDArray[np.int64]


def at_frame_times(sources: ClipSources, model: ScaledModel) -> ClipSources:
    """Return the sources with one row for each frame of the clip, numbered from 0; frames without four samples go.

    Sources whose frames all fall on samples are returned as they are.
    """
    from movi_prep.osim.resample_solution import resample_solution

    timeline, solved = sources.alignment.timeline, sources.solved
    if timeline.after_sample is None:
        return sources
    at = timeline.mocap_samples + timeline.after_sample
    numbers = (solved.markers.sample_indices, solved.solution.sample_indices, sources.vertex_samples)
    # Three stencils, because markers, solution and mesh may lack different samples.
    stencils = [cubic_stencil(samples, at) for samples in numbers]
    covered = np.logical_and.reduce([stencil.covers for stencil in stencils])
    timeline = timeline.keep(covered, "no four successive samples of the motion lie around it")
    of_markers, of_solution, of_vertices = (stencil.keep(covered) for stencil in stencils)
    rows = np.arange(timeline.n_frames)
    markers = _markers_at(solved.markers, of_markers.values(solved.markers.positions_m), at[covered])
    return replace(
        sources,
        alignment=replace(sources.alignment, timeline=timeline),
        solved=SolvedClip(markers, resample_solution(solved.solution, model, of_solution), solved.scale),
        vertices_m=of_vertices.values(sources.vertices_m),
        vertex_samples=rows,
    )


def _markers_at(
    markers: MarkerTrajectories, positions_m: NDArray[np.float64], at: NDArray[np.float64]
) -> MarkerTrajectories:
    times_s = np.interp(at, markers.sample_indices, markers.times_s)
    return replace(markers, positions_m=positions_m, times_s=times_s, sample_indices=np.arange(len(at)))
