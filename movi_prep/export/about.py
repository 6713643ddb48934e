"""The description of an export: the same record in `definition.json` and inside its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from movi_prep._version import __version__
from movi_prep.export.human36m import CAMERA_CONVENTION, NAMES, JointSource, define_points
from movi_prep.export.tracks import Corpus, Track, by_subject, cameras_in, is_plain
from movi_prep.geometry.rotations import quaternions_from_matrices
from movi_prep.records.camera import Camera

FORMAT = "movi-prep export"
VERSION = 1


def define(target: str, corpus: Corpus, *, joints: JointSource) -> dict[str, Any]:
    """Return the points, frames, cameras, subjects and gaps of an export, as JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": target,
        "movi_prep": __version__,
        "points": define_points(joints),
        "point_order": list(NAMES),
        "points_compared": "never with Human3.6M's own regressor of joints: they are defined as said here",
        "world": "AMASS world: z up, right-handed, metres",
        "camera_frame": CAMERA_CONVENTION,
        "cameras": cameras_of(corpus.tracks),
        "frame_rate_hz": sorted({track.rate_hz for track in corpus.tracks}),
        "subjects": subjects_of(corpus),
        # Of every camera: what one moment gives to two cameras counts twice.
        "n_frames": {
            part: sum(len(track.frames) * len(track.views) for track in corpus.of(part)) for part in subjects_of(corpus)
        },
        "left_out": list(corpus.left_out),
        "findings": list(corpus.findings),
    }


def subjects_of(corpus: Corpus) -> dict[str, list[str]]:
    """Return part of the data -> subjects."""
    parts = dict.fromkeys(track.part for track in corpus.tracks)
    return {part: list(by_subject(corpus.of(part))) for part in parts}


def cameras_of(tracks: Sequence[Track]) -> dict[str, list[dict[str, Any]]]:
    """Return subject -> cameras in their order, as VideoPose3D describes one; lengths in metres."""
    return {
        subject: [camera_entry(camera) for camera in cameras_in(own).values()]
        for subject, own in by_subject(tracks).items()
    }


def camera_entry(camera: Camera) -> dict[str, Any]:
    """Return one camera: orientation (w, x, y, z) camera to world, its centre in the world, intrinsics in pixels.

    A camera that moves has no pose here; a lens that VideoPose3D does not know is given by OpenCV's coefficients.
    """
    lens = camera.lens.coefficients.tolist()
    # VideoPose3D knows k1, k2, k3 and p1, p2; OpenCV keeps k3 in the fifth place.
    plain = {"radial_distortion": [*lens[:2], lens[4]], "tangential_distortion": [0.0, 0.0]}
    return {
        "id": camera.name,
        **(_pose(camera) if not camera.is_moving else {}),
        "center": camera.intrinsics_px[:2, 2].tolist(),
        "focal_length": np.diagonal(camera.intrinsics_px)[:2].tolist(),
        **(plain if is_plain(camera) else {"lens_model": camera.lens.model, "lens": lens}),
        "res_w": camera.size_px[0],
        "res_h": camera.size_px[1],
        # Its renderer asks for an azimuth; nothing else reads it.
        "azimuth": 0.0,
    }


def _pose(camera: Camera) -> dict[str, list[float]]:
    turn = camera.world_to_camera_rotation.T
    return {
        # VideoPose3D's orientation leads from the camera to the world.
        "orientation": quaternions_from_matrices(turn).tolist(),
        "translation": (-turn @ camera.world_to_camera_translation_m).tolist(),
    }


def in_short(definition: Mapping[str, Any]) -> str:
    """Return the points of an export as Markdown, the end of every README."""
    points = "\n".join(f"| {name} | {what} |" for name, what in definition["points"].items())
    rates = ", ".join(f"{rate:g}" for rate in definition["frame_rate_hz"])
    parts = "; ".join(f"{part}: {', '.join(names)}" for part, names in definition["subjects"].items())
    return f"""
## What is in it

Subjects: {parts}. Frames per second: {rates}. World:
{definition["world"]}. Camera frame: {definition["camera_frame"]}.
`definition.json` has the cameras and what was left out.

| point | what it is |
|---|---|
{points}

Nobody has compared the points with Human3.6M's own regressor of joints.
"""
