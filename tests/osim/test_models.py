"""Models: what cannot be loaded is refused by name, what is written can be read, and nothing is left lying about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.osim.models import (
    add_marker_set,
    array,
    body_names,
    coordinate_names,
    marker_names,
    middle_angle_rad,
    read_model,
    root_joint,
    write_model,
)
from tests.builders.small_model import MARKERS, SEGMENTS
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_model_comes_back_from_its_file(tmp_path: Path, model: opensim.Model) -> None:
    write_model(tmp_path / "small.osim", model)
    back = read_model(tmp_path / "small.osim")
    assert body_names(back) == SEGMENTS
    assert marker_names(back) == MARKERS
    assert coordinate_names(back) == coordinate_names(model)
    assert [path.name for path in tmp_path.iterdir()] == ["small.osim"]


def test_what_was_just_written_is_not_parsed_again_but_only_once(tmp_path: Path, model: opensim.Model) -> None:
    path = tmp_path / "small.osim"
    written = write_model(path, model)
    (tmp_path / "moved").mkdir()
    path = path.rename(tmp_path / "moved/scaled.osim")
    assert read_model(path) is written
    assert written.getInputFileName() == str(path)
    # Whoever has it may change it: the next reader gets what is in the file.
    written.getMarkerSet().remove(0)
    assert marker_names(read_model(path)) == MARKERS


def test_a_model_with_markers_in_a_file_of_their_own_is_written_whole(tmp_path: Path, model: opensim.Model) -> None:
    write_model(tmp_path / "small.osim", model)
    text = (tmp_path / "small.osim").read_text()
    first, end = text.index("<MarkerSet"), text.index("</MarkerSet>") + len("</MarkerSet>")
    document = f'<?xml version="1.0"?><OpenSimDocument Version="40000">{text[first:end]}</OpenSimDocument>'
    (tmp_path / "markers.xml").write_text(document)
    (tmp_path / "parted.osim").write_text(f'{text[:first]}<MarkerSet file="markers.xml"/>{text[end:]}')
    (tmp_path / "there").mkdir()
    write_model(tmp_path / "there/whole.osim", read_model(tmp_path / "parted.osim"))
    assert marker_names(read_model(tmp_path / "there/whole.osim")) == MARKERS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no file"),
        ("<MarkerSet><objects>", "cut or no XML"),
        ("<OpenSimDocument><ForceSet/></OpenSimDocument>", "a document without it: <OpenSimDocument>"),
    ],
)
def test_a_part_in_a_file_that_is_missing_or_broken_is_named(
    tmp_path: Path, model: opensim.Model, content: str | None, said: str
) -> None:
    write_model(tmp_path / "small.osim", model)
    text = (tmp_path / "small.osim").read_text()
    first, end = text.index("<MarkerSet"), text.index("</MarkerSet>") + len("</MarkerSet>")
    (tmp_path / "parted.osim").write_text(f'{text[:first]}<MarkerSet file="parts/markers.xml"/>{text[end:]}')
    (tmp_path / "parts").mkdir()
    if content is not None:
        (tmp_path / "parts/markers.xml").write_text(content)

    with pytest.raises(MissingError if content is None else InputError) as caught:
        read_model(tmp_path / "parted.osim")

    assert caught.value.where == str(tmp_path / "parts/markers.xml")
    assert caught.value.expected == "the <MarkerSet> that parted.osim names"
    assert said in caught.value.got


def test_a_file_that_was_changed_after_writing_is_read(tmp_path: Path, model: opensim.Model) -> None:
    written = write_model(tmp_path / "small.osim", model)
    text = (tmp_path / "small.osim").read_text()
    (tmp_path / "small.osim").write_text(text.replace(f'"{MARKERS[0]}"', '"other"'))
    assert read_model(tmp_path / "small.osim") is not written
    assert "other" in marker_names(read_model(tmp_path / "small.osim"))


def test_nothing_is_written_into_the_current_folder(
    tmp_path: Path, model: opensim.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    write_model(tmp_path / "small.osim", model)
    monkeypatch.chdir(tmp_path / "here")
    read_model(tmp_path / "small.osim")
    assert list((tmp_path / "here").iterdir()) == []


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.osim").write_text("<OpenSimDocument Version='40000'><Model><")
    with raises_recorded(InputError):
        read_model(tmp_path / "broken.osim")
    (tmp_path / "set.osim").write_text("<OpenSimDocument Version='30000'><MarkerSet/></OpenSimDocument>")
    with raises_recorded(InputError):
        read_model(tmp_path / "set.osim")
    (tmp_path / "empty.osim").write_text("<OpenSimDocument Version='40000'><Model name='x'/></OpenSimDocument>")
    with raises_recorded(InputError):
        read_model(tmp_path / "empty.osim")
    with raises_recorded(MissingError):
        read_model(tmp_path / "no.osim")


def _with_a_coordinate_too_many(folder: Path, model: opensim.Model) -> Path:
    write_model(folder / "small.osim", model)
    text = (folder / "small.osim").read_text()
    first = text.index("<Coordinate ")
    coordinate = text[first : text.index("</Coordinate>") + len("</Coordinate>")]
    (folder / "many.osim").write_text(text.replace(coordinate, coordinate + coordinate, 1))
    return folder / "many.osim"


def _nested_deeply(folder: Path, model: opensim.Model) -> Path:
    depth = 200_000
    (folder / "deep.osim").write_text(
        f"<OpenSimDocument Version='40000'>{'<a>' * depth}{'</a>' * depth}</OpenSimDocument>"
    )
    return folder / "deep.osim"


def _bytes_that_are_no_text(folder: Path, model: opensim.Model) -> Path:
    write_model(folder / "small.osim", model)
    text = (folder / "small.osim").read_bytes()
    (folder / "bytes.osim").write_bytes(text.replace(b"<mass>", b"<\xaf\xbdss>", 1))
    return folder / "bytes.osim"


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [_with_a_coordinate_too_many, _nested_deeply, _bytes_that_are_no_text])
def test_what_ends_opensims_parser_is_the_files_error(
    tmp_path: Path, model: opensim.Model, spoil: Callable[[Path, opensim.Model], Path]
) -> None:
    path = spoil(tmp_path, model)
    with pytest.raises(InputError) as reported:
        read_model(path)
    assert str(path) in str(reported.value)
    sound = tmp_path / "sound.osim"
    write_model(sound, model)
    assert body_names(read_model(sound)) == SEGMENTS


@pytest.mark.slow
def test_a_marker_set_that_ends_opensims_parser_is_its_own_error(tmp_path: Path, model: opensim.Model) -> None:
    with pytest.raises(InputError):
        add_marker_set(model, _nested_deeply(tmp_path, model))
    assert marker_names(model) == MARKERS


@pytest.mark.parametrize("known", ["none", "some", "twice"])
def test_a_marker_set_is_added_as_opensim_updates_it(known: str, tmp_path: Path, model: opensim.Model) -> None:
    other = model.clone()
    model.getMarkerSet().printToXML(str(tmp_path / "all.xml"))
    text = (tmp_path / "all.xml").read_text().replace("<location>", "<location>0")
    if known == "twice":
        text = text.replace(f'"{MARKERS[1]}"', f'"{MARKERS[0]}"')
    (tmp_path / "set.xml").write_text(text)
    for one in (model, other):
        while one.getMarkerSet().getSize() > (2 if known == "some" else 0):
            one.updMarkerSet().remove(one.getMarkerSet().getSize() - 1)
        one.finalizeConnections()
        one.initSystem()
    add_marker_set(model, tmp_path / "set.xml")
    other.updateMarkerSet(opensim.MarkerSet(str(tmp_path / "set.xml")))
    write_model(tmp_path / "ours.osim", model)
    write_model(tmp_path / "theirs.osim", other)
    assert (tmp_path / "ours.osim").read_bytes() == (tmp_path / "theirs.osim").read_bytes()
    assert set(marker_names(model)) == set(MARKERS) - ({MARKERS[1]} if known == "twice" else set())


def test_a_model_that_is_broken_is_not_the_fault_of_its_marker_set(tmp_path: Path, model: opensim.Model) -> None:
    model.getMarkerSet().printToXML(str(tmp_path / "set.xml"))
    write_model(tmp_path / "whole.osim", model)
    text = (tmp_path / "whole.osim").read_text()
    # The joints' bodies are connected when the system is built, not when the file is read.
    (tmp_path / "broken.osim").write_text(text.replace(f"/bodyset/{SEGMENTS[-1]}<", "/bodyset/nowhere<"))
    with pytest.raises(InputError) as caught:
        read_model(tmp_path / "broken.osim", tmp_path / "set.xml")
    assert caught.value.where == str(tmp_path / "broken.osim")
    (tmp_path / "other.xml").write_text((tmp_path / "set.xml").read_text().replace("/bodyset/", "/bodyset/no_"))
    with pytest.raises(InputError) as caught:
        read_model(tmp_path / "whole.osim", tmp_path / "other.xml")
    assert caught.value.where == str(tmp_path / "other.xml")
    assert marker_names(read_model(tmp_path / "whole.osim", tmp_path / "set.xml")) == MARKERS


def test_a_marker_set_on_unknown_bodies_is_refused(tmp_path: Path, model: opensim.Model) -> None:
    with pytest.raises(MissingError):
        add_marker_set(model, tmp_path / "no.xml")
    (tmp_path / "set.xml").write_text("<OpenSimDocument Version='40000'><Mark")
    with raises_recorded(InputError):
        add_marker_set(model, tmp_path / "set.xml")


def test_the_root_is_the_joint_to_ground_and_its_middle_angle_is_the_second(model: opensim.Model) -> None:
    joint = root_joint(model)
    assert joint.getName() == "ground_pelvis"
    state = model.initSystem()
    joint.get_coordinates(1).setValue(state, 0.4)
    assert middle_angle_rad(model, state) == pytest.approx(0.4)


def test_vectors_convert(model: opensim.Model) -> None:
    location = model.getMarkerSet().get("thigh_r_b").get_location()
    np.testing.assert_array_equal(array(location), [0.0, -0.2, 0.1])


def test_a_document_is_tried_in_another_process_once(
    model: opensim.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model.printToXML(str(tmp_path / "small.osim"))
    tried: list[Path] = []
    monkeypatch.setattr("movi_prep.formats.trial_load.check_that_it_loads", lambda path, _load: tried.append(path))
    for _ in range(2):
        read_model(tmp_path / "small.osim")
    assert tried == [tmp_path / "small.osim"]
    # What movi-prep wrote and read back needs no trial either.
    write_model(tmp_path / "again.osim", model)
    read_model(tmp_path / "again.osim")
    assert tried == [tmp_path / "small.osim"]
    (tmp_path / "again.osim").write_text((tmp_path / "again.osim").read_text() + " ")
    read_model(tmp_path / "again.osim")
    assert tried == [tmp_path / "small.osim", tmp_path / "again.osim"]
