"""Films: what the model's points are drawn on is what the camera saw there; files that no player opens are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.errors import InputError, UsageError
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_frame_labels
from movi_prep.geometry.frames import amass_to_ground
from movi_prep.records.identity import ClipId
from movi_prep.records.ik_solution import IkSolution
from movi_prep.video.drawing import draw_key
from movi_prep.video.film_writer import write_film
from movi_prep.view.camera_film import SIDES_PX, FilmPlan, find_camera_rows, plan_film, seen_in_squares
from tests.builders.browser import find_chromium, run_in_browser
from tests.builders.quality_work import known_solution, write_quality_work
from tests.builders.shard import DISC_JOINT, write_small_shard

CLIP = ClipId("S001", "C03")
SIDE_PX = 200


def solution_of(path: Path) -> IkSolution:
    """Return a solution whose samples are those of the third clip of a small shard."""
    with ShardFile(path) as shard:
        samples = shard.read("frames/mocap_sample")[shard.read("frames/clip") == 3]
    return replace(known_solution(), sample_indices=np.arange(41) * int(np.diff(samples)[0]) + int(samples[0]))


def test_points_are_seen_where_the_picture_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "S001_PG1.h5"
    write_small_shard(path)
    found = find_camera_rows(path, CLIP, solution_of(path))
    assert found is not None
    assert found.rows.tolist() == [0, 1, 2, 3]
    with ShardFile(path) as shard:
        joints_m = read_frame_labels(shard).joints.world_m[found.shard_rows].astype(np.float64)
        pictures = [cv2.imdecode(shard.picture(row), cv2.IMREAD_COLOR) for row in found.shard_rows.tolist()]
    seen = seen_in_squares(found, amass_to_ground(joints_m), SIDE_PX)[:, DISC_JOINT]
    for picture, pixel in zip(pictures, seen, strict=True):
        scale = SIDE_PX / max(picture.shape[:2])
        # The disc is red on grey: its middle is where red is far above blue.
        rows, columns = np.nonzero(picture[:, :, 2].astype(int) - picture[:, :, 0] > 60)
        middle = (np.array([columns.mean(), rows.mean()]) + 0.5) * scale - 0.5
        assert np.abs(middle - pixel).max() < 1.0


def test_pictures_get_smaller_then_fewer_then_none(tmp_path: Path) -> None:
    path = tmp_path / "S001_PG1.h5"
    write_small_shard(path)
    found = find_camera_rows(path, CLIP, solution_of(path))
    assert found is not None
    plans = [plan_film(found, at_most_bytes=size) for size in np.geomspace(1e6, 1, 60).astype(int).tolist()]
    assert (plans[0], plans[-1]) == (FilmPlan(step=1, side_px=SIDES_PX[0]), None)
    kept = [plan for plan in plans if plan is not None]
    assert plans[: len(kept)] == kept
    order = [(-plan.side_px, plan.step) for plan in kept]
    assert order == sorted(order)
    assert {plan.side_px for plan in kept} == set(SIDES_PX)
    assert max(plan.step for plan in kept) > 1


def test_a_clip_that_the_shard_does_not_have_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "S001_PG1.h5"
    write_small_shard(path)
    assert find_camera_rows(path, ClipId("S001", "C09"), known_solution()) is None


def test_a_film_without_its_video_is_drawn_on_the_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = write_quality_work(tmp_path / "work")
    work.shards().mkdir()
    write_small_shard(work.shard("S001", "PG1"))
    write_ik_solution(work.ik_solution(CLIP), solution_of(work.shard("S001", "PG1")), provenance={})
    out = tmp_path / "film.mp4"
    assert main(["overlay", str(work.root), "S001/C03", str(out), "--camera", "PG1"]) == 0
    assert "4 frames of the crops" in capsys.readouterr().out
    film = cv2.VideoCapture(str(out))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(30.0)
    assert main(["overlay", str(work.root), "S001/C03", str(out), "--camera", "PG3"]) == 2
    assert "did you mean 'PG1'" in capsys.readouterr().err


def test_a_key_names_colours_beside_the_label_and_never_on_it() -> None:
    entries = (((255, 0, 0), "joints"), ((0, 255, 0), "markers of the data"))
    wide, narrow = np.zeros((40, 600, 3), np.uint8), np.zeros((40, 90, 3), np.uint8)
    for image in (wide, narrow):
        draw_key(image, entries)
    for colour, _ in entries:
        assert (wide == colour).all(axis=2).any()
    assert not wide[:, :200].any()
    assert not wide[22:].any()
    assert not narrow.any()


def test_a_film_holds_the_frames_that_went_in(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(10)]
    path = tmp_path / "film.mp4"
    assert write_film(path, iter(frames), rate_hz=25.0) == 10
    capture = cv2.VideoCapture(str(path))
    for frame in frames:
        came, image = capture.read()
        assert came
        assert abs(float(image.mean()) - frame[0, 0, 0]) < 4.0
    assert not capture.read()[0]


def test_films_that_cannot_be_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_film(tmp_path / "film.gif", iter([np.zeros((8, 8, 3), np.uint8)]), rate_hz=30.0)
    with pytest.raises(InputError) as refused:
        write_film(tmp_path / "film.mp4", iter([]), rate_hz=30.0)
    assert refused.value.where == str(tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_chromium() is None, reason="needs chromium")
@pytest.mark.slow
def test_in_a_browser_the_picture_of_the_frame_is_shown(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    work.shards().mkdir()
    shard = work.shard("S001", "PG1")
    write_small_shard(shard)
    write_ik_solution(work.ik_solution(CLIP), solution_of(shard), provenance={})
    assert main(["view", str(work.root), "S001/C03"]) == 0
    with ShardFile(shard) as file:
        third_frame = int(file.read("frames/video_frame")[np.flatnonzero(file.read("frames/clip") == 3)[2]])
    found = run_in_browser(
        work.view() / "S001" / "C03.html",
        """
        document.getElementById("overlay").checked = false;
        moviPrepViewer.clock.goTo(2);
        await new Promise((resolve) => setTimeout(resolve, 800));
        const canvas = document.querySelector("#cameras canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let red = 0;
        for (let k = 0; k < data.length; k += 4) red += data[k] - data[k + 2] > 60;
        return [document.querySelector("#cameras figcaption").textContent, red > 20];
        """,
    )
    assert found == [f"PG1 · video frame {third_frame}", True]
