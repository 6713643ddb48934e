"""Set-ups of our own, in YAML: `movi-prep scaling` and `movi-prep inverse kinematics`, version 1.

The keys of each file are the fields of `ScalingFile` and `IkFile`; `opensim_models/` holds examples of both.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from movi_prep.config.load import describe_problems
from movi_prep.config.validation import StrictModel
from movi_prep.errors import InputError
from movi_prep.formats.yaml_file import read_yaml_file
from movi_prep.records.setups import (
    MANUAL,
    MEASUREMENTS,
    CoordinateTask,
    IkSetup,
    Measurement,
    PostScaling,
    ScaleSetup,
)

SCALING_FORMAT = "movi-prep scaling"
IK_FORMAT = "movi-prep inverse kinematics"
VERSION = 1

FileType = TypeVar("FileType", "ScalingFile", "IkFile")


def _refuse_truth(value: Any) -> Any:
    """Refuse `yes` and `true`, which pydantic would read as the number 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic tells ValueError as a problem of the field
    return value


def _split_axes(value: Any) -> Any:
    return list(value) if isinstance(value, str) else value


Number = Annotated[float, BeforeValidator(_refuse_truth)]
Finite = Annotated[Number, Field(allow_inf_nan=False)]
Weight = Annotated[Finite, Field(ge=0)]
Axes = Annotated[list[Literal["X", "Y", "Z"]], Field(min_length=1), BeforeValidator(_split_axes)]


class _Section(StrictModel):
    """A mapping in which a key without a value (`measurements:` before an empty line) counts as left out."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None}


class MeasurementEntry(StrictModel):
    """One factor, from distances between markers."""

    marker_pairs: list[tuple[str, str]] = Field(min_length=1)
    """Pairs of markers; the factor is the mean of measured / model distance over them."""

    bodies: list[str]
    """Bodies that the factor scales."""

    axes: Axes
    """Axes of these bodies that it scales."""


class TaskEntry(StrictModel):
    """One coordinate that is pulled towards a value."""

    weight: Weight
    """Weight beside those of the markers."""

    value: Finite | Literal["default"] = "default"
    """Value, rad or m, or the model's default."""


class PostScalingEntry(_Section):
    """What is done to the scaled model."""

    default_values: Literal["static pose", "kept"] = "kept"
    """Which pose is the scaled model's default."""

    unlocked_coordinates: list[str] = Field(default_factory=list)
    """Coordinates that move from then on."""

    locked_coordinates: list[str] = Field(default_factory=list)
    """Coordinates that are locked from then on."""

    released_constraints: list[str] = Field(default_factory=list)
    """Constraints that are no longer enforced."""

    markers_moved_to_body: dict[str, str] = Field(default_factory=dict)
    """Marker -> body that carries it from then on, at the same place in the static pose."""


class ScalingFile(_Section):
    """A scaling file."""

    format: Literal["movi-prep scaling"]
    """Which file this is."""

    version: Literal[1]
    """Version of its layout."""

    name: str | None = None
    """Name of the set-up; none means that of the file."""

    static_time_range_s: tuple[Number, Number] = (-math.inf, math.inf)
    """First and last time of the static trial, seconds."""

    preserve_mass_distribution: bool = True
    """Whether bodies keep their share of the mass."""

    max_marker_movement_m: Finite = -1.0
    """Largest movement of a marker within the static time range, metres; negative for the limit of the settings."""

    accuracy: Finite = Field(default=1e-5, gt=0, lt=1)
    """Accuracy of OpenSim's solver in the static pose."""

    measurements: dict[str, MeasurementEntry] = Field(default_factory=dict)
    """Factors from marker distances."""

    manual_factors: dict[str, tuple[Finite, Finite, Finite]] = Field(default_factory=dict)
    """Body -> three factors that are given; they win over measurements."""

    marker_weights: dict[str, Weight] = Field(default_factory=dict)
    """Weights of the markers in the static pose."""

    coordinate_tasks: dict[str, TaskEntry] = Field(default_factory=dict)
    """Coordinates that are pulled towards a value in the static pose."""

    post_scaling: PostScalingEntry = PostScalingEntry()
    """Steps after scaling."""


