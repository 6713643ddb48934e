"""Set-ups: OpenSim's own example reads as it is meant, ours reads the same, and faults are named."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

import opensim_models
from movi_prep.errors import InputError, MissingError
from movi_prep.formats.opensim_setup import included_files, read_ik_setup, read_scale_setup
from tests.sentences import raises_recorded

PACKAGED = Path(opensim_models.__file__).parent

SCALE_YAML = """
format: movi-prep scaling
version: 1
name: tiny
static_time_range_s: [0.0, 0.5]
measurements:
  thigh:
    marker_pairs: [[A, B], [C, D]]
    bodies: [femur_r]
    axes: [X, Z]
manual_factors:
  torso: [1.1, 1.2, 1.3]
marker_weights: {A: 20, B: 0}
post_scaling:
  default_values: static pose
  locked_coordinates: [hip]
"""

IK_YAML = """
format: movi-prep inverse kinematics
version: 1
name: tiny
accuracy: 0.001
constraint_weight: .inf
marker_weights: {A: 20, B: 0}
coordinate_tasks:
  hip: {weight: 5, value: 0.25}
  knee: {weight: 2}
"""

IK_XML = """<?xml version="1.0"?>
<OpenSimDocument Version="40000"><InverseKinematicsTool name="walk">
  <model_file>sub/model.osim</model_file>
  <constraint_weight>20</constraint_weight><accuracy>1e-4</accuracy>
  <time_range> 0.4 Inf</time_range>
  <IKTaskSet><objects>
    <IKMarkerTask name="A"><apply>true</apply><weight>3</weight></IKMarkerTask>
    <IKMarkerTask name="B"><apply>false</apply><weight>3</weight></IKMarkerTask>
    <IKCoordinateTask name="hip"><apply>true</apply><weight>7</weight>
      <value_type>from_file</value_type></IKCoordinateTask>
  </objects></IKTaskSet>
  <marker_file>walk.trc</marker_file><coordinate_file>Unassigned</coordinate_file>
