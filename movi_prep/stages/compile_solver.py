"""Compile the converged solver before the first unit needs it, once per installation, by solving a known motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def compile_solver(say: Callable[[str], None]) -> None:
    """Compile the converged solver on this machine and announce it; do nothing if that has been done."""
    from movi_prep.kinematics.cache_place import machine_code_file, temporary_cache
    from movi_prep.kinematics.kernel_cache import compile_ahead, is_compiled

    if is_compiled():
        return
    # Imported here: only the first run of an installation needs it.
    from movi_prep.config.ik_solver import ConvergedSettings
    from movi_prep.formats.packaged import packaged_path
    from movi_prep.kinematics.known_motion import known_markers, known_poses
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.models import read_model
    from movi_prep.stages.packaged_model import PACKAGED_MODEL

    path = machine_code_file()
    again = f"the compiled solver is damaged ({path}): compiling it again" if path.is_file() else ""
    say(f"{again or 'compiling the solver, once per installation'}: about half a minute")
    place = temporary_cache()
    if place:
        say(
            f"the compiled code goes to {place}, because neither the installation nor the home folder can be written; "
            "set NUMBA_CACHE_DIR to choose another place"
        )
    # The compiled code depends only on the types of arrays, so the packaged model will do for any model.
    tree = extract_tree(read_model(packaged_path("opensim_models", PACKAGED_MODEL)))
    markers = known_markers(tree, known_poses(tree))
    compile_ahead(tree, markers.names, markers.positions_m, dict.fromkeys(markers.names, 1.0), ConvergedSettings())