class IkFile(_Section):
    """A tracking file."""

    format: Literal["movi-prep inverse kinematics"]
    """Which file this is."""

    version: Literal[1]
    """Version of its layout."""

    name: str | None = None
    """Name of the set-up; none means that of the file."""

    accuracy: Finite = Field(default=1e-5, gt=0, lt=1)
    """Accuracy of OpenSim's solver."""

    constraint_weight: Number = Field(default=math.inf, gt=0)
    """Weight of couplers in OpenSim's solver; `.inf` enforces them."""

    marker_weights: dict[str, Weight] = Field(default_factory=dict)
    """Weight of each marker that is tracked; 0 for markers that are only reported."""

    coordinate_tasks: dict[str, TaskEntry] = Field(default_factory=dict)
    """Coordinates that are pulled towards a value."""


def read_scale_yaml(path: Path) -> ScaleSetup:
    """Read a scaling file.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is another file, or a value in it cannot be used.
    """
    file = _read(path, ScalingFile, SCALING_FORMAT)
    post = file.post_scaling
    return ScaleSetup(
        name=file.name or path.stem,
        source=str(path),
        measurements=tuple(
            Measurement(
                name=name,
                marker_pairs=tuple(entry.marker_pairs),
                body_axes=tuple((body, "".join(entry.axes)) for body in entry.bodies),
            )
            for name, entry in file.measurements.items()
        ),
        manual_factors=file.manual_factors,
        # Manual factors last, so that they win over measurements.
        order=(MEASUREMENTS, MANUAL),
        # One range for both steps: they look at one static pose.
        scaling_time_range_s=file.static_time_range_s,
        placement_time_range_s=file.static_time_range_s,
        preserve_mass_distribution=file.preserve_mass_distribution,
        max_marker_movement_m=file.max_marker_movement_m,
        accuracy=file.accuracy,
        marker_weights=file.marker_weights,
        coordinate_tasks=_tasks(file.coordinate_tasks),
        post_scaling=PostScaling(
            default_values=post.default_values,
            unlocked_coordinates=tuple(post.unlocked_coordinates),
            locked_coordinates=tuple(post.locked_coordinates),
            released_constraints=tuple(post.released_constraints),
            markers_moved_to_body=post.markers_moved_to_body,
        ),
    )


def read_ik_yaml(path: Path) -> IkSetup:
    """Read a tracking file; raise as `read_scale_yaml` does."""
    file = _read(path, IkFile, IK_FORMAT)
    return IkSetup(
        name=file.name or path.stem,
        source=str(path),
        marker_weights=file.marker_weights,
        coordinate_tasks=_tasks(file.coordinate_tasks),
        accuracy=file.accuracy,
        constraint_weight=file.constraint_weight,
    )


def _tasks(entries: dict[str, TaskEntry]) -> tuple[CoordinateTask, ...]:
    return tuple(
        CoordinateTask(name=name, weight=entry.weight, source="default")
        if entry.value == "default"
        else CoordinateTask(name=name, weight=entry.weight, source="manual", value=entry.value)
        for name, entry in entries.items()
    )


def _read(path: Path, kind: type[FileType], format_name: str) -> FileType:
    content = read_yaml_file(path, expected="a set-up file (YAML)", remedy="correct it")
    found = content.get("format") if isinstance(content, dict) else None
    # Before pydantic: "another file" says more than a list of unknown keys.
    if found != format_name:
        raise InputError(
            path,
            expected=f"format: {format_name}",
            got=f"{found!r}",
            remedy="check which file this is (set-ups of OpenSim end in .xml)",
        )
    if content.get("version") != VERSION:
        raise InputError(
            path, expected=f"version: {VERSION}", got=f"{content.get('version')!r}", remedy="update movi-prep"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(
            path, expected=f"settings of {format_name}", got=describe_problems(error), remedy="correct it"
        ) from error
