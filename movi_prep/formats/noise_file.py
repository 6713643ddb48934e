"""Noise of markers, in YAML: `movi-prep marker noise`, version 1 (`opensim_models/marker_noise.yaml`).

| key                              | content                                                                |
|----------------------------------|------------------------------------------------------------------------|
| `format`, `version`, `name`      | `movi-prep marker noise`, 1, a name                                    |
| `placement_sd_mm`                | where a marker sits on its body, per axis                              |
| `scale_sd`                       | relative error of the size of a segment                                |
| `segments`: name -> values       | `default` holds for bodies that no other segment names                 |
| `  bodies`                       | patterns of names of bodies, without `_r` and `_l`                     |
| `  field_sd_mm, field_length_mm` | skin field: sd per axis, and the distance over which it hangs together |
| `  tau_s`                        | its correlation time                                                   |
| `  source`                       | where these come from                                                  |

Lengths are millimetres here, as in the literature that they come from, and metres everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from movi_prep.config.load import describe_problems
from movi_prep.config.validation import StrictModel
from movi_prep.errors import InputError
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.yaml_file import read_yaml_file
from movi_prep.records.marker_noise import MarkerNoise, SegmentNoise

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = "marker noise (YAML, movi-prep marker noise version 1)"
PACKAGED_NOISE = "marker_noise.yaml"
OTHER = "default"


def _refuse_truth(value: Any) -> Any:
    """Refuse `yes` and `true`, which pydantic would read as the number 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic tells ValueError as a problem of the field
    return value


Number = Annotated[float, BeforeValidator(_refuse_truth), Field(allow_inf_nan=False)]


class SegmentEntry(StrictModel):
    """One segment; units are those of the file."""

    bodies: list[str] = Field(default_factory=list)
    """Patterns of names of bodies."""

    field_sd_mm: Annotated[Number, Field(ge=0, le=100)]
    """Standard deviation of the skin field per axis, millimetres."""

    field_length_mm: Annotated[Number, Field(gt=0)]
    """Distance over which its correlation falls to 1/e, millimetres."""

    tau_s: Annotated[Number, Field(ge=0)]
    """Time in which its correlation falls to 1/e, seconds."""

    source: str
    """Where the numbers come from."""

    def record(self, name: str) -> SegmentNoise:
        """Return the segment in metres."""
        return SegmentNoise(
            name=name,
            bodies=tuple(self.bodies),
            field_sd_m=self.field_sd_mm / 1000.0,
            field_length_m=self.field_length_mm / 1000.0,
            correlation_s=self.tau_s,
            source=self.source,
        )


class NoiseFile(StrictModel):
    """A file of marker noise."""

    format: Literal["movi-prep marker noise"]
    """Which file this is."""

    version: Literal[1]
    """Version of its layout."""

    name: str
    """Name of the model."""

    placement_sd_mm: Annotated[Number, Field(ge=0, le=100)]
    """Where a marker sits on its body, per axis, millimetres."""

    scale_sd: Annotated[Number, Field(ge=0, le=1)]
    """Relative error of the size of a segment."""

    segments: dict[str, SegmentEntry]
    """Segments by name."""


def read_marker_noise(path: Path) -> MarkerNoise:
    """Read a noise model.

    Raises:
        MissingError: there is no such file.
        InputError: it is no such file, or lacks the segment `default`.
    """
    try:
        content = NoiseFile.model_validate(read_yaml_file(path, expected=EXPECTED))
    except ValidationError as error:
        problems = describe_problems(error)
        raise InputError(path, expected=EXPECTED, got=problems, remedy="correct the file") from error
    segments = {name: entry.record(name) for name, entry in content.segments.items()}
    if OTHER not in segments:
        raise InputError(
            path,
            expected=f"a segment {OTHER!r}, for bodies that no other segment names",
            got=f"segments {', '.join(segments) or 'none'}",
            remedy="add it",
        )
    other = segments.pop(OTHER)
    return MarkerNoise(
        name=content.name,
        segments=tuple(segments.values()),
        other=other,
        placement_sd_m=content.placement_sd_mm / 1000.0,
        scale_sd=content.scale_sd,
    )


def packaged_noise() -> MarkerNoise:
    """Return the noise model that travels with the package."""
    return read_marker_noise(packaged_path("opensim_models", PACKAGED_NOISE))
