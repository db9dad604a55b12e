"""The time-stamp authorities of tests/evidence."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "evidence"))
