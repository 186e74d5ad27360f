"""The stand-in for nixpkgs (tests/nixpkgs), made once and cached: code, a package set, wheels."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from support.tiny_set import cache_dir

PROJECT = Path(__file__).parents[2]
CODE = PROJECT / "tests/nixpkgs"
MODULE = PROJECT / "tests/module"
DEMO = PROJECT / "demo"
LOCKS = PROJECT / "requirements"

FOR_CHECKS = {
    *("pytest", "iniconfig", "packaging", "pluggy", "pygments"),
    *("httpx", "httpcore", "h11", "hypothesis", "sortedcontainers"),
}
"""The requirements of the package's tests, from the test lock."""


def make_standin() -> Path:
    """A directory that is a nixpkgs and a flake."""
    target = cache_dir() / f"nixpkgs-{_key()}"
    if not target.exists():
        parts = [_make_set(), _make_wheels()]
        staging = Path(mkdtemp(prefix="nixpkgs-", dir=cache_dir()))
        shutil.copytree(CODE, staging, dirs_exist_ok=True, ignore=_caches)
        shutil.copytree(MODULE, staging / "module", ignore=_caches)
        for part, name in zip(parts, ("set", "wheels"), strict=True):
            shutil.copytree(part, staging / name, copy_function=os.link, ignore=_caches)
        staging.chmod(0o755)
        _publish(staging, target)
    return target


def _make_set() -> Path:
    """Packages made from Debian's, by the maker of the demo set with another table."""
    table = json.loads((DEMO / "packages.json").read_text())
    table["packages"] = {
        name: package | {"small": True}
        for name, package in json.loads((CODE / "packages.json").read_text()).items()
    }
    told = json.dumps(table, indent=1)
    target = cache_dir() / f"nixpkgs-set-{_digest(_sources(DEMO), told)}"
    maker = target / "maker"
    if not (target / "made").exists():
        shutil.copytree(DEMO, maker, dirs_exist_ok=True, ignore=_caches)
        (maker / "packages.json").write_text(told)
        subprocess.run(
            [sys.executable, "-s", "-B", "-m", "debset", "--output", target / "set"],
            env=os.environ | {"PYTHONPATH": f"{maker}:{maker / 'builder'}"},
            cwd=maker,
            stdout=sys.stderr,
            check=True,
        )
        # The maker's own files must not affect the flake's hash.
        for name in ("apt", "lock", "scan.json", "stamp"):
            place = target / "set" / name
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        (target / "made").touch()
    return target / "set"


def _make_wheels() -> Path:
    lock = _needed()
    target = cache_dir() / f"wheels-{_digest([], lock + sys.version)}"
    if not target.exists():
        staging = Path(mkdtemp(prefix="wheels-", dir=cache_dir()))
        (staging / "lock.txt").write_text(lock)
        pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download"]
        only = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
        subprocess.run(
            [*pip, *only, "--requirement", staging / "lock.txt", "--dest", staging], check=True
        )
        (staging / "lock.txt").unlink()
        _publish(staging, target)
    return target


def _needed() -> str:
    """The part of the test lock that the package and its tests need."""
    runtime = set(re.findall(r"^([\w.-]+)==", (LOCKS / "runtime.txt").read_text(), re.MULTILINE))
    blocks = re.split(r"^(?=\w)", (LOCKS / "test.txt").read_text(), flags=re.MULTILINE)
    return "".join(b for b in blocks if b.split("==")[0] in runtime | FOR_CHECKS)


def _publish(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:  # another test run was faster
        shutil.rmtree(staging)


def _sources(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.suffix != ".pyc")


def _key() -> str:
    return _digest([*_sources(CODE), *_sources(MODULE), *_sources(DEMO)], _needed() + sys.version)


def _digest(files: list[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for file in files:
        digest.update(f"{file.relative_to(PROJECT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


_caches = shutil.ignore_patterns("__pycache__", ".set")
