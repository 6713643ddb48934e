"""3d-pose-baseline's files, for both codes: una-dinosauria's in TensorFlow and weigq's in PyTorch.

| file | content |
|---|---|
| `data_3d_h36m.npz`, `data_2d_h36m_gt.npz` | as for VideoPose3D; TensorFlow's reads them by `movi_data.py` |
| `movi_data.py` | `load_data` and `load_cameras` as the TensorFlow code calls them: mm, world |
| `train_3d.pth.tar`, `test_3d.pth.tar` | (subject, action, file) -> (n, 48): 16 points without the hip, z-score |
| `train_2d.pth.tar`, `test_2d.pth.tar` | the same keys -> (n, 32): 16 points without the nose, z-score |
| `stat_3d.pth.tar`, `stat_2d.pth.tar` | training part: mean, std (96,) or (64,), dim_use (48,) or (32,) |

3D: mm, camera frame, the hip is the origin. 2D: px, lens included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError
from movi_prep.export import videopose3d
from movi_prep.export.human36m import NAMES, SLOTS, into_slots
from movi_prep.export.old_pickles import torch_file
from movi_prep.export.tracks import CameraTrack, Corpus, Track, action_of, subject_keys
from movi_prep.records.bmlmovi_names import number_of

Key = tuple[int, str, str]

MM_PER_M = 1000.0
"""The code's data are in millimetres."""

TENSORFLOW_READER = '''"""What 3d-pose-baseline reads, out of data_3d_h36m.npz beside this file: millimetres, world.

Its code looks at four cameras; where there are fewer they are repeated, which gives the same keys once more. It also
asks for the cameras of Human3.6M's subjects, by their numbers: load_cameras gives those of ours instead.
"""
import os

import numpy as np

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data_3d_h36m.npz")
_CONTENT = {name: entry.item() for name, entry in np.load(_PATH, allow_pickle=True, encoding="latin1").items()}
_NAMES = _CONTENT["definition"]["subject_numbers"]


def define_actions(action):
    there = sorted({key.split(" ")[0] for subject in _CONTENT["positions_3d"].values() for key in subject})
    return there if action.lower() == "all" else [action]


def load_data(bpath, subjects, actions, dim=3):
    """Return {(subject, action, sequence): (n, 96)}, millimetres, world; the folder is this file's own."""
    if dim != 3:
        raise ValueError("only 3D is stored; 2D is its projection")
    found = {}
    for subject in subjects:
        for key, poses in _CONTENT["positions_3d"][_NAMES[subject]].items():
            if key.split(" ")[0] in actions:
                # Its code takes a sequence's name up to the first point.
                sequence = key.replace(".", "%2E") + ".h5"
                found[(subject, key.split(" ")[0], sequence)] = 1000.0 * poses.reshape(len(poses), -1)
    return found


def load_cameras(bpath, subjects=None):
    """Return {(subject, camera from 1): (R, T, f, c, k, p, name)}: R (X - T) is the camera frame, millimetres."""
    found = {}
    for subject in _NAMES:
        entries = _CONTENT["cameras"][_NAMES[subject]]
        for number in range(max(4, len(entries))):
            camera = entries[number % len(entries)]
            columns = [np.array(camera[name], float).reshape(-1, 1) for name in _COLUMNS]
            columns[0] = 1000.0 * columns[0]
            found[(subject, number + 1)] = tuple([_rotation(camera["orientation"]).T] + columns + [camera["id"]])
    return found


_COLUMNS = ("translation", "focal_length", "center", "radial_distortion", "tangential_distortion")


def _rotation(quaternion):
    w, x, y, z = quaternion
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])
'''
"""`movi_data.py`: plain Python without this project, because the code that imports it runs on older versions."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and deviation of every coordinate of Human3.6M's 32 joints, and the used columns."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    used: NDArray[np.int64]

    def normalise(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the z-score of the used columns of (n, 32 d)."""
        return (values[:, self.used] - self.mean[self.used]) / self.std[self.used]


