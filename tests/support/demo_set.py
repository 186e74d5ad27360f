"""The demo package set, made once and cached; functions for fixtures."""

import hashlib
import subprocess
import sys
from pathlib import Path

from support.tiny_set import cache_dir

PROJECT = Path(__file__).parents[2]
DEMO = PROJECT / "demo"


def make_demo_set(*, whole: bool = False) -> Path:
    """Directory of the small selection, or of all packages.

    Another version of the maker uses another directory.
    """
    directory = cache_dir() / f"demo-{'whole' if whole else 'small'}-{_key()}"
    command = [PROJECT / "scripts/demo", "--output", directory]
    subprocess.run([*command, *(["--whole"] if whole else [])], check=True, stdout=sys.stderr)
    return directory


def _key() -> str:
    """Working trees with different makers have different sets."""
    digest = hashlib.sha256()
    for source in sorted(DEMO.rglob("*")):
        if source.suffix in {".py", ".nix", ".json"}:
            digest.update(f"{source.relative_to(DEMO)}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def use_makers_code() -> None:
    """Puts ``debset`` and ``fromdeb``, which are outside the package, on sys.path."""
    for place in (DEMO / "builder", DEMO):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
