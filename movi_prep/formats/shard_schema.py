"""The layout of native shards: one table for the writer, the reader, the verifier and the documentation.

One file holds what one camera saw of one subject. Rows are video frames, sorted by clip and frame. World is AMASS
world (z up), camera is the camera's own frame (x right, y down, z forward); metres, radians, pixels with centres at
integers. Where a mask is false, the values beside it are not labels: zero, or the identity for a rotation.
"""

from __future__ import annotations

import sys

from movi_prep.formats.described_hdf5 import STRING, Field, Schema

WORLD, CAMERA, IMAGE, PICTURE = "AMASS world", "camera", "video image", "stored picture"

FRAME_FIELDS = (
    Field("frames/clip", "i4", ("row",), "1", "clip of the subject, as in clips/number"),
    Field("frames/video_frame", "i4", ("row",), "1", "frame of the whole video, from 0"),
    Field("frames/clip_frame", "i4", ("row",), "1", "frame of the clip, from 0"),
    Field(
        "frames/mocap_sample", "i4", ("row",), "1", "last mocap sample of the clip that is not after this frame, from 0"
    ),
    Field(
        *("frames/after_sample", "f8", ("row",), "1"),
        "how far after that sample the frame is, in samples; absent where frames fall on samples",
        optional=True,
    ),
    Field("frames/used", "bool", ("row",), "1", "a marker has moved far enough since the last used frame of the clip"),
    Field("frames/ik_status", "i1", ("row",), "1", "how inverse kinematics ended: 0 and 1 are solved"),
    Field(
        *("frames/world_to_camera_rotation", "f8", ("row", 3, 3), "1", "AMASS world to a camera that moves", CAMERA),
        optional=True,
    ),
    Field(
        *("frames/world_to_camera_translation_m", "f8", ("row", 3), "m", "AMASS world to a camera that moves", CAMERA),
        optional=True,
    ),
)

CROP_FIELDS = (
    Field("crops/bytes", "u1", ("byte",), "1", "all encoded pictures, one after the other"),
    Field("crops/offset", "i8", ("row",), "byte", "where the picture of a row begins"),
    Field("crops/length", "i8", ("row",), "byte", "how many bytes it has"),
    Field("crops/size_px", "i4", ("row", 2), "px", "width and height of the stored picture"),
    Field("crops/box_px", "i4", ("row", 4), "px", "square box around the body: left, top, width, height", IMAGE),
    Field(
        "crops/source_px", "i4", ("row", 4), "px", "part of the box inside the image: left, top, width, height", IMAGE
    ),
    Field("crops/padding_px", "i4", ("row", 4), "px", "box beyond the image: left, top, right, bottom", IMAGE),
    Field("crops/valid_px", "i4", ("row", 4), "px", "part of the picture that the video fills", PICTURE),
    Field("crops/body_px", "f4", ("row", 4), "px", "extent of the projected body: left, top, right, bottom", IMAGE),
    Field("crops/intrinsics_px", "f8", ("row", 3, 3), "px", "camera matrix of the stored picture", PICTURE),
)