def files(corpus: Corpus, definition: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    keys = subject_keys(corpus)
    numbers = {number: keys[name] for name, number in subject_numbers(corpus).items()}
    definition = {**definition, "subject_numbers": numbers}
    yield from videopose3d.files(corpus, definition)
    yield "movi_data.py", TENSORFLOW_READER.encode()
    for dim, without, values in ((3, "Hip", _camera_mm), (2, "Nose", _pixels)):
        poses = {part: _poses(corpus.of(part), corpus, values) for part in ("train", "test")}
        # From the training part only, as the code does: the test must not leak into its normalisation.
        statistics = measure(np.concatenate(list(poses["train"].values())), dim=dim, without=without)
        for part, entries in poses.items():
            yield (
                f"{part}_{dim}d.pth.tar",
                torch_file({key: statistics.normalise(pose) for key, pose in entries.items()}),
            )
        yield (
            f"stat_{dim}d.pth.tar",
            torch_file(
                {
                    "mean": statistics.mean,
                    "std": statistics.std,
                    "dim_use": statistics.used,
                    "definition": dict(definition),
                }
            ),
        )


def measure(values: NDArray[np.float64], *, dim: int, without: str) -> Statistics:
    """Return the statistics of (n, 32 d) values; `without` is the point that the code leaves out.

    Raises:
        InputError: a coordinate never changes, so that it has no z-score.
    """
    used = np.array(
        [slot * dim + axis for name, slot in zip(NAMES, SLOTS, strict=True) if name != without for axis in range(dim)]
    )
    std = values.std(axis=0)
    if not (std[used] > 0).all():
        raise InputError(
            "the training part",
            expected="frames that differ",
            got=f"{len(values)} frames that are alike",
            remedy="name more subjects with --train",
        )
    return Statistics(mean=values.mean(axis=0), std=std, used=used)


def _poses(tracks: tuple[Track, ...], corpus: Corpus, values: Any) -> dict[Key, NDArray[np.float64]]:
    numbers = subject_numbers(corpus)
    return {
        (
            numbers[track.clip.subject],
            action_of(track),
            f"{action_of(track)} {track.name}.{view.camera.name}.h5",
        ): values(view)
        for track in tracks
        for view in track.views
    }


def subject_numbers(corpus: Corpus) -> dict[str, int]:
    """Return a whole number for each subject: that in its name, or its place where names have no distinct numbers."""
    numbers = {name: number_of(name) or 0 for name in corpus.subjects}
    # Every subject has a number, and no two the same: a clash would merge their poses under one key.
    alone = len(set(numbers.values()) - {0}) == len(numbers)
    return numbers if alone else {name: place for place, name in enumerate(corpus.subjects, start=1)}


def _camera_mm(view: CameraTrack) -> NDArray[np.float64]:
    # The hip is point 0.
    rooted = view.camera_m - view.camera_m[:, :1]
    return into_slots(rooted * MM_PER_M).reshape(len(rooted), -1)


def _pixels(view: CameraTrack) -> NDArray[np.float64]:
    return into_slots(view.seen_px).reshape(len(view.seen_px), -1)


def readme(corpus: Corpus, definition: Mapping[str, Any]) -> str:
    """Return instructions to use the files with the released codes."""
    numbers = subject_numbers(corpus)
    train, test = ([numbers[name] for name in definition["subjects"][part]] for part in ("train", "test"))
    # Its test takes the mean over actions, and an action without frames has none.
    actions = list(dict.fromkeys(action_of(track) for track in corpus.of("test")))
    return f"""# 3d-pose-baseline on this export

PyTorch (weigq/3d_pose_baseline_pytorch), written for PyTorch 0.4:

1. Let `define_actions` in `src/misc.py` return
   `{actions}`, because its test goes by action.
2. `python main.py --data_dir THIS_FOLDER --exp movi` (without `--use_hg`).
3. With Python 3.7 or later, write `non_blocking=True` for `async=True` in `main.py`; with PyTorch 2.6 or later, also
   `torch.load(..., weights_only=False)` there and in `src/datasets/human36m.py`.

TensorFlow 1 (una-dinosauria/3d-pose-baseline), which looks for 15 actions and 4 cameras of Human3.6M:

4. Put `movi_data.py` and both `.npz` into `src`. At the end of `src/data_utils.py` add
   `from movi_data import load_data, define_actions; TRAIN_SUBJECTS, TEST_SUBJECTS = {train}, {test}`
5. In `src/predict_3dpose.py`, below its imports, add
   `from movi_data import load_cameras; cameras.load_cameras = load_cameras`
6. `python src/predict_3dpose.py --camera_frame --residual --batch_norm`. It drops what does not fill a batch of 64, so
   that each part needs 64 frames; `--batch_size` changes that.
"""
