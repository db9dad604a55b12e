"""The world and its attackers lie beside the tests; the second verifier beside the pages that it is from."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "docs" / "spec")]
