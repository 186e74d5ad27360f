"""Clients, container daemons, and registries on the shared store."""

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from support.demo_set import make_demo_set
from support.integration.daemons import PATH, Containerd, Docker, running
from support.integration.listening import Listener
from support.integration.podman import podman_with
from support.served import serve

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listen():
    """``listen(text)`` returns a listener of log events, active until the test ends."""
    configuration = structlog.get_config()

    def start(text=""):
        listener = Listener(text)
        structlog.configure(processors=[listener])
        return listener

    yield start
    structlog.configure(**configuration)


@pytest.fixture(scope="module")
def serve_with(nix_environment, tiny, tmp_path_factory):
    """``serve_with("zstd")``: a registry with that compression, on a shared storage."""
    directory = tmp_path_factory.mktemp("compression")

    @contextmanager
    def serving(kind):
        settings = {"NIXERY_PKGS_PATH": str(tiny), "NIXERY_COMPRESSION": kind}
        with serve(nix_environment, directory, **settings) as served:
            yield served

    return serving


@pytest.fixture
def podman():
    """Podman with a storage driver that copies layers, which works on any file system."""
    with podman_with("vfs") as command:
        yield command


@pytest.fixture
def podman_overlay():
    """Podman with overlay mounts."""
    with podman_with("overlay") as command:
        yield command


def _started(kind, *arguments):
    """A new daemon for each test: it would not pull what it has under another digest."""
    for program in kind.NEEDS:
        if not shutil.which(program, path=PATH):
            pytest.skip(f"{program} is not on this machine")
    return running(kind, *arguments)


@pytest.fixture
def containerd():
    with _started(Containerd) as client:
        yield client


@pytest.fixture
def docker():
    with _started(Docker) as client:
        yield client


@pytest.fixture
def later_docker():
    """Docker of a later Debian."""
    made = subprocess.run(
        [ROOT / "scripts/roots/docker"], check=False, stdout=subprocess.PIPE, text=True
    )
    assert made.returncode == 0, "scripts/roots/docker fails, see above"
    with _started(Docker, Path(made.stdout.strip())) as client:
        yield client


@pytest.fixture(scope="session")
def demo_set_whole():
    """The same with all packages: 400 MB to download, over 1 GB when built."""
    return make_demo_set(whole=True)
