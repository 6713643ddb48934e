"""Examines files and this machine: what a file contains, and whether the solver finds a known answer."""
