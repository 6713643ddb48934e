"""The embedded data set: a small imitation of a download of AMASS BMLmovi and MoVi, made by the project itself.

open_body      the human body, in SMPL+H layout (built by `tools.build_open_body`)
rotations, posed_body                         plain numpy posing: the truth, independent of `movi_prep.body`
channels, footsteps, figure, motions, session the motions of people, as SMPL+H poses on one clock
cameras, room, wardrobe, rasterizer, film     the pictures of the two cameras
frame_code     the number in the corner of each frame
cast           the people, and the irregularities of their files
amass_files, v3d_files, matlab, truth         the files
dataset        all of it together
made           what it was made of, so that it is not made again
contact_sheet  a picture to look at
"""

from movi_prep.demo.contact_sheet import draw_contact_sheet
from movi_prep.demo.dataset import DemoSummary, find_demo, write_demo
from movi_prep.demo.frame_code import FrameCode, read_frame_code

__all__ = ["DemoSummary", "FrameCode", "draw_contact_sheet", "find_demo", "read_frame_code", "write_demo"]
