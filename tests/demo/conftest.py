"""The demo set's code lies outside the package: it is found here."""

import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "demo"

sys.path[:0] = [str(DEMO), str(DEMO / "builder")]
