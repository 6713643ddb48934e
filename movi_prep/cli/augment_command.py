"""`augment`: test sets that are flipped, brighter, coarser, cropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import open_console, print_findings, print_json, print_table
from movi_prep.cli.typed_inputs import check_source_and_out, check_typed_inputs

if TYPE_CHECKING:
    import argparse

    from movi_prep.records.camera import Camera


def augment_shards(given: argparse.Namespace) -> int:
    """`augment`: write one folder of altered shards for each kind."""
    from movi_prep.export.alterations import parse_alterations
    from movi_prep.export.augment import augment
    from movi_prep.runtime.progress import show_work

    check_typed_inputs(given)
    check_source_and_out(given)
    console = open_console(to_stderr=bool(given.json))
    with show_work("altering the shards"):
        sets = augment(
            Path(given.source).expanduser().absolute(),
            Path(given.out).expanduser().absolute(),
            parse_alterations(given.kind),
            split=given.split,
            cameras=_read_cameras(given.calibration),
            allow_asymmetric=bool(given.allow_asymmetric),
        )
    rows = [(str(item.folder), str(item.n_files), f"{1e3 * item.error_m:.3f}") for item in sets.done]
    print_table(console, "altered", ("folder", "files#", "mirrored joint centres off by, mm#"), rows)
    print_findings(console, "left out", sets.left_out)
    content = [{"folder": str(item.folder), "files": item.n_files, "off_mm": 1e3 * item.error_m} for item in sets.done]
    print_json({"folders": content, "left_out": list(sets.left_out)}, wanted=given.json)
    return UNITS_FAILED if sets.left_out else OK


def _read_cameras(folder: str | None) -> dict[str, Camera] | None:
    """Return the cameras whose calibration a folder holds."""
    if folder is None:
        return None
    from movi_prep.recordings.bmlmovi import find_bmlmovi
    from movi_prep.recordings.folders import Folders
    from movi_prep.recordings.read import read_camera
    from movi_prep.records.recordings import CameraFiles

    found = find_bmlmovi(Folders(calibration=Path(folder).expanduser()))
    return {
        name: read_camera("bmlmovi", name, CameraFiles(found.intrinsics[name], found.extrinsics[name]))
        for name in sorted(found.whole_cameras)
    }
