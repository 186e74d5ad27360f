"""The tiny package set and a Nix store for tests; functions for fixtures."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from nixery.image_name import Architecture, ImageRequest
from nixery.source import SourceTree

TINY = Path(__file__).parents[1] / "tiny"
NIX_CONF_DIR = Path(__file__).parents[2] / "scripts/nix"
BUSYBOX = (Path("/usr/bin/busybox"), Path("/bin/busybox"))


def cache_dir() -> Path:
    """Cache of what tests make, keyed by its inputs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "nixery-tests"


def make_tiny_set() -> Path:
    """The set with its busybox: a directory that can be imported."""
    busybox = next(path for path in BUSYBOX if path.exists())
    sources = sorted(TINY.glob("*.nix"))
    content = hashlib.sha256()
    for source in (*sources, busybox):
        content.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    target = cache_dir() / f"tiny-{content.hexdigest()[:16]}"
    if not target.exists():
        cache_dir().mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix="tiny-", dir=cache_dir()))
        for source in sources:
            shutil.copy(source, staging)
        (staging / "boot").mkdir()
        shutil.copy(busybox, staging / "boot/busybox")
        staging.chmod(0o755)
        try:
            staging.rename(target)
        except OSError:  # another test run was faster
            shutil.rmtree(staging)
    return target


def make_store() -> Path:
    """A chroot store, one per Nix version, because versions must not share a database."""
    version = subprocess.run(
        ["nix-store", "--version"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"NIX_CONF_DIR": str(NIX_CONF_DIR)},
    ).stdout.split()[-1]
    store = cache_dir() / f"store-{version}"
    store.mkdir(parents=True, exist_ok=True)
    return store


def nix_environment(store: Path, home: Path, **more: str) -> Mapping[str, str]:
    """The environment of a Nix command on that store, independent of the caller's."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "NIX_REMOTE": str(store),
        "NIX_CONF_DIR": str(NIX_CONF_DIR),
        # An unreachable download fails at once.
        "NIX_CONFIG": "download-attempts = 1",
        **more,
    }


def collect_garbage(environment: Mapping[str, str]) -> None:
    """Collects the store's garbage, whatever other processes run.

    Nix keeps every store path that it finds in the environment of a process. Builders of other
    tests have some of the same name, so the collector runs in its own PID namespace.
    """
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]
    if os.geteuid() != 0:
        alone += ["--user", "--map-root-user"]
    command = [*alone, "nix-store", "--gc"]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def request(*names: str, architecture: Architecture = Architecture.AMD64) -> ImageRequest:
    return ImageRequest(names, architecture)


def source_of(path: Path) -> SourceTree:
    return SourceTree(path=path, root=path)
