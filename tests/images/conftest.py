"""Images of the tiny set, used as people use them."""

import shutil
from tempfile import mkdtemp

import pytest
from support.integration.unpacked import run
from support.served import serve


@pytest.fixture(scope="module")
def registry(nix_environment, tiny, tmp_path_factory):
    with serve(nix_environment, tmp_path_factory.mktemp("r"), NIXERY_PKGS_PATH=str(tiny)) as served:
        yield served


@pytest.fixture
def podman():
    """Podman with its own storage; the paths must be short, because sockets are in it."""
    home = mkdtemp(prefix="podman-", dir="/tmp")
    command = (
        *("podman", "--root", f"{home}/root", "--runroot", f"{home}/run"),
        *("--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"),
    )
    yield command
    run(*command, "rmi", "--all", "--force")
    shutil.rmtree(home)
