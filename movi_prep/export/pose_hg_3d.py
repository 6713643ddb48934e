"""pose-hg-3d's files (xingyizhou/pytorch-pose-hg-3d, `lib/datasets/h36m.py` and `mpii.py`).

| file below `data` | content |
|---|---|
| `h36m/ECCV18_Challenge/{Train,Val}/IMG/%05d.jpg` | the stored crop of each sample; numbers from 1 |
| `h36m/msra_cache/HM36_eccv_challenge_{Train,Val}_cache/HM36_..._w288xh384_keypoint_jnt_bbox_db.pkl` | list of dict: |
| `: joints_3d` | (17, 3) float64: u, v px of the crop, and depth behind the hip in px, (Z - Zhip) f / Zhip |
| `: joints_3d_relative` | (17, 3) float64, mm, camera frame, the hip is the origin |
| `: center_x, center_y, width, height` | px, 1.25 times the tight box around the points |
| `: image, subject, action, camera, frame` | origin of the sample; the reader ignores it |
| `mpii/annot/{train,val}.json` | the same pictures as 2D samples, because its later stages mix both: |
| `: joints, center, scale, image` | (16, 2) px in MPII's order; its reader makes the tight box of centre and scale |
| `mpii/images` | empty: the annotations name the pictures above |

Val is the test part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.export.tracks import CameraTrack, Corpus, Track, action_of
from movi_prep.formats.array_pickle import dump_array_pickle
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.projection import into_crop

PARTS = {"train": "Train", "test": "Val"}
MPII_ORDER = (3, 2, 1, 4, 5, 6, 0, 7, 8, 10, 16, 15, 14, 11, 12, 13)
"""MPII's 16 joints as numbers of the 17 points."""

BOX_MARGIN = 1.25
_MPII_HEIGHT_PX, _MPII_LOWERED_PX = 200.0, 15.0
"""MPII states a height in units of 200 px, and its readers move the centre down by 15 px for each unit."""

_EDGES = (
    *((3, 2), (2, 1), (1, 0), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 10)),
    *((16, 15), (15, 14), (14, 8), (8, 11), (11, 12), (12, 13)),
)
_MM_PER_M = 1000.0
_QUALITY = 95


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame of one camera.

    Attributes:
        track: the track.
        view: the camera.
        at: index of the frame in the track.
        joints_px: (17, 3) float64, u and v px of the crop, depth px.
        relative_mm: (17, 3) float64, mm, camera frame, hip at the origin.
    """

    track: Track
    view: CameraTrack
    at: int
    joints_px: NDArray[np.float64]
    relative_mm: NDArray[np.float64]

    @property
    def box_px(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre and size (width, height) of the tight box around the points, pixels of the crop."""
        low, high = self.joints_px[:, :2].min(axis=0), self.joints_px[:, :2].max(axis=0)
        return (low + high) / 2.0, high - low