</InverseKinematicsTool></OpenSimDocument>
"""


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_our_scaling_file_reads_as_written(tmp_path: Path) -> None:
    setup = read_scale_setup(_file(tmp_path, "s.yaml", SCALE_YAML))
    assert setup.measurements[0].marker_pairs == (("A", "B"), ("C", "D"))
    assert setup.measurements[0].body_axes == (("femur_r", "XZ"),)
    assert setup.manual_factors == {"torso": (1.1, 1.2, 1.3)}
    assert setup.marker_weights == {"A": 20.0, "B": 0.0}
    assert setup.scaling_time_range_s == (0.0, 0.5)
    assert setup.post_scaling.default_values == "static pose"
    assert setup.post_scaling.locked_coordinates == ("hip",)


def test_our_tracking_file_reads_as_written(tmp_path: Path) -> None:
    setup = read_ik_setup(_file(tmp_path, "i.yaml", IK_YAML))
    assert (setup.accuracy, setup.constraint_weight) == (0.001, math.inf)
    assert [(task.name, task.weight, task.source, task.value) for task in setup.coordinate_tasks] == [
        ("hip", 5.0, "manual", 0.25),
        ("knee", 2.0, "default", 0.0),
    ]


def test_paths_count_from_the_document_and_tasks_switched_off_are_left_out(tmp_path: Path) -> None:
    setup = read_ik_setup(_file(tmp_path, "i.xml", IK_XML))
    assert setup.model_file == tmp_path / "sub" / "model.osim"
    assert setup.marker_file == tmp_path / "walk.trc"
    assert setup.coordinate_file is None
    assert setup.marker_weights == {"A": 3.0}
    assert setup.coordinate_tasks[0].source == "file"
    assert setup.time_range_s == (0.4, math.inf)
    assert setup.accuracy == 1e-4


def test_couplers_are_enforced_whatever_a_document_states(tmp_path: Path) -> None:
    # OpenSim's own tool does so too: see `read_ik_setup`.
    assert read_ik_setup(_file(tmp_path, "i.xml", IK_XML)).constraint_weight == math.inf


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("scaling_*.yaml")), ids=lambda path: path.stem)
def test_packaged_scaling_tables_read(path: Path) -> None:
    setup = read_scale_setup(path)
    assert setup.measurements
    assert max(setup.marker_weights.values()) >= 20.0


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("ik_*.yaml")), ids=lambda path: path.stem)
def test_packaged_tracking_tables_read(path: Path) -> None:
    assert max(read_ik_setup(path).marker_weights.values()) >= 20.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("measurements:", "mesurements:", "did you mean 'measurements'"),
        ("version: 1", "version: 2", "version: 1"),
        ("movi-prep scaling", "movi-prep inverse kinematics", "movi-prep scaling"),
        ("B: 0", "B: -1", r"marker_weights\.B: .* greater than or equal to 0, but got -1"),
        ("B: 0", "B: yes", r"marker_weights\.B: expected a number, but got True"),
        ("B: 0", "B: heavy", r"marker_weights\.B: .* number, .*'heavy'"),
        ("[A, B]", "[A, B, C]", r"thigh\.marker_pairs\.0: .* at most 2 items"),
        ("[A, B]", "[A]", r"thigh\.marker_pairs\.0\.1: Field required"),
        ("[X, Z]", "[X, Q]", r"thigh\.axes\.1: Input should be 'X', 'Y' or 'Z', but got 'Q'"),
        ("    axes: [X, Z]\n", "", r"thigh\.axes: Field required"),
        ("bodies: [femur_r]", "bodies: femur_r", r"thigh\.bodies: .* list, but got 'femur_r'"),
        ("[hip]", "hip", r"post_scaling\.locked_coordinates: .* list, but got 'hip'"),
        ("[0.0, 0.5]", "0.5", "static_time_range_s: "),
        ("[1.1, 1.2, 1.3]", "[1.1]", r"manual_factors\.torso\.1: Field required"),
        ("static pose", "whatever", "'static pose' or 'kept'"),
        ("name: tiny", "name: [", "YAML"),
    ],
)
def test_faults_of_our_files_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_scale_setup(_file(tmp_path, "s.yaml", SCALE_YAML.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("from_file", "nowhere", "value_type"),
        ("<accuracy>1e-4", "<accuracy>tight", "1 numbers in <accuracy>"),
        ("</OpenSimDocument>", "", "XML document"),
        ("<weight>7", "<weight>-7", "coordinate weights of 0 or more, but got -7 for hip"),
    ],
)
def test_faults_of_xml_documents_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ik_setup(_file(tmp_path, "i.xml", IK_XML.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{weight: 5, value: 0.25}", "5", r"coordinate_tasks\.hip: "),
        ("{weight: 5, value: 0.25}", "{value: 0.25}", r"coordinate_tasks\.hip\.weight: Field required"),
        ("value: 0.25", 'value: "0,25"', r"coordinate_tasks\.hip\.value.*'0,25'"),
        ("accuracy: 0.001", "accuracy: -1", "accuracy: .* greater than 0"),
    ],
)
def test_faults_of_our_tracking_files_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ik_setup(_file(tmp_path, "i.yaml", IK_YAML.replace(old, new)))


def test_an_empty_key_counts_as_left_out(tmp_path: Path) -> None:
    text = SCALE_YAML.replace("  torso: [1.1, 1.2, 1.3]\n", "").replace(
        "  locked_coordinates: [hip]", "  locked_coordinates:"
    )
    setup = read_scale_setup(_file(tmp_path, "s.yaml", text))
    assert setup.manual_factors == {}
    assert setup.post_scaling.locked_coordinates == ()


def _with_tasks_elsewhere(folder: Path) -> tuple[Path, Path]:
    """Return a document and the file that holds its tasks, as OpenSim's older examples are split."""
    head, _, rest = IK_XML.partition("<IKTaskSet>")
    tasks, _, tail = rest.partition("</IKTaskSet>")
    split = _file(
        folder, "tasks.xml", f"<OpenSimDocument Version='30000'><IKTaskSet>{tasks}</IKTaskSet></OpenSimDocument>"
    )
    return _file(folder, "split.xml", f'{head}<IKTaskSet file="tasks.xml"/>{tail}'), split


