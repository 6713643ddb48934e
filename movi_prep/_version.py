"""The version of the package, in one place; records and files carry it."""

__version__ = "0.1.0"