def files(corpus: Corpus, definition: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file; pictures one at a time."""
    for part, folder in PARTS.items():
        samples = [sample for track in corpus.of(part) for view in track.views for sample in _samples(track, view)]
        pictures = f"h36m/ECCV18_Challenge/{folder}/IMG"
        cache = f"HM36_eccv_challenge_{folder}"
        yield (
            f"h36m/msra_cache/{cache}_cache/{cache}_w288xh384_keypoint_jnt_bbox_db.pkl",
            dump_array_pickle([_entry(sample, definition) for sample in samples]),
        )
        annotations = [
            _annotation(sample, f"../../{pictures}/{number:05d}.jpg") for number, sample in enumerate(samples, start=1)
        ]
        yield f"mpii/annot/{'val' if part == 'test' else part}.json", json.dumps(annotations).encode()
        yield from ((f"{pictures}/{number:05d}.jpg", content) for number, content in enumerate(_pictures(samples), 1))
    yield "mpii/images/README.txt", b"The annotations name the pictures below h36m.\n"


def bone_length_mm(samples: NDArray[np.float64]) -> float:
    """Return the mean sum of bone lengths of (n, 17, 3) points as the code computes it, in the points' unit.

    Spine and nose are the midpoints of their neighbours there, as in what its network gives back.
    """
    points = samples.copy()
    points[:, 7] = (points[:, 0] + points[:, 8]) / 2.0
    points[:, 9] = (points[:, 8] + points[:, 10]) / 2.0
    bones = points[:, [a for a, _ in _EDGES]] - points[:, [b for _, b in _EDGES]]
    return float(np.linalg.norm(bones, axis=-1).sum(axis=1).mean())


def _samples(track: Track, view: CameraTrack) -> Iterator[Sample]:
    with ShardFile(view.shard) as shard:
        cut = shard.read("crops/intrinsics_px", view.rows)
    seen = into_crop(view.seen_px, view.camera.intrinsics_px, cut[:, None])
    hip_m = view.camera_m[:, :1]
    # The crop's own focal length: the crop may be scaled.
    focal_px = cut[:, [0, 1], [0, 1]].mean(axis=1)
    # Depth in pixels, as the network predicts it: metres times the focal length over the hip's depth.
    depth_px = (view.camera_m - hip_m)[..., 2] * (focal_px / hip_m[:, 0, 2])[:, None]
    joints = np.concatenate([seen, depth_px[..., None]], axis=-1)
    relative = (view.camera_m - hip_m) * _MM_PER_M
    for at in range(len(joints)):
        yield Sample(track, view, at, joints[at], relative[at])


def _entry(sample: Sample, definition: Mapping[str, Any]) -> dict[str, Any]:
    centre, size = sample.box_px
    return {
        "joints_3d": sample.joints_px,
        "joints_3d_relative": sample.relative_mm,
        "center_x": float(centre[0]),
        "center_y": float(centre[1]),
        "width": float(BOX_MARGIN * size[0]),
        "height": float(BOX_MARGIN * size[1]),
        "subject": sample.track.clip.subject,
        "action": action_of(sample.track),
        "camera": sample.view.camera.name,
        "frame": int(sample.track.frames[sample.at]),
        "definition": definition,
    }


def _annotation(sample: Sample, image: str) -> dict[str, Any]:
    centre, size = sample.box_px
    scale = float(size.max()) / _MPII_HEIGHT_PX
    # The reader takes 1 off the centre, whose pixels MPII counts from 1, and moves it down.
    stored = centre + 1.0 - [0.0, _MPII_LOWERED_PX * scale]
    return {
        "image": image,
        "joints": sample.joints_px[list(MPII_ORDER), :2].tolist(),
        "center": stored.tolist(),
        "scale": scale,
    }


def _pictures(samples: list[Sample]) -> Iterator[bytes]:
    """Yield the stored picture of each sample as a JPEG file; every shard is opened once."""
    # Samples are in the order of tracks and cameras, so that those of one shard stand together.
    for path, group in groupby(samples, key=lambda sample: sample.view.shard):
        with ShardFile(path) as shard:
            is_jpeg = shard.attribute("image_format") == "jpeg"
            for sample in group:
                encoded = shard.picture(int(sample.view.rows[sample.at]))
                # A stored JPEG is copied as it is: decoding it and coding it again would lose quality.
                yield encoded.tobytes() if is_jpeg else _as_jpeg(encoded, path)


def _as_jpeg(encoded: NDArray[np.uint8], path: Path) -> bytes:
    from movi_prep.video.pictures import decode_picture, encode_picture

    return encode_picture(decode_picture(encoded, where=str(path)), "jpeg", quality=_QUALITY).tobytes()


def readme(corpus: Corpus, definition: Mapping[str, Any]) -> str:  # noqa: ARG001 - every target's has these
    """Return instructions to use the files with the released code."""
    points = np.concatenate([track.world_m for track in corpus.of("train")])
    return f"""# pose-hg-3d on this export

1. Link this folder as `data` of pytorch-pose-hg-3d, or copy `h36m` and `mpii` into it. Run its commands in `src`.
2. Stage 1 is 2D: `python main.py --exp_id stage1 --dataset mpii`. Real MPII may stand in for `mpii`.
3. Stage 2: `python main.py --exp_id stage2 --task human3d --dataset fusion_3d --ratio_3d 1 --weight_3d 0.1
   --load_model ../exp/stage1/model_last.pth --num_epoch 60 --lr_step 45`. Stage 3 adds `--weight_var 0.01` and starts
   from `../exp/stage2/model_last.pth` with `--num_epoch 10 --lr 1e-4`; its loss needs PyTorch before 1.5.
4. It scales every prediction to a sum of bone lengths of 4000 mm. The mean of this training part is
   {_MM_PER_M * bone_length_mm(points):.1f}: set `self.mean_bone_length` in `lib/datasets/h36m.py` to it.
   How far a person's sum is from the mean is an error that no network can avoid.
5. Its test looks at every tenth frame; `--full_test` at all.
"""