def _scale_document(tmp_path: Path, axes: str) -> Path:
    measurement = (
        '<Measurement name="thigh"><MarkerPair><markers>A B</markers></MarkerPair>'
        f'<BodyScale name="femur_r"><axes>{axes}</axes></BodyScale></Measurement>'
    )
    scaler = f"<ModelScaler><scaling_order>measurements</scaling_order>{measurement}</ModelScaler>"
    return _file(
        tmp_path, "s.xml", f"<OpenSimDocument><ScaleTool>{scaler}<MarkerPlacer/></ScaleTool></OpenSimDocument>"
    )


def test_axes_of_a_document_may_be_small_letters(tmp_path: Path) -> None:
    setup = read_scale_setup(_scale_document(tmp_path, " x  z "))
    assert setup.measurements[0].body_axes == (("femur_r", "XZ"),)


@pytest.mark.parametrize("axes", ["", "X W", "XYZ1"])
def test_axes_that_are_none_are_refused(tmp_path: Path, axes: str) -> None:
    with raises_recorded(InputError):
        read_scale_setup(_scale_document(tmp_path, axes))


def _ik_document(tmp_path: Path, tasks: str) -> Path:
    path = tmp_path / "setup.xml"
    start, _, rest = IK_XML.partition("<objects>")
    path.write_text(f"{start}<objects>{tasks}{rest}")
    return path


def test_of_two_tasks_of_one_marker_the_first_counts_as_in_opensims_tool(tmp_path: Path) -> None:
    task = '<IKMarkerTask name="A"><apply>1</apply><weight>8</weight></IKMarkerTask>'
    assert read_ik_setup(_ik_document(tmp_path, task)).marker_weights == {"A": 8.0}


@pytest.mark.parametrize("weight", ["-1", "NaN"])
def test_a_weight_that_opensims_tool_refuses_is_refused(tmp_path: Path, weight: str) -> None:
    task = f'<IKMarkerTask name="C"><apply>true</apply><weight>{weight}</weight></IKMarkerTask>'
    with raises_recorded(InputError):
        read_ik_setup(_ik_document(tmp_path, task))


def test_tasks_in_a_file_of_their_own_are_read_from_there(tmp_path: Path) -> None:
    document, tasks = _with_tasks_elsewhere(tmp_path)
    split, whole = read_ik_setup(document), read_ik_setup(_file(tmp_path, "i.xml", IK_XML))
    assert split.marker_weights == whole.marker_weights
    assert split.coordinate_tasks == whole.coordinate_tasks
    assert included_files(document) == (tasks,)
    assert included_files(tmp_path / "i.xml") == ()


def test_a_part_that_is_not_there_or_holds_something_else_is_named(tmp_path: Path) -> None:
    document, tasks = _with_tasks_elsewhere(tmp_path)
    tasks.write_text("<OpenSimDocument><MarkerSet/></OpenSimDocument>")
    with raises_recorded(InputError):
        read_ik_setup(document)
    tasks.unlink()
    with raises_recorded(MissingError):
        read_ik_setup(document)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (read_scale_setup, read_ik_setup):
        for name in ("no.xml", "no.yaml"):
            with pytest.raises(MissingError, match=name):
                read(tmp_path / name)


def test_a_document_that_places_no_marker_keeps_its_tasks_for_the_audit(tmp_path: Path) -> None:
    tasks = '<IKTaskSet><objects><IKMarkerTask name="A"><weight>2</weight></IKMarkerTask></objects></IKTaskSet>'
    text = f"<ScaleTool><ModelScaler/><MarkerPlacer><apply>false</apply>{tasks}</MarkerPlacer></ScaleTool>"
    setup = read_scale_setup(_file(tmp_path, "s.xml", text))
    assert not setup.place_markers
    assert setup.marker_weights == {"A": 2.0}


