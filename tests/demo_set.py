"""The demo package set that tests share, as fixtures' bodies; made once and kept."""

import subprocess
import sys
from pathlib import Path

from tiny_set import cache_dir

PROJECT = Path(__file__).parents[1]
DEMO = PROJECT / "demo"


def make_demo_set(*, whole: bool = False) -> Path:
    """The directory of the small selection, or of all. The maker itself sees what has changed."""
    directory = cache_dir() / ("demo-whole" if whole else "demo")
    command = [PROJECT / "scripts/demo", "--output", directory]
    subprocess.run([*command, *(["--whole"] if whole else [])], check=True, stdout=sys.stderr)
    return directory


def use_makers_code() -> None:
    """The set's code lies outside the package: lets ``debset`` and ``fromdeb`` be imported."""
    for place in (DEMO / "builder", DEMO):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
