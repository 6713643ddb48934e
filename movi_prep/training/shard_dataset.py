"""Native shards as a PyTorch data set: the sample that D3KE's data set class returns, from one file per camera.

| key | type | shape | content |
|---|---|---|---|
| `image` | float32 | (3, s, s) | RGB, 0 to 1, seen by a virtual camera turned to the box; absent without pictures |
| `pose3d`, `pose2d` | float32 | (p, 3), (p, 2) | joint centres, SMPL joints, markers; m in that camera, px |
| `joint3d_validity_mask` | float32 | (p,) | 1 where the label is valid and lies in the picture |
| `coordinateAngle`, `coordinateMask` | float32 | (c,) | label coordinates, radians, and 1 where they are valid |
| `coordinateStd` | float32 | (c,) | their standard deviations, infinite where unseen; if all shards have them |
| `boneScale` | float32 | (b, 3) | body scales relative to the generic model; with `scales="d3ke"` D3KE's |
| `boneScaleMask` | float32 | (b,) | 1 where the model has the body |
| `rootRotMat` | float32 | (3, 4) | pose of the ground-to-pelvis joint's moving frame in the virtual camera |
| `bbox` | float32 | (4,) | box in the video: column, row, width, height |
| `cameraIntrinsics` | float32 | (3, 3) | camera matrix of the virtual camera, px of `image`; it has no lens |
| `worldToCamera` | float32 | (3, 4) | AMASS world to the frame of `pose3d`, rotation and translation (m) |
| `cropIntrinsics` | float32 | (3, 3) | camera matrix of the stored picture, whose lens is `lens` |
| `worldToCrop` | float32 | (3, 4) | AMASS world to the real camera, rotation and translation (m) |
| `lens` | float32 | (14,) | coefficients of the real camera in OpenCV's order, of the model that `lensModel` says |
| `subject`, `videoID`, `frame` | int | | numbers of subject and clip, frame of the clip |
| `localIdx`, `fileIdx` | int | | row of the shard, index of the sample |
| `cameraType`, `name` | str | | camera; `S001/C02/PG1/000017` |
| `hflip` | bool | | whether the picture is flipped |

Where `hflip` is set, `worldToCamera` holds the reflection too (its determinant is -1): it maps a point of the world
to where the flipped picture shows it, which is the label of the same point on the other side.

With a window of t frames every array gains a leading axis t, the scalars describe the frame that is predicted, and
`windowMask` (t,) float32 is 1 where a frame is the requested one, 0 where an earlier one is repeated. With
views of v cameras every array gains a leading axis v before all others, `cameraType` and `name` list all cameras
(`PG1+PG2`), and `localIdx` is the row of the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from movi_prep.errors import UsageError, list_names
from movi_prep.formats.absent_shards import absent_shards
from movi_prep.formats.d3ke import read_base_model
from movi_prep.formats.label_tables import read_body_scale_means
from movi_prep.formats.occluders import Occluder, read_occluders
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_index import read_index
from movi_prep.formats.shard_records import (
    UNKNOWN_AUDIT,
    read_attribute,
    read_audit,
    read_clip_ids,
    read_label_names,
    read_moments,
    read_shard_camera,
    read_subject_name,
)
from movi_prep.formats.shard_schema import DATASETS
from movi_prep.geometry.mirror import CAMERA_REFLECTION
from movi_prep.geometry.moments import common_moments
from movi_prep.geometry.virtual_camera import VirtualCamera, aim_cameras
from movi_prep.names import natural_order
from movi_prep.records.camera import Camera
from movi_prep.records.identity import ClipId
from movi_prep.records.label_tables import LabelNames, Split
from movi_prep.records.lens import COEFFICIENT_NAMES, Lens
from movi_prep.records.marker_set import FLOOR_PREFIX
from movi_prep.records.scale_result import AuditGrade
from movi_prep.training.augmentation import PLAIN_COLOURS, Augmentation, View, draw_view, recolour
from movi_prep.training.occlusion import erase, occlude
from movi_prep.training.picture import Scratch, WarpMaps, decode_for_warp, write_rgb_planes
from movi_prep.training.sample_labels import (
    LabelContext,
    Labels,
    MirrorTables,
    mirror_some,
    read_label_context,
    read_labels,
    read_mirror_tables,
)

_SCRATCH = Scratch()

AUDITS = (*(str(grade) for grade in AuditGrade), UNKNOWN_AUDIT)
"""Grades that the audit of scaling may give a shard's subject."""