@pytest.mark.parametrize(
    ("document", "scales", "places"),
    [
        ("<ModelScaler/><MarkerPlacer/>", True, True),
        ("<MarkerPlacer/>", False, True),
        ("<ModelScaler/>", True, False),
        ("<ModelScaler><apply>false</apply></ModelScaler><MarkerPlacer/>", False, True),
    ],
)
def test_a_step_that_is_switched_off_or_absent_is_not_done(
    tmp_path: Path, document: str, scales: bool, places: bool
) -> None:
    setup = read_scale_setup(_file(tmp_path, "s.xml", f"<ScaleTool>{document}</ScaleTool>"))
    assert (setup.scale_bodies, setup.place_markers) == (scales, places)


def test_each_step_has_its_own_static_trial(tmp_path: Path) -> None:
    text = """<ScaleTool><ModelScaler><marker_file>a.trc</marker_file></ModelScaler>
        <MarkerPlacer><marker_file>b.trc</marker_file></MarkerPlacer></ScaleTool>"""
    setup = read_scale_setup(_file(tmp_path, "s.xml", text))
    assert (setup.static_file, setup.placement_file) == (tmp_path / "a.trc", tmp_path / "b.trc")
    alone = text.replace("a.trc", "Unassigned")
    setup = read_scale_setup(_file(tmp_path, "alone.xml", alone))
    assert (setup.static_file, setup.placement_file) == (tmp_path / "b.trc", tmp_path / "b.trc")


@pytest.mark.reference
def test_the_official_example_of_scaling_reads(shared: Path) -> None:
    folder = shared / "reference" / "gait2354"
    setup = read_scale_setup(folder / "subject01_Setup_Scale.xml")
    assert (setup.mass_kg, setup.height_m) == (72.6, pytest.approx(1.8034))
    assert setup.order == ("measurements", "manualScale")
    assert setup.manual_factors["femur_r"] == (1.14724, 1.14724, 1.14724)
    assert setup.scaling_time_range_s == (1.0, 2.0)
    assert setup.marker_set_file == folder / "gait2354_Scale_MarkerSet.xml"
    assert len(setup.marker_weights) == 39
    assert setup.coordinate_tasks[-1].source == "manual"


@pytest.mark.reference
def test_the_official_example_of_tracking_reads(shared: Path) -> None:
    setup = read_ik_setup(shared / "reference" / "gait2354" / "subject01_Setup_IK.xml")
    assert setup.time_range_s == (0.4, 1.6)
    assert setup.marker_weights["Top.Head"] == 0.1
    assert len(setup.marker_weights) == 31
    assert [task.weight for task in setup.coordinate_tasks] == [1000.0] * 4


def test_a_marker_file_is_no_set_up(tmp_path: Path) -> None:
    path = tmp_path / "walk.trc"
    path.write_text("PathFileType\t4")
    for read in (read_ik_setup, read_scale_setup):
        with raises_recorded(InputError):
            read(path)


@pytest.mark.parametrize("tag", ["IKTool", "InverseKinemtaticsTool", "ScaleTool"])
def test_the_tag_of_the_tool_does_not_count(tmp_path: Path, tag: str) -> None:
    right = read_ik_setup(_file(tmp_path, "right.xml", IK_XML))
    other = read_ik_setup(_file(tmp_path, "other.xml", IK_XML.replace("InverseKinematicsTool", tag)))
    assert replace(other, source=right.source) == right


def test_a_document_of_another_tool_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    text = "<OpenSimDocument><AnalyzeTool><model_file>m.osim</model_file></AnalyzeTool></OpenSimDocument>"
    for read, inside in ((read_ik_setup, "IKTaskSet"), (read_scale_setup, "ModelScaler")):
        with pytest.raises(InputError) as caught:
            read(_file(tmp_path, "a.xml", text))
        assert inside in caught.value.expected
        assert "AnalyzeTool" in caught.value.got


