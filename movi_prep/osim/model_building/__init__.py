"""How the packaged full-body model comes about: its tables, its default pose, and OpenSim's objects made of them."""
