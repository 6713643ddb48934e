"""`python -m movi_prep` is `movi-prep`."""

from __future__ import annotations

import sys

from movi_prep.cli import main

if __name__ == "__main__":
    sys.exit(main())