@pytest.mark.parametrize("word", ["Unassigned", "unassigned", " UNASSIGNED "])
def test_what_nobody_assigned_is_not_set(tmp_path: Path, word: str) -> None:
    text = re.sub(r"<time_range>.*?</time_range>", f"<time_range>{word}</time_range>", IK_XML)
    text = re.sub(r"<accuracy>.*?</accuracy>", f"<accuracy>{word}</accuracy>", text)
    setup = read_ik_setup(_file(tmp_path, "s.xml", text))
    assert setup.time_range_s == (-math.inf, math.inf)
    assert setup.accuracy == 1e-5


@pytest.mark.parametrize("values", ["2 1", "nan 1", "0 nan"])
def test_a_time_range_that_cannot_be_is_refused(tmp_path: Path, values: str) -> None:
    text = re.sub(r"<time_range>.*?</time_range>", f"<time_range>{values}</time_range>", IK_XML)
    with pytest.raises(InputError) as caught:
        read_ik_setup(_file(tmp_path, "s.xml", text))
    assert "time_range" in caught.value.expected


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_an_accuracy_that_cannot_be_is_refused(tmp_path: Path, value: str) -> None:
    text = re.sub(r"<accuracy>.*?</accuracy>", f"<accuracy>{value}</accuracy>", IK_XML)
    with pytest.raises(InputError) as caught:
        read_ik_setup(_file(tmp_path, "s.xml", text))
    assert "accuracy" in caught.value.expected


def test_a_tool_without_a_name_has_none(tmp_path: Path) -> None:
    text = re.sub(r'<InverseKinematicsTool name="[^"]*">', "<InverseKinematicsTool>", IK_XML)
    assert read_ik_setup(_file(tmp_path, "s.xml", text)).name == ""


@pytest.mark.parametrize("name", ["../up", "/abs/up", "..", "a\\b", "a&#10;b", "C:\\x"])
def test_a_tool_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    text = re.sub(r'<InverseKinematicsTool name="[^"]*">', lambda _: f'<InverseKinematicsTool name="{name}">', IK_XML)
    with pytest.raises(InputError):
        read_ik_setup(_file(tmp_path, "s.xml", text))


@pytest.mark.parametrize("encoding", ["no-such-encoding", "utf-7", "base64"])
def test_an_encoding_that_cannot_be_read_is_the_files_error(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + IK_XML.partition("?>")[2]
    with pytest.raises(InputError) as caught:
        read_ik_setup(_file(tmp_path, "s.xml", text))
    assert caught.value.where.endswith("s.xml")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_files_that_include_each_other_in_a_circle_are_named(tmp_path: Path, length: int) -> None:
    text = re.sub(r"<IKTaskSet.*</IKTaskSet>", '<IKTaskSet file="part0.xml"/>', IK_XML, flags=re.DOTALL)
    for index in range(length):
        inner = f'<IKTaskSet file="part{(index + 1) % length}.xml"/>'
        part = f"<OpenSimDocument><IKTaskSet><objects>{inner}</objects></IKTaskSet></OpenSimDocument>"
        _file(tmp_path, f"part{index}.xml", part)
    with pytest.raises(InputError) as caught:
        read_ik_setup(_file(tmp_path, "s.xml", text))
    assert "circle" in caught.value.expected


def test_manual_scales_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for value in ("nan", "0", "-1", "inf"):
        scale = f"<Scale><scales>1 {value} 1</scales><segment>torso</segment></Scale>"
        scaler = f"<ModelScaler><ScaleSet><objects>{scale}</objects></ScaleSet></ModelScaler><MarkerPlacer/>"
        with pytest.raises(InputError) as caught:
            read_scale_setup(_file(tmp_path, "s.xml", f"<ScaleTool>{scaler}</ScaleTool>"))
        assert "torso" in caught.value.got
