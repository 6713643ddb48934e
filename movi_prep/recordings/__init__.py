"""The door for data: what lies in folders becomes one record of what there is; one module for each way of keeping it.

A reader is a function from named folders to `records.recordings.Recordings`; `find` knows them all.
"""
