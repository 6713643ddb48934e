"""VideoPose3D's files (facebookresearch/VideoPose3D, `common/h36m_dataset.py` and `run.py`).

| file: entry | content |
|---|---|
| `data_3d_h36m.npz: positions_3d` | subject -> action -> (n, 32, 3) float32, m, world; 17 points in Human3.6M's slots |
| `: cameras` | subject -> [{id, orientation, translation, center, focal_length, ..., res_w, res_h}], m, px |
| `: definition` | definition of the points |
| `data_2d_h36m_gt.npz: positions_2d` | subject -> action -> [camera] (n, 17, 2) float32, px, lens included |
| `: metadata` | {layout_name, num_joints, keypoints_symmetry}, and `definition` |

The names are Human3.6M's because its reader opens no others. An action is a motion, clip and run: `walking C01`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from movi_prep.export.about import cameras_of
from movi_prep.export.human36m import LEFT, NAMES, RIGHT, into_slots
from movi_prep.export.old_pickles import object_npz
from movi_prep.export.tracks import Corpus, action_of, by_subject, subject_keys


def files(corpus: Corpus, definition: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    keys = subject_keys(corpus)
    own = {keys[subject]: tracks for subject, tracks in by_subject(corpus.tracks).items()}
    world = {
        subject: {_action(track): into_slots(track.world_m).astype(np.float32) for track in tracks}
        for subject, tracks in own.items()
    }
    seen = {
        subject: {_action(track): [view.seen_px.astype(np.float32) for view in track.views] for track in tracks}
        for subject, tracks in own.items()
    }
    cameras = {keys[subject]: entries for subject, entries in cameras_of(corpus.tracks).items()}
    metadata = {
        "layout_name": "h36m",
        "num_joints": len(NAMES),
        "keypoints_symmetry": [list(LEFT), list(RIGHT)],
        "definition": dict(definition),
    }
    yield (
        "data_3d_h36m.npz",
        object_npz({"positions_3d": world, "cameras": cameras, "definition": dict(definition)}),
    )
    yield "data_2d_h36m_gt.npz", object_npz({"positions_2d": seen, "metadata": metadata})


def _action(track: Any) -> str:
    return f"{action_of(track)} {track.name}"


def readme(corpus: Corpus, definition: Mapping[str, Any]) -> str:
    """Return instructions to use the files with the released code."""
    keys = subject_keys(corpus)
    parts = {part: ",".join(keys[name] for name in names) for part, names in definition["subjects"].items()}
    train, test = parts.get("train", "SUBJECTS"), parts.get("test") or parts.get("validation") or "SUBJECTS"
    return f"""# VideoPose3D on this export

1. Copy both `.npz` files into the `data` folder of VideoPose3D (a folder of its own: they have Human3.6M's names).
2. Its cameras stand in tables of `common/h36m_dataset.py`. Below these tables add three lines, which put ours there:

       _ours = np.load('data/data_3d_h36m.npz', allow_pickle=True)['cameras'].item()
       for cam in sum(_ours.values(), []): cam['translation'] = [1000 * x for x in cam['translation']]
       h36m_cameras_extrinsic_params, h36m_cameras_intrinsic_params = _ours, [{{}}] * {len(corpus.tracks[0].views)}

3. Train: `python run.py -d h36m -k gt -str {train} -ste {test} -e 60 -arc 3,3,3`
4. Its video has 50 frames a second; ours has {definition["frame_rate_hz"][0]:g}. Only its renderer reads that.
"""