LABEL_FIELDS = (
    Field("labels/joints_world_m", "f4", ("row", "joint", 3), "m", "SMPL joints", WORLD),
    Field("labels/joints_camera_m", "f4", ("row", "joint", 3), "m", "SMPL joints", CAMERA),
    Field("labels/joints_px", "f4", ("row", "joint", 2), "px", "SMPL joints as seen, lens included", IMAGE),
    Field("labels/joints_in_image", "bool", ("row", "joint"), "1", "whether they lie on the image"),
    Field("labels/joints_valid", "bool", ("row", "joint"), "1", "the fitted model misses the joint by at most 2 cm"),
    Field("labels/model_joints_world_m", "f4", ("row", "joint", 3), "m", "the fitted model's SMPL joints", WORLD),
    Field("labels/markers_world_m", "f4", ("row", "marker", 3), "m", "markers", WORLD),
    Field("labels/markers_camera_m", "f4", ("row", "marker", 3), "m", "markers", CAMERA),
    Field("labels/markers_px", "f4", ("row", "marker", 2), "px", "markers as seen, lens included", IMAGE),
    Field("labels/markers_in_image", "bool", ("row", "marker"), "1", "whether they lie on the image"),
    Field("labels/markers_valid", "bool", ("row", "marker"), "1", "the fitted model misses the marker by at most 2 cm"),
    Field("labels/model_markers_world_m", "f4", ("row", "marker", 3), "m", "the fitted model's markers", WORLD),
    *(
        Field(
            *(f"labels/surface_{name}", dtype, ("row", "surface_point", *more), unit, what, frame),
            optional=True,
            since=4,
        )
        for name, dtype, more, unit, what, frame in (
            ("world_m", "f4", (3,), "m", "nose and head top", WORLD),
            ("camera_m", "f4", (3,), "m", "nose and head top", CAMERA),
            ("px", "f4", (2,), "px", "nose and head top as seen, lens included", IMAGE),
            ("in_image", "bool", (), "1", "whether they lie on the image", ""),
        )
    ),
    Field("labels/opensim_joints_world_m", "f4", ("row", "opensim_joint", 3), "m", "the model's joint centres", WORLD),
    Field(
        "labels/opensim_joints_camera_m", "f4", ("row", "opensim_joint", 3), "m", "the model's joint centres", CAMERA
    ),
    Field(
        *("labels/opensim_joints_valid", "bool", ("row", "opensim_joint"), "1"),
        "inverse kinematics solved the frame, and the model has the joint",
        since=3,
    ),
    Field("labels/pose_valid", "bool", ("row",), "1", "inverse kinematics solved the frame"),
    Field("labels/coordinates_rad", "f4", ("row", "coordinate"), "rad", "joint angles"),
    Field("labels/coordinates_valid", "bool", ("row", "coordinate"), "1", "no landmark of the body misses by 2 cm"),
    Field(
        "labels/coordinates_std_rad",
        "f4",
        ("row", "coordinate"),
        "rad",
        "how far they may be off (standard deviation; docs/deviation.md); infinite where the markers do not see the "
        "coordinate (before version 4: at 5 mm of noise per marker, independent)",
        optional=True,
    ),
    Field(
        *("labels/free_coordinates", "f4", ("row", "free_coordinate"), "rad or m"),
        "all that moves the model, the root in OpenSim ground; what is coupled follows",
        optional=True,
        since=4,
    ),
    Field(
        *("labels/deviation_factor", "f2", ("row", "free_coordinate", "mode"), "rad or m"),
        "how far free coordinates may be off in each mode: the covariance of a row is factor times its transpose",
        optional=True,
        since=4,
    ),
    Field("labels/pelvis_rotation_world", "f4", ("row", 3, 3), "1", "pelvis body to world", WORLD),
    Field("labels/pelvis_rotation_camera", "f4", ("row", 3, 3), "1", "pelvis body to camera", CAMERA),
    Field("labels/pelvis_position_world_m", "f4", ("row", 3), "m", "origin of the pelvis body", WORLD),
    Field("labels/pelvis_position_camera_m", "f4", ("row", 3), "m", "origin of the pelvis body", CAMERA),
    Field("labels/root_rotation_world", "f4", ("row", 3, 3), "1", "moving frame of ground-to-pelvis to world", WORLD),
    Field("labels/root_position_world_m", "f4", ("row", 3), "m", "origin of that frame", WORLD),
)

NAME_FIELDS = (
    Field("names/joints", STRING, ("joint",), "", "SMPL joints, by their marker names"),
    Field("names/markers", STRING, ("marker",), "", "markers"),
    Field(
        *("names/surface", STRING, ("surface_point",), ""),
        "points of the skin that no model tracks (from version 4)",
        optional=True,
        since=4,
    ),
    Field("names/opensim_joints", STRING, ("opensim_joint",), "", "joints of the model; leaves last"),
    Field("names/coordinates", STRING, ("coordinate",), "", "coordinates of the model"),
    Field("names/bodies", STRING, ("body",), "", "bodies of the model"),
)

CONVENTION_FIELDS = tuple(
    Field(f"conventions/{name}", STRING, ("coordinate",), "", f"{what}; empty where not known", optional=True, since=4)
    for name, what in (
        ("positive", "what a growing value does, checked on the subject's model"),
        ("zero", "where the coordinate is 0"),
        ("isb", "counterpart by the International Society of Biomechanics"),
        ("difference", "what else differs from it"),
    )
)
"""What each coordinate means (docs/conventions.md)."""