@dataclass(frozen=True)
class Selection:
    """The rows of the shards that are samples; None does not restrict.

    Attributes:
        split: "train", "validation", "test" or "none", as the shards were written.
        subjects: names or numbers of subjects.
        cameras: names of cameras.
        clips: names or numbers of clips.
        used_only: only frames that moved since the last used one.
        every: only each n-th frame of a clip.
        solved_only: only frames that inverse kinematics solved.
        min_valid: least part of the coordinates that must be valid.
        audit: grades of the audit of scaling: "sound", "doubtful", "refused"; shards before version 4 have none and
            count as "unknown".
    """

    split: Split | None = None
    subjects: Sequence[int | str] | None = None
    cameras: Sequence[str] | None = None
    clips: Sequence[int | str] | None = None
    used_only: bool = False
    every: int = 1
    solved_only: bool = True
    min_valid: float = 0.0
    audit: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse impossible bounds."""
        if self.every < 1:
            raise UsageError(f"every: expected 1 or more, but got {self.every}")
        if not 0.0 <= self.min_valid <= 1.0:
            raise UsageError(f"min_valid: expected a number from 0 to 1, but got {self.min_valid}")
        odd = sorted(set(self.audit or ()) - set(AUDITS))
        if odd:
            raise UsageError(f"audit: expected some of {list_names(AUDITS)}, but got {list_names(odd)}")


@dataclass(frozen=True)
class Window:
    """Frames around the predicted one; at the ends of a clip its first or last frame is repeated, as D3KE does.

    Attributes:
        n_frames: length of the window.
        causal: whether the predicted frame is the last of the window instead of its middle.
    """

    n_frames: int
    causal: bool = False

    def __post_init__(self) -> None:
        """Refuse a window without frames."""
        if self.n_frames < 1:
            raise UsageError(f"n_frames: expected 1 or more, but got {self.n_frames}")

    def offsets(self) -> NDArray[np.int64]:
        """Return (n_frames,) int64: frames relative to the predicted one."""
        last = 0 if self.causal else self.n_frames // 2
        return np.arange(last - self.n_frames + 1, last + 1, dtype=np.int64)


class _Source:
    """One shard with the shared data of all its rows; opens its file in the process that reads it."""

    def __init__(self, path: Path) -> None:
        self.file = ShardFile(path)
        self.with_std = DATASETS["labels.coordinates.std_rad"] in self.file

    @cached_property
    def camera(self) -> Camera:
        return read_shard_camera(self.file)

    @cached_property
    def subject(self) -> int:
        return int(self.file.attribute("subject"))

    @cached_property
    def subject_name(self) -> str:
        return read_subject_name(self.file)

    @cached_property
    def clip_ids(self) -> dict[int, ClipId]:
        return read_clip_ids(self.file)

    @cached_property
    def context(self) -> LabelContext:
        return read_label_context(self.file, n_markers=self.n_markers, with_std=self.with_std)

    @cached_property
    def boxes_px(self) -> NDArray[np.float64]:
        return self.file.read("crops/box_px").astype(np.float64)

    @cached_property
    def crop_intrinsics_px(self) -> NDArray[np.float64]:
        return self.file.read("crops/intrinsics_px")

    @cached_property
    def cuts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corner of each stored picture in the video, and picture pixels per video pixel.

        A picture's camera matrix shows how it was cut: the focal length gives the scale, the principal point the
        corner.
        """
        whole, cut = self.camera.intrinsics_px, self.crop_intrinsics_px
        # Pictures are scaled alike in both axes: one focal length is enough.
        scales = cut[:, 0, 0] / whole[0, 0]
        return whole[:2, 2] + 0.5 - (cut[:, :2, 2] + 0.5) / scales[:, None], scales

    @cached_property
    def n_markers(self) -> int:
        """Markers of the network: those on the floor are labels of the file only, and come last."""
        return sum(not name.startswith(FLOOR_PREFIX) for name in self.names.markers)

    @cached_property
    def names(self) -> LabelNames:
        return read_label_names(self.file)

    @cached_property
    def mirror(self) -> MirrorTables:
        return read_mirror_tables(self.file, n_markers=self.n_markers)

    @cached_property
    def clips(self) -> NDArray[np.int32]:
        return self.file.read(DATASETS["frames.clip"])

    @cached_property
    def clip_frames(self) -> NDArray[np.int32]:
        return self.file.read(DATASETS["frames.clip_frame"])

    @cached_property
    def moments(self) -> NDArray[np.float64]:
        return read_moments(self.file)

    @cached_property
    def clip_rows(self) -> dict[int, tuple[int, int]]:
        """First row and one past the last of each clip."""
        # Rows of a clip stand together in a shard, so that its first row and its number of rows say where it is.
        numbers, first = np.unique(self.clips, return_index=True)
        counts = [int(np.count_nonzero(self.clips == number)) for number in numbers]
        return {
            int(number): (int(start), int(start) + count)
            for number, start, count in zip(numbers, first, counts, strict=True)
        }

    def rows_around(self, row: int, offsets: NDArray[np.int64]) -> tuple[list[int], NDArray[np.float32]]:
        """Return the rows of a window: the requested frame (1), or the nearest earlier one that the clip has (0)."""
        first, end = self.clip_rows[int(self.clips[row])]
        frames = self.clip_frames[first:end]
        wanted = self.clip_frames[row] + offsets
        # `side="right"` less one: the last frame that is not after the wanted one.
        rows = first + np.searchsorted(frames, np.clip(wanted, frames[0], frames[-1]), side="right") - 1
        return [int(index) for index in rows], (self.clip_frames[rows] == wanted).astype(np.float32)


