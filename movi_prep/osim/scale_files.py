"""Writes the files that OpenSim's ScaleTool writes besides models, with OpenSim's own objects.

| file | content |
|---|---|
| scale factors (.xml) | a ScaleSet: three factors of ground and of each body and offset frame, in the model's order |
| marker set (.xml) | a MarkerSet: the model's markers, where they were placed |
| static pose (.mot) | "static pose": time, value and speed of each coordinate, radians and metres |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim

from movi_prep.formats.atomic import atomic_path
from movi_prep.formats.storage import StorageTable, write_storage
from movi_prep.osim.models import vector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.records.scale_result import ScaleResult


def state_values(model: opensim.Model, state: opensim.State) -> dict[str, float]:
    """Return the value of each state variable by OpenSim's name, `/jointset/knee_r/knee/value`, radians and metres."""
    names, values = model.getStateVariableNames(), model.getStateVariableValues(state)
    return {names.get(index): float(values.get(index)) for index in range(names.getSize())}


def write_scale_factors(path: Path, model: opensim.Model, result: ScaleResult) -> None:
    """Write the factors of a scaling (ModelScaler::processModel)."""
    factors = dict(zip(result.body_names, result.body_factors, strict=True))
    scales = opensim.ScaleSet()
    scales.setName("ScaleSet")
    # OpenSim's tool writes factors for offset frames and ground as well; bodies without a factor have 1.
    for frame in model.getFrameList():
        scale = opensim.Scale()
        scale.setSegmentName(frame.getName())
        scale.setScaleFactors(vector(factors.get(frame.getName(), np.ones(3))))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    with atomic_path(path) as partial:
        scales.printToXML(str(partial))


def write_marker_set(path: Path, model: opensim.Model) -> None:
    """Write the markers of a model."""
    with atomic_path(path) as partial:
        model.getMarkerSet().printToXML(str(partial))


def write_static_pose(path: Path, pose: Mapping[str, float], *, time_s: float) -> None:
    """Write the pose that the markers were placed in (MarkerPlacer::processModel)."""
    table = StorageTable(
        name="static pose",
        labels=tuple(pose),
        times_s=np.array([time_s]),
        values=np.array([list(pose.values())]),
        in_degrees=False,
    )
    write_storage(path, table)