SUBJECT_FIELDS = (
    Field(
        "subject/body_scales",
        "f8",
        ("body", 3),
        "1",
        "scale factor of each body and axis, relative to the generic model (NaN for an absent body before version 3)",
    ),
    Field("subject/body_scales_valid", "bool", ("body",), "1", "whether the model has the body", since=3),
    Field(
        *("subject/audit", STRING, (1,), ""),
        "what the audit of scaling says of the subject's labels: sound, doubtful or refused (and kept all the same)",
        optional=True,
        since=4,
    ),
    Field(
        *("subject/audit_findings", STRING, ("finding",), ""),
        "its sentences, with numbers",
        optional=True,
        since=4,
    ),
    Field(
        *("subject/free_coordinates", STRING, ("free_coordinate",), ""),
        "coordinates of the model that are neither locked nor coupled",
        optional=True,
        since=4,
    ),
    Field(
        *("subject/deviation_correlation_s", "f8", ("mode",), "s"),
        "over which a mode keeps its value in a clip; infinite for those that last through it",
        optional=True,
        since=4,
    ),
    Field("camera/intrinsics_px", "f8", (3, 3), "px", "camera matrix of the whole image", IMAGE),
    Field(
        *("camera/lens", "f8", ("lens_coefficient",), "1"),
        "k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty of OpenCV's calib3d, or k1 k2 k3 k4 of its fisheye (`lens_model`)",
        since=4,
    ),
    Field(
        *("camera/radial_distortion", "f8", (2,), "1"),
        "before version 4: k1, k2 of x (1 + k1 r^2 + k2 r^4), normalised coordinates",
        optional=True,
    ),
    Field(
        *("camera/world_to_camera_rotation", "f8", (3, 3), "1", "AMASS world to a camera that stands still", CAMERA),
        optional=True,
    ),
    Field(
        *("camera/world_to_camera_translation_m", "f8", (3,), "m", "AMASS world to a camera that stands still", CAMERA),
        optional=True,
    ),
)

CLIP_FIELDS = (
    Field(
        "clips/number",
        "i4",
        ("clip",),
        "1",
        "clips of this file: numbers in their names, or 1, 2, 3",
    ),
    Field("clips/name", STRING, ("clip",), "", "their names", since=3),
    Field("clips/motion", STRING, ("clip",), "", "name of the motion"),
    Field("clips/first_row", "i4", ("clip",), "1", "first row of the clip"),
    Field("clips/n_rows", "i4", ("clip",), "1", "how many rows it has"),
    Field("clips/first_video_frame", "i4", ("clip",), "1", "first video frame of the clip by flags30, from 0"),
    Field("clips/n_video_frames", "i4", ("clip",), "1", "how many video frames the clip has by flags30"),
    Field("clips/lag_s", "f4", ("clip",), "s", "how late V3D shows the motion; NaN where not measured"),
    Field("clips/rotation_deg", "f4", ("clip",), "deg", "turn between AMASS and V3D; NaN where not measured"),
    Field("clips/offset_m", "f4", ("clip",), "m", "distance between AMASS and V3D; NaN where not measured"),
    Field(
        *("clips/independent_frames", "f4", ("clip",), "1"),
        "how many independent frames say as much about a mean as the rows with a pose: skin keeps its error a while",
        optional=True,
        since=4,
    ),
    Field("clips/suspect", "bool", ("clip",), "1", "alignment or pictures are suspect, the clip was asked for anyway"),
    Field("clips/doubted", "bool", ("clip",), "1", "something speaks against the pictures", since=2),
    Field(
        *("clips/picture_agreement", "f4", ("clip",), "1"),
        "correlation of where the picture changes with where the projected body moves; NaN where not judged",
        since=2,
    ),
    Field("clips/picture_lag_s", "f4", ("clip",), "s", "how late the picture is; NaN where it cannot be told", since=2),
    Field(
        *("clips/picture_offset_px", "f4", ("clip", 2), "px"),
        "how far the picture lies right of and below the projected body; NaN where it cannot be told",
        IMAGE,
        since=2,
    ),
    Field("clips/picture_on_body", "f4", ("clip",), "1", "share of the picture's change on the body", since=2),
    Field("clips/picture_by_chance", "f4", ("clip",), "1", "share of the picture that the body covers", since=2),
    Field(
        *("clips/other_agreement", "f4", ("clip",), "1"),
        "the largest agreement through another camera's calibration; NaN without one",
        since=2,
    ),
    Field("clips/other_camera", STRING, ("clip",), "", "that camera", since=2),
)