@dataclass(frozen=True)
class _Look:
    """What one camera of a sample shows: rows of a shard around the predicted one, in one view.

    Attributes:
        source: which shard.
        row: the predicted row.
        rows: the rows of the window, or only that one.
        asked: (t,) float32, 1 where a row of the window is the requested one; None without a window.
        view: the view.
    """

    source: int
    row: int
    rows: Sequence[int]
    asked: NDArray[np.float32] | None
    view: View


class ShardDataset(torch.utils.data.Dataset[dict[str, Any]]):  # type: ignore[misc]
    """Samples of native shards, the same in any number of workers, forked or spawned.

    Every shard of the folder is read, also one that an earlier run left there: `movi-prep verify WORK` names those.

    Args:
        shards: the folder with shards, or the files.
        selection: which rows are samples.
        size_px: side of the pictures, pixels.
        window: frames around each sample; None gives single frames.
        augmentation: ranges of random views; None gives the plain view. A sample's view depends on the seed, the
            epoch and its index, not on the worker that reads it.
        simulated: whether SMPL joints and markers are the fitted model's instead of the body's own.
        pictures: whether samples have an image; without, samples are read several times as fast.
        scales: "factors": `boneScale` holds scale factors. "d3ke": factors times the mesh scales of D3KE's base model,
            as its layer divides them; those of our model, or of the `pyBaseModel.pkl` whose path is given instead.
        views: names of cameras that see one moment in one sample, in this order; moments missing in one of them are
            not samples. `every` and `used_only` choose among the frames of the first. None gives one sample for each
            camera.

    Raises:
        MissingError: there are no shards.
        UsageError: nothing is selected, or pictures would have no pixels.
    """

    def __init__(  # noqa: PLR0913 - what a sample is, spelt out
        self,
        shards: Path | str | Sequence[Path | str],
        *,
        selection: Selection | None = None,
        size_px: int = 256,
        window: Window | None = None,
        augmentation: Augmentation | None = None,
        simulated: bool = False,
        pictures: bool = True,
        scales: Literal["factors", "d3ke"] | Path = "factors",
        views: Sequence[str] | None = None,
    ) -> None:
        """Find the rows; pictures and labels are read on access."""
        if size_px < 1:
            raise UsageError(f"size_px: expected 1 or more, but got {size_px}")
        selection = selection or Selection()
        if views is not None:
            selection = replace(selection, cameras=_named_views(views, selection))
        self._size_px, self._window, self._simulated, self._pictures = size_px, window, simulated, pictures
        self._is_multiple = views is not None
        # Workers that persist hold a copy of the data set; what changes between epochs lies where they see it.
        self._augmentation, self._epoch = augmentation, torch.zeros((), dtype=torch.int64).share_memory_()
        sources = [_Source(path) for path in _find_shards(shards)]
        self._sources = [source for source in sources if _is_wanted(source, selection)]
        # All or none: samples of one batch must have the same keys.
        with_std = all(source.with_std for source in self._sources)
        for source in self._sources:
            source.with_std = with_std
        _occluders(augmentation)
        self._mesh_scales = {source.file.path: _mesh_scales(scales, source) for source in self._sources}
        rows = [
            # The frames of the first camera are chosen; those of the others follow from their moments.
            _select_rows(source, selection if not views or source.camera.name == views[0] else _any_frame(selection))
            for source in self._sources
        ]
        # (samples, cameras): which source, and which of its rows.
        single = [np.stack([np.full(len(found), at), found], axis=-1) for at, found in enumerate(rows)]
        self._places = (
            (np.concatenate(single)[:, None] if single else np.empty((0, 1, 2), dtype=np.int64))
            if views is None
            else _moments(self._sources, rows, views)
        )
        there = "" if len(self._places) else _describe_choices(sources)
        for source in sources:
            # Before workers fork: each opens the files for itself.
            source.file.close()
        if there:
            raise UsageError(f"expected at least one sample, but {selection} selects none; widen it: there are {there}")

    def set_epoch(self, epoch: int) -> None:
        """Draw other views from now on, in persistent workers too; call it before the loader starts an epoch."""
        self._epoch.fill_(epoch)

    def normalisation(self, split: Split = "train") -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Return mean and deviation of `coordinateAngle` (c,) and `image` (3,) over a part of the data.

        They come from the index beside the shards, so that training and test share the same numbers.

        Raises:
            MissingError: there is no index beside the shards.
            UsageError: no shard is of that part.
        """
        statistics = read_index(self._sources[0].file.path.parent)["statistics"]
        if split not in statistics:
            raise UsageError(f"split: expected one of {list_names(statistics)}, but got {split!r}")
        keys = {"coordinateAngle": "coordinates_rad", "image": "image_rgb"}
        return {
            key: (torch.tensor(statistics[split][name]["mean"]), torch.tensor(statistics[split][name]["std"]))
            for key, name in keys.items()
        }

    @property
    def point_names(self) -> tuple[str, ...]:
        """Names of the points of `pose3d`, `pose2d` and their mask: model joints, SMPL joints, markers."""
        names, n_markers = self._sources[0].names, self._sources[0].n_markers
        return (*names.opensim_joints, *names.joints, *names.markers[:n_markers])

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the entries of `coordinateAngle` and `coordinateMask`."""
        return self._sources[0].names.coordinates

    @property
    def body_names(self) -> tuple[str, ...]:
        """Names of the rows of `boneScale`."""
        return self._sources[0].names.bodies

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return one sample, or a list of them; the keys are in the module's table. -1 is the last."""
        if isinstance(index, slice):
            return [self._samples([each])[0] for each in range(*index.indices(len(self)))]
        return self._samples([self._index(index)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return the samples of a batch, the same as one by one; torch's loader asks for a batch in this way.

        All that is not a picture is computed for the whole batch at once, and a frame that several windows show is
        read once.
        """
        return self._samples([self._index(index) for index in indices])

    def _samples(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        looks = [self._looks(index) for index in indices]
        # Frames by shard: what the rows of one file share is worked out together.
        wanted: dict[int, dict[tuple[int, View], int]] = {}
        for look in itertools.chain.from_iterable(looks):
            places = wanted.setdefault(look.source, {})
            for row in look.rows:
                places.setdefault((row, look.view), len(places))
        frames = {source: self._frames(self._sources[source], list(places)) for source, places in wanted.items()}
        return [
            self._sample(index, cameras, [self._arrays(look, wanted[look.source], frames) for look in cameras])
            for index, cameras in zip(indices, looks, strict=True)
        ]

    def _looks(self, index: int) -> list[_Look]:
        """Return what each camera of a sample has to show."""
        places = self._places[index].tolist()
        drawn = self._views(index, len(places))
        looks = []
        for (source, row), view in zip(places, drawn, strict=True):
            rows, asked = [row], None
            if self._window is not None:
                rows, asked = self._sources[source].rows_around(row, self._window.offsets())
            looks.append(_Look(source, row, rows, asked, view))
        return looks

    def _arrays(
        self, look: _Look, places: Mapping[tuple[int, View], int], frames: Mapping[int, dict[str, NDArray[Any]]]
    ) -> dict[str, NDArray[Any]]:
        at = [places[row, look.view] for row in look.rows]
        arrays = {key: values[at] for key, values in frames[look.source].items() if key != _PICTURES}
        if self._pictures:
            arrays["image"] = _images([frames[look.source][_PICTURES][one] for one in at], look.view)
        if look.asked is None:
            return {key: values[0] for key, values in arrays.items()}
        return {**arrays, "windowMask": look.asked}

    def _sample(self, index: int, looks: Sequence[_Look], cameras: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Any]:
        one = len(cameras) == 1 and not self._is_multiple
        arrays = cameras[0] if one else {key: np.stack([each[key] for each in cameras]) for key in cameras[0]}
        return {
            **{key: torch.from_numpy(values) for key, values in arrays.items()},
            **_describe([self._sources[look.source] for look in looks], looks[0].row, index),
            "hflip": looks[0].view.flip,
        }

    def _index(self, index: Any) -> int:
        if not isinstance(index, int | np.integer) or isinstance(index, bool):
            raise TypeError(f"expected a whole number or a slice, but got {index!r}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected an index below {len(self)}, but got {index}")
        return int(index) % len(self)

    def _views(self, index: int, n: int) -> list[View]:
        """Return a draw for each camera of a sample; a mirrored person is mirrored in all of them."""
        if self._augmentation is None:
            return [View()] * n
        seeds = [self._augmentation.seed, int(self._epoch), index]
        # The first camera draws as a single one does, so that samples with and without views agree.
        drawn = [draw_view(self._augmentation, np.random.default_rng([*seeds, at] if at else seeds)) for at in range(n)]
        return [replace(view, flip=drawn[0].flip) for view in drawn]

    def _frames(self, source: _Source, wanted: Sequence[tuple[int, View]]) -> dict[str, NDArray[Any]]:
        """Return every array of frames of one shard, with their axis first."""
        rows, views = np.array([row for row, _ in wanted]), [view for _, view in wanted]
        flipped = np.array([view.flip for view in views])
        camera, boxes_px = source.camera.at(rows), source.boxes_px[rows]
        virtual = aim_cameras(
            camera,
            boxes_px,
            size_px=self._size_px,
            zoom=np.array([view.zoom for view in views]),
            roll_rad=np.array([view.roll_rad for view in views]),
            shift=np.array([view.shift for view in views]),
        )
        labels = read_labels(source.file, rows, context=source.context, virtual=virtual, simulated=self._simulated)
        labels = mirror_some(labels, flipped, source.mirror, size_px=self._size_px)
        cameras = _cameras(source, rows, camera, virtual, flipped=flipped)
        arrays: dict[str, NDArray[Any]] = {**_arrays(labels, boxes_px), **cameras}
        # Factors change sides in a mirror, mesh scales of the base model do not.
        arrays["boneScale"] = arrays["boneScale"] * self._mesh_scales[source.file.path]
        if self._pictures:
            corners, scales = source.cuts
            maps = WarpMaps(camera, virtual, corner_px=corners[rows], scale=scales[rows])
            arrays[_PICTURES] = self._seen(source, wanted, maps)
        return arrays

    def _seen(self, source: _Source, wanted: Sequence[tuple[int, View]], maps: WarpMaps) -> NDArray[np.uint8]:
        """Return (n, s, s, 4) uint8 BGRA: what each view shows, before colours and flips."""
        pictures = np.empty((len(wanted), self._size_px, self._size_px, 4), dtype=np.uint8)
        for at, (row, view) in enumerate(wanted):
            where = f"{source.file.path}, row {row}"
            stored = decode_for_warp(source.file.picture(row), where=where, scratch=_SCRATCH)
            seen = maps.warp(stored, at, scratch=_SCRATCH, into=pictures[at])
            if view.occlusion_seed is not None:
                seen[:] = occlude(seen, _occluders(self._augmentation), view.occlusion_seed)
            if view.erasing_seed is not None:
                seen[:] = erase(seen, view.erasing_seed)
        return pictures


_PICTURES = "pictures"
"""Key of the pictures of frames, bytes still: a quarter of the memory of a batch of windows."""


def _images(pictures: Sequence[NDArray[np.uint8]], view: View) -> NDArray[np.float32]:
    """Return (t, 3, s, s) float32 RGB, 0 to 1, of (s, s, 4) uint8 BGRA pictures in one view."""
    images = np.empty((len(pictures), 3, *pictures[0].shape[:2]), dtype=np.float32)
    for image, picture in zip(images, pictures, strict=True):
        write_rgb_planes(picture[:, ::-1] if view.flip else picture, image)
        if view.colours != PLAIN_COLOURS:
            image[:] = recolour(image, view.colours)
    return images


def _arrays(labels: Labels, box_px: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    uncertain = {} if labels.coordinates_std_rad is None else {"coordinateStd": labels.coordinates_std_rad}
    return {
        **uncertain,
        "pose3d": labels.points_m,
        "pose2d": labels.points_px,
        "joint3d_validity_mask": labels.points_valid.astype(np.float32),
        "coordinateAngle": labels.coordinates_rad,
        "coordinateMask": labels.coordinates_valid.astype(np.float32),
        "boneScale": labels.body_scales,
        "boneScaleMask": labels.body_scales_valid.astype(np.float32),
        "rootRotMat": labels.root_pose,
        "bbox": box_px.astype(np.float32),
    }


def _cameras(
    source: _Source,
    rows: NDArray[np.int64],
    real: Camera,
    virtual: VirtualCamera,
    *,
    flipped: NDArray[np.bool_],
) -> dict[str, NDArray[np.float32]]:
    """Return the cameras of n frames: the virtual ones of their pictures, and the real ones of the crops."""
    turn, n = virtual.world_to_camera_rotation, len(rows)
    seen = np.concatenate([turn, -turn @ virtual.centre_m[..., None]], axis=-1)
    stated = np.concatenate([real.world_to_camera_rotation, real.world_to_camera_translation_m[..., None]], axis=-1)
    # The principal point is the middle of the picture: the camera matrix of a flipped picture is the same.
    reflection = np.where(flipped[:, None], CAMERA_REFLECTION, 1.0)
    cameras = {
        "cameraIntrinsics": virtual.intrinsics_px,
        "worldToCamera": seen * reflection[..., None],
        "cropIntrinsics": source.crop_intrinsics_px[rows],
        "worldToCrop": stated if real.is_moving else stated[None].repeat(n, axis=0),
        "lens": _all_coefficients(real.lens)[None].repeat(n, axis=0),
    }
    return {name: values.astype(np.float32) for name, values in cameras.items()}


def _all_coefficients(lens: Lens) -> NDArray[np.float64]:
    """Return (14,) coefficients of either model, so that samples of several cameras make a batch."""
    return np.concatenate([lens.coefficients, np.zeros(len(COEFFICIENT_NAMES) - len(lens.coefficients))])


def _describe(sources: Sequence[_Source], row: int, index: int) -> dict[str, Any]:
    source, cameras = sources[0], "+".join(each.camera.name for each in sources)
    clip, frame = int(source.clips[row]), int(source.clip_frames[row])
    return {
        "subject": source.subject,
        "cameraType": cameras,
        "lensModel": source.camera.lens.model,
        "videoID": clip,
        "frame": frame,
        "localIdx": row,
        "fileIdx": index,
        "name": f"{source.clip_ids[clip]}/{cameras}/{frame:06d}",
    }


def _named_views(views: Sequence[str], selection: Selection) -> Sequence[str]:
    if isinstance(views, str) or len(set(views)) != len(views) or not views:
        raise UsageError(f"views: expected names of cameras, each once, but got {views!r}")
    if selection.cameras is not None:
        raise UsageError("views: expected no cameras in the selection beside it; name them in one of both")
    return views


def _any_frame(selection: Selection) -> Selection:
    return replace(selection, every=1, used_only=False)


def _moments(sources: Sequence[_Source], rows: Sequence[NDArray[np.int64]], views: Sequence[str]) -> NDArray[np.int64]:
    """Return (samples, views, 2) int64, source and row: the moments that every view has, in the order of the first."""
    # By name: shards number their clips for themselves, and a camera may lack some.
    clips: dict[ClipId, dict[str, tuple[int, NDArray[np.int64]]]] = {}
    for at, (source, found) in enumerate(zip(sources, rows, strict=True)):
        for number, clip in source.clip_ids.items():
            clips.setdefault(clip, {})[source.camera.name] = (at, found[source.clips[found] == number])
    places = [np.empty((0, len(views), 2), dtype=np.int64)]
    for cameras in clips.values():
        if all(name in cameras for name in views):
            seen = [cameras[name] for name in views]
            common = common_moments([sources[at].moments[found] for at, found in seen])
            pairs = [
                np.stack([np.full(len(index), at), found[index]], axis=-1)
                for (at, found), index in zip(seen, common, strict=True)
            ]
            places.append(np.stack(pairs, axis=1))
    return np.concatenate(places)


def _mesh_scales(scales: Literal["factors", "d3ke"] | Path, source: _Source) -> NDArray[np.float32]:
    """Return (b, 3) float32: factors from the shard's scales to the requested ones."""
    bodies = source.names.bodies
    if scales == "factors":
        return np.ones((len(bodies), 3), dtype=np.float32)
    if scales == "d3ke":
        # Our model has no meshes: its base model states D3KE's means.
        stated: Mapping[str, Sequence[float]] = read_body_scale_means()
    elif isinstance(scales, Path):
        stated = {body.name: body.mesh_scale for body in read_base_model(scales.expanduser()).bodies}
    else:
        raise UsageError(f"scales: expected 'factors', 'd3ke' or the path of a pyBaseModel.pkl, but got {scales!r}")
    lacking = [name for name in bodies if name not in stated]
    if lacking:
        raise UsageError(f"scales: expected a base model with every label body, but it lacks {', '.join(lacking)}")
    return np.array([stated[name] for name in bodies], dtype=np.float32)


def _occluders(augmentation: Augmentation | None) -> tuple[Occluder, ...]:
    if augmentation is None or augmentation.occlusion_probability == 0.0 or augmentation.occluders is None:
        return ()
    return _cached_occluders(Path(augmentation.occluders).expanduser())


@lru_cache(maxsize=1)
def _cached_occluders(path: Path) -> tuple[Occluder, ...]:
    # Once in each process: hundreds of pictures, which must not travel with every copy of the data set.
    return read_occluders(path)


def _find_shards(shards: Path | str | Sequence[Path | str]) -> list[Path]:
    if not isinstance(shards, (str, Path)):
        if not shards:
            raise UsageError("expected a folder with shards, or their files, but got an empty list")
        return [Path(shard).expanduser() for shard in shards]
    folder = Path(shards).expanduser()
    if folder.is_file():
        return [folder]
    found = sorted(folder.glob("*.h5"))
    if not found:
        # Users often give the work folder; its other .h5 files are not shards, so it is not searched.
        raise absent_shards(folder)
    return found


def _describe_choices(sources: Sequence[_Source]) -> str:
    """Return the possible values of a selection, in words."""
    choices: dict[str, list[str]] = {
        "splits": sorted({str(source.file.attribute("split")) for source in sources}),
        "subjects": sorted({source.subject_name for source in sources}, key=natural_order),
        "cameras": sorted({source.camera.name for source in sources}),
        "audits": sorted({read_audit(source.file) for source in sources}),
        "clips": sorted({clip.clip for source in sources for clip in source.clip_ids.values()}, key=natural_order),
    }
    return "; ".join(f"{what} {', '.join(there)}" for what, there in choices.items())


def _is_wanted(source: _Source, selection: Selection) -> bool:
    return (
        (selection.split is None or source.file.attribute("split") == selection.split)
        and (selection.subjects is None or not {source.subject, source.subject_name}.isdisjoint(selection.subjects))
        and (selection.cameras is None or source.camera.name in selection.cameras)
        and (selection.audit is None or read_audit(source.file) in selection.audit)
    )


def _select_rows(source: _Source, selection: Selection) -> NDArray[np.int64]:
    wanted = source.clip_frames % selection.every == 0
    if selection.clips is not None:
        asked = set(selection.clips)
        wanted &= np.isin(source.clips, [one for one, clip in source.clip_ids.items() if {one, clip.clip} & asked])
    if selection.used_only:
        wanted &= read_attribute(source.file, "frames.used")
    if selection.solved_only:
        wanted &= read_attribute(source.file, "labels.root.valid")
    if selection.min_valid > 0.0:
        wanted &= read_attribute(source.file, "labels.coordinates.valid").mean(axis=1) >= selection.min_valid
    return np.flatnonzero(wanted).astype(np.int64)
