"""`overlay`: a film of one clip before one camera, with the solved model drawn on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK
from movi_prep.cli.printing import open_console, print_json
from movi_prep.errors import UsageError, list_names, suggest
from movi_prep.plain_text import count_of

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config
    from movi_prep.records.identity import ClipId
    from movi_prep.records.work_folder import WorkFolder


def overlay(given: argparse.Namespace) -> int:
    """`overlay`: skeleton, markers and flags on a video."""
    from movi_prep.cli.view_command import config_of_folder
    from movi_prep.formats.model_outline import read_model_outline
    from movi_prep.records.advance import advancing
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.runtime.named_work_folder import check_work_folder
    from movi_prep.runtime.progress import show_work
    from movi_prep.stages.ik import ik_setup_path
    from movi_prep.video.film_writer import check_film_name, write_film
    from movi_prep.view.flags import find_flags
    from movi_prep.view.overlay import Overlay, overlay_frames
    from movi_prep.view.skeleton import make_skeleton
    from movi_prep.view.work import choose_trials, find_trials, read_trial_solution

    out, work = Path(given.out), WorkFolder(Path(given.folder).absolute())
    check_work_folder(work.root, beside=(given.clip, given.out))
    # Before anything is read: a wrong suffix must not cost minutes.
    check_film_name(out)
    config = config_of_folder(work.root)
    trial, *others = choose_trials(find_trials(work), [given.clip])
    if trial.clip is None or others:
        raise UsageError(
            f"expected one clip, as S001/C03, but got {given.clip!r}; films are made of clips with a video"
        )
    # The shard tells which frames show the clip and how the camera stands: without it a video is of no use.
    shard = _shard(work, trial.clip, given.camera)
    video = _video(config, trial.clip, given.camera)
    solution, outline = read_trial_solution(trial, work, ik_setup_path(config)), read_model_outline(trial.model)
    drawn = Overlay(
        clip=trial.clip,
        solution=solution,
        skeleton=make_skeleton(solution, outline),
        flags=find_flags(solution, outline.ranges, landmark_weight=config.ik.landmark_weight),
    )
    with show_work(f"drawing {out.name}") as advance:
        frames = advancing(overlay_frames(drawn, shard, video), advance, total=solution.n_rows)
        count = write_film(out, frames, rate_hz=config.markers.video_rate_hz)
    console = open_console(to_stderr=bool(given.json))
    source = f"of {video.name}" if video is not None else f"of the crops in {shard.name}: the video is not there"
    console.print(f"{out}: {count_of(count, 'frame')} {source}", markup=False)
    print_json({"outputs": [str(out)], "frames": count, "video": str(video) if video else None}, wanted=given.json)
    return OK


def _shard(work: WorkFolder, clip: ClipId, camera: str) -> Path:
    path = work.shard(clip.subject, camera)
    if not path.is_file():
        there = [other.stem.removeprefix(f"{clip.subject}_") for other in work.shards().glob(f"{clip.subject}_*.h5")]
        raise UsageError(
            f"--camera: expected a camera with a shard of {clip.subject} ({list_names(there)}), but got "
            f"{camera!r}{suggest(camera, there)}; name one of these, or run movi-prep shard"
        )
    return path


def _video(config: Config, clip: ClipId, camera: str) -> Path | None:
    """Return the video; None where it is not there any more: shards outlive it."""
    from movi_prep.cli.view_command import recordings_of

    recordings = recordings_of(config)
    return None if recordings is None else recordings.videos.get((clip.subject, camera))