STATISTICS_FIELDS = (
    Field("statistics/coordinates_rad", "f8", ("statistic", "coordinate"), "rad", "of valid labels"),
    Field("statistics/coordinates_n", "i8", ("coordinate",), "1", "number of valid labels"),
    Field("statistics/joints_camera_m", "f8", ("statistic", "joint", 3), "m", "of valid labels", CAMERA),
    Field("statistics/image_bgr", "f8", ("statistic", 3), "1", "of pixels of every tenth picture, 0 to 255"),
    Field("names/statistics", STRING, ("statistic",), "", "what each statistic is: mean, std, min, max"),
)

_TREE = (
    ("body_names", STRING, ("tree_body",), "", "moving bodies, parents before children"),
    ("joint_names", STRING, ("tree_body",), "", "joint i carries body i"),
    ("body_parent", "i8", ("tree_body",), "1", "index of the parent body, -1 for ground"),
    ("parent_rotation", "f8", ("tree_body", 3, 3), "1", "joint frame F to parent body"),
    ("parent_position_m", "f8", ("tree_body", 3), "m", "origin of F in the parent body"),
    ("child_rotation", "f8", ("tree_body", 3, 3), "1", "body to the joint's moving frame M"),
    ("child_position_m", "f8", ("tree_body", 3), "m", "origin of the body in M"),
    ("first_axis", "i8", ("tree_body_end",), "1", "axes first_axis[i] to first_axis[i + 1] - 1 belong to joint i"),
    ("axis_is_rotation", "bool", ("axis",), "1", "rotation about, or translation along, the axis"),
    ("axis_direction", "f8", ("axis", 3), "1", "unit vector in the frame reached so far"),
    ("axis_coordinate", "i8", ("axis",), "1", "coordinate that moves the axis, -1 for none"),
    ("axis_function", "i8", ("axis",), "1", "function from the coordinate to the angle or displacement"),
    (
        "first_piece",
        "i8",
        ("function_end",),
        "1",
        "pieces first_piece[k] to first_piece[k + 1] - 1 belong to function k",
    ),
    ("piece_start", "f8", ("piece",), "rad or m", "argument from which the piece holds"),
    ("piece_origin", "f8", ("piece",), "rad or m", "the piece is a polynomial in (argument - origin)"),
    ("piece_coefficients", "f8", ("piece", "power"), "rad or m", "ascending"),
    ("coordinate_names", STRING, ("tree_coordinate",), "", "every coordinate of the model"),
    ("coordinate_is_rotation", "bool", ("tree_coordinate",), "1", "radians, else metres"),
    ("coordinate_default", "f8", ("tree_coordinate",), "rad or m", "default value"),
    ("coordinate_range", "f8", ("tree_coordinate", 2), "rad or m", "range"),
    ("coordinate_clamped", "bool", ("tree_coordinate",), "1", "whether the range is a bound"),
    ("coordinate_locked", "bool", ("tree_coordinate",), "1", "held at its default"),
    ("coupled_to", "i8", ("tree_coordinate",), "1", "coordinate that this one follows, -1 for none"),
    ("coupling_function", "i8", ("tree_coordinate",), "1", "function by which it follows, -1 for none"),
    ("marker_names", STRING, ("tree_marker",), "", "markers of the model"),
    ("marker_body", "i8", ("tree_marker",), "1", "body that carries the marker, -1 for ground"),
    ("marker_position_m", "f8", ("tree_marker", 3), "m", "in that body"),
)

TREE_FIELDS = tuple(
    Field(f"tree/{name}", dtype, dims, unit, description, "OpenSim ground at the root", optional=True)
    for name, dtype, dims, unit, description in _TREE
)
"""The scaled model's kinematic tree (`records.kinematic_tree`): forward kinematics without OpenSim."""

