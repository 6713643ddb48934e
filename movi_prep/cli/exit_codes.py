"""Exit codes of all commands: all is done; any other failure; wrong usage or configuration; some units failed."""

from __future__ import annotations

OK, FAILED, USAGE, UNITS_FAILED = 0, 1, 2, 3
