"""The embedded data set: a small download of AMASS BMLmovi and MoVi made by the project itself."""
