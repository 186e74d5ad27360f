"""Images pulled and run by containerd and by docker: every kind of compression."""

import os
import subprocess

import pytest
from support.integration.unpacked import tree

pytestmark = [
    pytest.mark.nix,
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start these daemons"),
]

IMAGE = "shell/git/odd"
SAYS = "git 2.47.0 --version\n"


@pytest.fixture
def check(serve_with, nix_store, tmp_path):
    """``check(client, kind)``: the program runs, and every file is that of the store."""

    def pulled(client, kind):
        with serve_with(kind) as served:
            image = served.image(IMAGE)
            client.pull(image)
        assert client.run(image, "git", "--version") == SAYS
        with client.unpacked(image, tmp_path) as root:
            paths = [path.name for path in (root / "nix/store").iterdir()]
            assert any(name.endswith("-odd-1.0") for name in paths)
            for name in paths:
                assert tree(root / "nix/store" / name) == tree(nix_store / "nix/store" / name)

    return pulled


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_containerd_runs_it(check, containerd, kind):
    check(containerd, kind)


@pytest.mark.parametrize("kind", ["gzip", "none"])
def test_docker_runs_it(check, docker, kind):
    check(docker, kind)


def test_docker_reads_zstd_from_23_on(check, later_docker):
    assert later_docker.version() >= 23
    check(later_docker, "zstd")


def test_docker_before_23_fails_with_zstd(check, docker):
    """It claims to read OCI manifests, and fails when it has pulled everything."""
    if docker.version() >= 23:
        pytest.skip("this machine has a later docker")
    with pytest.raises(AssertionError, match="invalid tar header"):
        check(docker, "zstd")


def test_docker_loads_an_archive(docker, nix_environment, tiny, tmp_path):
    archive = tmp_path / "image.tar"
    subprocess.run(
        ["nixery", "build", IMAGE, "--format", "docker", "-o", archive],
        env={**nix_environment, "NIXERY_PKGS_PATH": str(tiny)},
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert f"{IMAGE}:latest" in docker.load(archive)
    assert docker.run(IMAGE, "git", "--version") == SAYS
