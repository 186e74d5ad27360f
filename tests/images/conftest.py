"""Images of the tiny set, used as people use them."""

import pytest
from support.integration.podman import podman_with
from support.served import serve


@pytest.fixture(scope="module")
def registry(nix_environment, tiny, tmp_path_factory):
    with serve(nix_environment, tmp_path_factory.mktemp("r"), NIXERY_PKGS_PATH=str(tiny)) as served:
        yield served


@pytest.fixture
def podman():
    with podman_with("vfs") as command:
        yield command
