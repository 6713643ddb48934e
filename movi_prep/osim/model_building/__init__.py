"""Builds the packaged full-body model: its tables, its default pose, and OpenSim's objects made of them."""
