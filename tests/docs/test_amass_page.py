"""The page on AMASS, run as it stands: its commands, on a folder as people download it, of made bodies and motion."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.demo.smplx_body import open_body_betas, write_smplx_body
from movi_prep.records.body_layout import SMPLX

PAGE = Path(__file__).parents[2] / "docs" / "amass.md"
CLIPS = {
    # Subset, subject and clip as AMASS has them: rates, blanks, brackets, umlauts.
    "KIT/3/Grö\u00dfe (1)": 100.0,
    "Eyes_Japan_Dataset/aita/walk [fast]": 120.0,
}


def commands() -> list[list[str]]:
    """Return the commands of the page: what is indented and begins with the program's name."""
    lines = re.findall(r"^    movi-prep (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split() for line in lines]


def write_clip(path: Path, rate_hz: float) -> None:
    """Write a clip of SMPL-X N, as the release lays it out: a person who stands and lifts an arm."""
    n = 24
    poses = np.zeros((n, SMPLX.n_joints, 3))
    # Rest faces +z with y up; the world has z up.
    poses[:, 0] = [0.5 * np.pi, 0, 0]
    poses[:, 16, 2] = np.linspace(-1.2, -0.6, n)
    poses[:, 17, 2] = 1.2
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        poses=poses.reshape(n, -1),
        root_orient=poses[:, 0],
        trans=np.tile([0.0, 0.0, 0.95], (n, 1)),
        betas=open_body_betas(np.zeros(16)),
        num_betas=17,
        gender="neutral",
        surface_model_type="smplx",
        mocap_frame_rate=rate_hz,
        mocap_time_length=n / rate_hz,
        latent_labels=np.array(["C7", None], dtype=object),
    )
    np.savez(path.parent / "neutral_stagei.npz", gender="neutral", betas=np.zeros(16))


@pytest.mark.slow
def test_the_commands_of_the_page_lead_to_angles(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_smplx_body(tmp_path / "body_models" / "smplx" / "SMPLX_NEUTRAL.npz")
    for name, rate_hz in CLIPS.items():
        write_clip(tmp_path / "amass" / f"{name}_stageii.npz", rate_hz)
    found = commands()
    assert [command[0] for command in found] == ["check", "ik"]
    for command in found:
        words = [word.replace("~", str(tmp_path)) for word in command]
        assert main([*words, *(["--executor", "serial"] if command[0] == "ik" else [])]) == 0
    work = tmp_path / "amass_angles"
    solved = {path.relative_to(work / "ik").as_posix() for path in (work / "ik").rglob("*.*")}
    assert solved == {"KIT_3/Gr\u00f6\u00dfe_1.h5", "Eyes_Japan_Dataset_aita/walk_fast.h5"}
    for path in (work / "ik").rglob("*.h5"):
        with h5py.File(path) as file:
            names = [name.decode() for name in file["coordinate_names"][()]]
            elevation = file["coordinates"][:, names.index("shoulder_elv_l")]
            assert len(elevation) == 24
            assert abs(np.degrees(elevation[-1] - elevation[0])) > 20
    assert (work / "models" / "KIT_3" / "scaled.osim").is_file()
    # A second run has nothing to do.
    capfd.readouterr()
    words = [word.replace("~", str(tmp_path)) for word in found[1]]
    assert main([*words, "--executor", "serial", "--json"]) == 0
    assert '"done": 0' in capfd.readouterr().out
    assert main(["report", str(work)]) == 0
    page = (work / "report" / "index.html").read_text(encoding="utf-8")
    assert ">Subsets<" in page
    assert ">KIT<" in page