ATTRIBUTES = {
    "subject": "number of the subject; 0 where its name has none",
    "subject_name": "name of the subject (since version 3)",
    "camera": "name of the camera",
    "lens_model": "which equations `camera/lens` is of: opencv or fisheye (since version 4)",
    "sex": "sex of the body model",
    "split": "part of the data: train, validation, test or none",
    "height_m": "stature, metres; empty where unknown",
    "mass_kg": "body mass, kilograms; empty where unknown",
    "image_width_px": "width of the video",
    "image_height_px": "height of the video",
    "frame_rate_hz": "video frames per second",
    "image_format": "encoding of the pictures: jpeg, png or webp; their channels decode to BGR as OpenCV reads them",
    "image_quality": "JPEG quality on the body, empty for lossless pictures",
    "context_quality": "JPEG quality away from the body, empty for lossless pictures",
    "crop_size_px": "fixed side of the pictures, empty where they keep the video's resolution",
    "box_margin": "margin on each side of the body, as a part of its longer side",
    "used_frame_rule": "any or sum",
    "used_frame_distance_m": "distance of that rule, metres",
    "refused": "JSON list of [first frame, last frame, reason]: video frames within the flags that have no row",
    "left_out": "JSON list of [clip, reason]: clips without rows (since version 2, which has their numbers)",
}

SHARD_SCHEMA = Schema(
    "movi-prep shard",
    4,
    (
        *FRAME_FIELDS,
        *CROP_FIELDS,
        *LABEL_FIELDS,
        *NAME_FIELDS,
        *CONVENTION_FIELDS,
        *SUBJECT_FIELDS,
        *CLIP_FIELDS,
        *STATISTICS_FIELDS,
        *TREE_FIELDS,
    ),
    ATTRIBUTES,
)

NAMES = ("joints", "markers", "surface", "opensim_joints", "coordinates", "bodies")

DATASETS = {
    **{
        f"frames.{name}": f"frames/{name}"
        for name in ("clip", "video_frame", "clip_frame", "mocap_sample", "after_sample", "used")
    },
    **{
        f"labels.{kind}.{attribute}": f"labels/{dataset.format(kind)}"
        for kind in ("joints", "markers")
        for attribute, dataset in (
            *(("world_m", "{}_world_m"), ("camera_m", "{}_camera_m"), ("seen_px", "{}_px")),
            *(("in_image", "{}_in_image"), ("valid", "{}_valid"), ("model_world_m", "model_{}_world_m")),
        )
    },
    "labels.surface.world_m": "labels/surface_world_m",
    "labels.surface.camera_m": "labels/surface_camera_m",
    "labels.surface.seen_px": "labels/surface_px",
    "labels.surface.in_image": "labels/surface_in_image",
    "labels.joint_centres.world_m": "labels/opensim_joints_world_m",
    "labels.joint_centres.camera_m": "labels/opensim_joints_camera_m",
    "labels.joint_centres.valid": "labels/opensim_joints_valid",
    "labels.coordinates.angles_rad": "labels/coordinates_rad",
    "labels.coordinates.valid": "labels/coordinates_valid",
    "labels.coordinates.std_rad": "labels/coordinates_std_rad",
    "labels.coordinates.free": "labels/free_coordinates",
    "labels.coordinates.deviation_factor": "labels/deviation_factor",
    "labels.root.valid": "labels/pose_valid",
    "labels.root.pelvis_rotation_world": "labels/pelvis_rotation_world",
    "labels.root.pelvis_rotation_camera": "labels/pelvis_rotation_camera",
    "labels.root.pelvis_position_world_m": "labels/pelvis_position_world_m",
    "labels.root.pelvis_position_camera_m": "labels/pelvis_position_camera_m",
    "labels.root.rotation_world": "labels/root_rotation_world",
    "labels.root.position_world_m": "labels/root_position_world_m",
    "labels.scales.factors": "subject/body_scales",
    "labels.scales.valid": "subject/body_scales_valid",
    "labels.ik_status": "frames/ik_status",
    **{f"names.{name}": f"names/{name}" for name in NAMES},
    "camera.intrinsics_px": "camera/intrinsics_px",
    "camera.lens.coefficients": "camera/lens",
    "camera.world_to_camera_rotation": "camera/world_to_camera_rotation",
    "camera.world_to_camera_translation_m": "camera/world_to_camera_translation_m",
}
"""Where a record of the program has it (`formats.shard_records`) -> dataset: the one place that knows both."""

