"""Readers of recordings: the files in folders become one record of what there is; one module for each layout.

A reader is a function from named folders to `records.recordings.Recordings`, and for recordings with videos two more:
from the file of a session to `records.session.Session`, and from files of calibration to `records.camera.Camera`. One
more reader is one more module, its name in `ReaderName`, and its lines in `find`, `read` and `wanted`.
"""
