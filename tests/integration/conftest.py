"""Real Nix: the tiny package set, and a store of the tests' own (``/nix`` is left alone).

The store is shared by all tests and runs, so what they build stays built. A test that needs
something unbuilt gives the set a salt (``Nix(nixpkgs_config={"salt": salt})``); one that
collects garbage or breaks the store makes another with ``tiny_set.nix_environment(tmp_path, …)``.
"""

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import pytest
import structlog
from demo_set import make_demo_set
from listening import Listener
from served import serve
from tiny_set import make_store, make_tiny_set, nix_environment, source_of
from unpacked import run

from nixery.nix import Nix


@pytest.fixture(scope="session")
def tiny():
    """The directory of the tiny package set."""
    return make_tiny_set()


@pytest.fixture(scope="session")
def tiny_source(tiny):
    return source_of(tiny)


@pytest.fixture(scope="session")
def nix_store():
    """A chroot store: files under ``nix_store / "nix/store"``."""
    return make_store()


@pytest.fixture(scope="session", name="nix_environment")
def _nix_environment(nix_store, tmp_path_factory):
    """The environment of commands that work on that store, ``nixery-prepare-image`` on PATH."""
    return nix_environment(nix_store, tmp_path_factory.mktemp("home"))


@pytest.fixture
def nix(nix_environment):
    return Nix(environment=nix_environment)


@pytest.fixture
def salt():
    """With another salt nothing of the set is built yet."""
    return uuid4().hex


@pytest.fixture
def listen():
    """``listen(text)`` gives the one listener of the logs until the test ends."""
    configuration = structlog.get_config()

    def start(text=""):
        listener = Listener(text)
        structlog.configure(processors=[listener])
        return listener

    yield start
    structlog.configure(**configuration)


@pytest.fixture(scope="module")
def serve_with(nix_environment, tiny, tmp_path_factory):
    """``serve_with("zstd")``: a registry of that compression, on a storage all have in common."""
    directory = tmp_path_factory.mktemp("compression")

    @contextmanager
    def serving(kind):
        settings = {"NIXERY_PKGS_PATH": str(tiny), "NIXERY_COMPRESSION": kind}
        with serve(nix_environment, directory, **settings) as served:
            yield served

    return serving


@pytest.fixture
def podman():
    """With storage of its own; its paths must be short, they name sockets."""
    home = Path(mkdtemp(prefix="podman-", dir="/tmp"))
    command = (
        *("podman", "--root", home / "root", "--runroot", home / "run"),
        *("--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"),
    )
    yield command
    run(*command, "rmi", "--all", "--force")
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def demo_set():
    """The directory of the demo set's small selection: real programs out of Debian packages."""
    return make_demo_set()


@pytest.fixture(scope="session")
def demo_set_whole():
    """The same with all packages: 400 MB to download, over 1 GB when built."""
    return make_demo_set(whole=True)
