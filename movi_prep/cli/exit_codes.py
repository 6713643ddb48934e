"""Exit codes of all commands; 2 is wrong usage or configuration."""

from __future__ import annotations

OK, FAILED, UNITS_FAILED = 0, 1, 3