MOVING_POSE = {
    "camera.world_to_camera_rotation": "frames/world_to_camera_rotation",
    "camera.world_to_camera_translation_m": "frames/world_to_camera_translation_m",
}
"""Where the pose of a camera that moves stands instead: one for each row."""

ROTATION_FIELDS = tuple(
    item.name for item in SHARD_SCHEMA.fields if item.dims[-2:] == (3, 3) and "rotation" in item.name
)
"""Fields whose last two axes are rotation matrices."""

STATISTICS = ("mean", "std", "min", "max")
"""Names of the first axis of every statistic."""


def shard_document() -> str:
    """Return `docs/shard_format.md`: the schema for people."""
    attributes = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in SHARD_SCHEMA.attributes.items())
    return f"""# The format of native shards

{SHARD_SCHEMA.format}, version {SHARD_SCHEMA.version}. This page is made from the table that the writer, the reader and
`movi-prep verify` work from (`movi_prep/formats/shard_schema.py`).

One HDF5 file `S001_PG1.h5` holds what camera PG1 saw of subject 1. Rows are video frames, sorted by clip and frame.
World is AMASS world (z up), camera is the camera's own frame (OpenCV: x right, y down, z forward); metres, radians,
pixels with centres at integers and (0, 0) at the centre of the top left pixel. Where a mask is false, the values
beside it are not labels: zero, or the identity for a rotation.

```python
from movi_prep.formats.shard import ShardFile

with ShardFile(path) as shard:
    angles_rad = shard.read("labels/coordinates_rad")  # (row, coordinate)
    names = shard.names("names/coordinates")
    encoded = shard.picture(0)  # JPEG, PNG or WebP, as the attribute image_format says
```

Without this package: `crops/bytes[offset : offset + length]` is an image file. Every dataset has the attributes
`dims`, `unit`, `frame`, `description` and `sha256` (of its values in C order, little-endian).

A picture shows `crops/source_px` of the video image. The box around the body (`crops/box_px`) may go beyond the
image: by how much stands in `crops/padding_px`, and no pixel is made up for it. Pictures of a fixed side show the
whole box; what the video does not fill is black and outside `crops/valid_px`. Pixel labels are those of the video
image; `crops/intrinsics_px` projects camera coordinates into the picture, with `camera/lens`.

A point X of the world is at `rotation @ X + translation` in the camera. Of a camera that stands still these are
`camera/world_to_camera_*`; one that moves has a pose for each row, `frames/world_to_camera_*`, and no other.

JPEG pictures have `image_quality` on the body (a 16-pixel block of it, and the blocks around) and `context_quality`
elsewhere.

## Forward kinematics from the file

`tree/` is the subject's scaled model. With P and C the 4x4 matrices of a joint's `parent_*` and `child_*`, and A1, A2
and so on those of its axes in their order (each turns about, or moves along, its `axis_direction` by the
`axis_function` of its `axis_coordinate`),

    M = T_parent P A1 A2 ...      its origin is the joint centre, `labels/opensim_joints_world_m`
    T_body = M C                  pose of the body in AMASS world

and of the root M is `labels/root_rotation_world` and `labels/root_position_world_m`. The value of a function is that
of its last piece whose `piece_start` is not above the argument (before all, of the first): the sum of
`piece_coefficients` times powers of argument minus `piece_origin`. A coordinate that is no label follows `coupled_to`
by `coupling_function`, or rests at its default; no joint centre of the labels hangs from another kind, unless a model
of your own has one.

## File attributes

| attribute | meaning |
|---|---|
| `format`, `format_version` | `{SHARD_SCHEMA.format}`, {SHARD_SCHEMA.version} |
| `provenance` | JSON: who made the file from what |
{attributes}

## Datasets

{SHARD_SCHEMA.table()}
"""


if __name__ == "__main__":
    sys.stdout.write(shard_document())
