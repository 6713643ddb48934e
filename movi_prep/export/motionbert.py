"""MotionBERT's file (Walter0807/MotionBERT, `lib/data/datareader_h36m.py`).

`h36m_movi.pkl`: {train, test, definition}; each part has N frames, those of one track and camera together:

| key | content |
|---|---|
| `joint_2d` | (N, 17, 2) float32, px of a picture of 1000 x 1000, lens included |
| `confidence` | (N, 17, 1) float32, 1 where the point lies on the image, else 0 |
| `joint3d_image` | (N, 17, 3) float32: the same px, and the depth behind the hip in px |
| `2.5d_factor` | (N,) float64, mm per px at the hip's depth |
| `joints_2.5d_image` | (N, 17, 3) float32, mm: `joint3d_image` times the factor |
| `camera_name` | (N,) its reader knows only cameras of Human3.6M; these two have pictures of 1000 x 1000 |
| `source`, `action` | (N,) track and camera of a frame; its motion |

A picture of w x h pixels stands in that of 1000 x 1000 with its whole width, in the middle: u 1000/w and
v 1000/w + (1000 - 1000 h/w) / 2, which is the normalisation that MotionBERT means by "1000 x 1000".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.export.tracks import CameraTrack, Corpus, Track, action_of, cameras_in, joined
from movi_prep.formats.array_pickle import dump_array_pickle

SIDE_PX = 1000.0
CAMERA_NAMES = ("55011271", "58860488")
_MM_PER_M = 1000.0


def files(corpus: Corpus, definition: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    places = {name: place for place, name in enumerate(cameras_in(corpus.tracks))}
    parts: dict[str, Any] = {part: part_arrays(corpus.of(part), places) for part in ("train", "test")}
    yield "h36m_movi.pkl", dump_array_pickle({**parts, "definition": dict(definition)})


def part_arrays(tracks: tuple[Track, ...], places: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Return the arrays of one part of the data; `places` numbers the cameras."""
    factors = joined(tracks, lambda _, view: _factors_mm(view))
    pictures = joined(tracks, lambda _, view: image_points(view))
    return {
        "joint_2d": pictures[..., :2].astype(np.float32),
        "confidence": joined(tracks, lambda _, view: view.in_image[..., None]).astype(np.float32),
        "joint3d_image": pictures.astype(np.float32),
        "2.5d_factor": factors,
        "joints_2.5d_image": (pictures * factors[:, None, None]).astype(np.float32),
        "camera_name": joined(tracks, lambda _, view: _repeat(CAMERA_NAMES[places[view.camera.name] % 2], view)),
        "source": joined(
            tracks, lambda track, view: _repeat(f"{track.clip.subject} {track.name} {view.camera.name}", view)
        ),
        "action": joined(tracks, lambda track, view: _repeat(action_of(track), view)),
    }


def image_points(view: CameraTrack) -> NDArray[np.float64]:
    """Return (n, 17, 3) px of a picture of 1000 x 1000, and the depth behind the hip in these px."""
    width, height = view.camera.size_px
    scale = SIDE_PX / width
    # The whole width becomes 1000, and the height is centred in it.
    seen = view.seen_px * scale + [0.0, (SIDE_PX - height * scale) / 2.0]
    # Relative to the hip, whose depth the network cannot know.
    depth_mm = _MM_PER_M * (view.camera_m[..., 2] - view.camera_m[:, :1, 2])
    return np.concatenate([seen, (depth_mm / _factors_mm(view)[:, None])[..., None]], axis=-1)


def _factors_mm(view: CameraTrack) -> NDArray[np.float64]:
    """Return (n,) mm per px at the hip's depth."""
    # The mean of both axes, because the factor is one number.
    focal_px = np.diagonal(view.camera.intrinsics_px)[:2].mean() * SIDE_PX / view.camera.size_px[0]
    return np.asarray(_MM_PER_M * view.camera_m[:, 0, 2] / focal_px)


def _repeat(text: str, view: CameraTrack) -> NDArray[np.str_]:
    return np.full(len(view.rows), text)


def readme(corpus: Corpus, definition: Mapping[str, Any]) -> str:  # noqa: ARG001 - every target's has these
    """Return instructions to use the file with the released code."""
    return """# MotionBERT on this export

1. Copy `h36m_movi.pkl` into `data/motion3d` of MotionBERT.
2. In a copy of `configs/pose3d/MB_train_h36m.yaml` set `dt_file: h36m_movi.pkl`, `subset_list: [H36M-MOVI]` and
   `data_root: data/motion3d/MB3D_f243s81/`, and keep `num_joints: 17`.
3. In `tools/convert_h36m.py` name `h36m_movi.pkl` and the folder `H36M-MOVI`, and add `np.random.seed(0)` below its
   imports. Then `python tools/convert_h36m.py` cuts the file into clips of 243 frames.
4. `python train.py --config configs/pose3d/THE_COPY.yaml --checkpoint checkpoint/pose3d/movi`
5. Its errors are those of 2.5D joints (`joints_2.5d_image`), in mm, after the hip is moved to the origin.

Its `split_clips` stretches tracks shorter than 243 frames at random, once for the clips and once more for the truth
that `train.py` compares with. `train.py` starts from seed 0: without the line of step 3 the two differ by up to a
frame, and a network without any error misses the truth by millimetres. It also leaves out the last track of a part
if that is shorter.
"""
