"""Volumes where Kubernetes and its side cars mount them, with a read-only root file system."""

import os

import pytest
from support.integration.unpacked import run

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run containers here"),
]

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none")
PLACES = (
    "/etc/app",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/home/app",
    "/opt/agent",
    "/run/secrets/kubernetes.io/serviceaccount",
    "/share/git",
    "/tmp",
    "/usr/local/share/app",
    "/var/log",
    "/var/run/secrets/tokens",
)


def test_volumes_can_be_mounted_anywhere(registry, podman, tmp_path):
    """Also over directories of a single package; the package's other files stay."""
    (tmp_path / "mounted").write_text("here")
    image = registry.image("shell/git")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    volumes = [f"--volume={tmp_path}:{place}:ro" for place in PLACES]
    script = " ".join(f"cat {place}/mounted; echo;" for place in PLACES) + "git; cat /etc/passwd"
    start = (*podman, "--runtime=runc", "run", "--rm", "--read-only", *LIMITS, *volumes, image)
    said = run(*start, "bash", "-euc", script).splitlines()
    assert said[: len(PLACES)] == ["here"] * len(PLACES)
    assert said[len(PLACES)].startswith("git 2.47.0")
    assert said[-1].startswith("nobody:")


def test_a_file_is_mounted_over_users(registry, podman, tmp_path):
    """A cluster's own passwd."""
    users = tmp_path / "passwd"
    users.write_text("app:x:1000:1000::/home:/bin/sh\n")
    image = registry.image("shell")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    start = (*podman, "--runtime=runc", "run", "--rm", *LIMITS, f"--volume={users}:/etc/passwd:ro")
    assert run(*start, "--user=1000", image, "cat", "/etc/passwd") == users.read_text()
