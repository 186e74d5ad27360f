"""The demo package set that tests share, as fixtures' bodies; made once and kept."""

import hashlib
import subprocess
import sys
from pathlib import Path

from support.tiny_set import cache_dir

PROJECT = Path(__file__).parents[2]
DEMO = PROJECT / "demo"


def make_demo_set(*, whole: bool = False) -> Path:
    """The directory of the small selection, or of all; another maker makes another one."""
    directory = cache_dir() / f"demo-{'whole' if whole else 'small'}-{_key()}"
    command = [PROJECT / "scripts/demo", "--output", directory]
    subprocess.run([*command, *(["--whole"] if whole else [])], check=True, stdout=sys.stderr)
    return directory


def _key() -> str:
    """Two working trees must not remake each other's set while their tests run."""
    digest = hashlib.sha256()
    for source in sorted(DEMO.rglob("*")):
        if source.suffix in {".py", ".nix", ".json"}:
            digest.update(f"{source.relative_to(DEMO)}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def use_makers_code() -> None:
    """The set's code lies outside the package: lets ``debset`` and ``fromdeb`` be imported."""
    for place in (DEMO / "builder", DEMO):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
