"""`init`: writes a first manifest, a configuration and a cluster profile for a folder of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK
from movi_prep.cli.printing import open_console, print_json
from movi_prep.errors import UsageError
from movi_prep.plain_text import count_of, shell_line

if TYPE_CHECKING:
    import argparse

_CONFIG = """\
# Settings of these recordings; every other setting has its default. Flags override what stands here.
manifest: recordings.yaml
work: work
run:
  slurm_profile: slurm.yaml    # used with --executor slurm only
"""


def init(given: argparse.Namespace) -> int:
    """`init`: write `recordings.yaml`, `movi-prep.yaml` and `slurm.yaml` into a folder; replace nothing."""
    from movi_prep.formats.atomic import write_text
    from movi_prep.formats.manifest_file import read_manifest
    from movi_prep.formats.packaged import packaged_path
    from movi_prep.recordings.first_manifest import manifest_text
    from movi_prep.recordings.found_files import find_files

    console = open_console(to_stderr=bool(given.json))
    root = Path(given.folder).expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"{root}: expected a folder with recordings, but it is not one; correct the path")
    manifest, config, profile = (root / name for name in ("recordings.yaml", "movi-prep.yaml", "slurm.yaml"))
    there = [path.name for path in (manifest, config, profile) if path.exists()]
    if there:
        raise UsageError(f"{root}: expected no {', '.join(there)}, because init replaces nothing; move it away first")
    found = find_files(root)
    if not found.motions:
        raise UsageError(f"{root}: expected motion files (.npz, .pkl) of SMPL bodies, but got none; name their folder")
    write_text(manifest, manifest_text(root, found, name=manifest.name))
    write_text(config, _CONFIG)
    write_text(profile, packaged_path("pipelines", "slurm.yaml").read_text(encoding="utf-8"))
    clips = read_manifest(manifest).recordings
    # Each once: a video may show several people.
    n_videos = len({video.video for clip in clips for video in clip.cameras.values()})
    n_cameras = len({*found.cameras, *(camera for clip in clips for camera in clip.cameras)})
    counts = f"{count_of(len(clips), 'clip')}, {count_of(n_cameras, 'camera')}"
    told = f"{counts}, {n_videos} of {count_of(len(found.videos), 'video')} matched"
    console.print(f"{manifest}: {told}", markup=False)
    console.print(f"check it, then: {shell_line(['movi-prep', 'run', '--config', str(config)])}", markup=False)
    files = [str(path) for path in (manifest, config, profile)]
    print_json({"files": files, "clips": len(clips), "videos": n_videos}, wanted=given.json)
    return OK
