"""Outlines of models: the same words from both layouts of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from movi_prep.errors import InputError
from movi_prep.formats.model_outline import read_model_outline

if TYPE_CHECKING:
    from pathlib import Path

NEW = """<OpenSimDocument Version="40600"><Model name="leg">
<JointSet><objects>
<CustomJoint name="hip">
  <socket_parent_frame>pelvis_offset</socket_parent_frame><socket_child_frame>thigh_offset</socket_child_frame>
  <coordinates><Coordinate name="flexion"><range>-1 2</range></Coordinate></coordinates>
  <frames><PhysicalOffsetFrame name="pelvis_offset"><socket_parent>/bodyset/pelvis</socket_parent></PhysicalOffsetFrame>
  <PhysicalOffsetFrame name="thigh_offset"><socket_parent>/bodyset/thigh</socket_parent></PhysicalOffsetFrame></frames>
</CustomJoint>
<FreeJoint name="root"><socket_parent_frame>/ground</socket_parent_frame>
  <socket_child_frame>/bodyset/pelvis</socket_child_frame></FreeJoint>
</objects></JointSet>
<MarkerSet><objects><Marker name="KNE"><socket_parent_frame>/bodyset/thigh</socket_parent_frame></Marker></objects>
</MarkerSet></Model></OpenSimDocument>"""

OLD = """<OpenSimDocument Version="30000"><Model name="leg"><BodySet><objects>
<Body name="ground"/>
<Body name="thigh"><Joint><CustomJoint name="hip"><parent_body>pelvis</parent_body>
  <CoordinateSet><objects><Coordinate name="flexion"><range>-1 2</range></Coordinate></objects></CoordinateSet>
</CustomJoint></Joint></Body>
<Body name="pelvis"><Joint><FreeJoint name="root"><parent_body> ground </parent_body></FreeJoint></Joint></Body>
</objects></BodySet>
<MarkerSet><objects><Marker name="KNE"><body>thigh</body></Marker></objects></MarkerSet></Model></OpenSimDocument>"""


@pytest.mark.parametrize("document", [NEW, OLD], ids=["version 4", "version 3"])
def test_joints_connect_the_bodies_of_either_layout(tmp_path: Path, document: str) -> None:
    path = tmp_path / "leg.osim"
    path.write_text(document)
    outline = read_model_outline(path)
    assert outline.name == "leg"
    assert outline.joints == {"hip": ("pelvis", "thigh"), "root": ("ground", "pelvis")}
    assert outline.marker_bodies == {"KNE": "thigh"}
    assert outline.ranges == {"flexion": (-1.0, 2.0)}


@pytest.mark.parametrize(
    "document", ["<OpenSimDocument/>", "<Model", "<OpenSimDocument><ScaleTool/></OpenSimDocument>"]
)
def test_what_is_no_model_is_refused_by_its_file(tmp_path: Path, document: str) -> None:
    path = tmp_path / "other.osim"
    path.write_text(document)
    with pytest.raises(InputError) as refused:
        read_model_outline(path)
    assert refused.value.where == str(path)


def test_coordinates_turn_that_an_axis_of_rotation_depends_on(tmp_path: Path) -> None:
    axes = (("rotation1", "flexion patella"), ("rotation2", ""), ("translation1", "slide flexion"))
    transform = "".join(
        f'<TransformAxis name="{axis}"><coordinates>{names}</coordinates></TransformAxis>' for axis, names in axes
    )
    document = NEW.replace("</CustomJoint>", f"<SpatialTransform>{transform}</SpatialTransform></CustomJoint>")
    (tmp_path / "a.osim").write_text(document)
    assert read_model_outline(tmp_path / "a.osim").turning == {"flexion", "patella"}
