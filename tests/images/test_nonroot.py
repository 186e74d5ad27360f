"""Images that run as an ordinary user, as strict clusters require it."""

import json
import os

import pytest
from support.integration.unpacked import run, unpack

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run containers here"),
]

STRICT = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none")
WRITES = "id -u; echo ~; cd; pwd; for place in . /tmp; do echo x > $place/f && cat $place/f; done"


def test_it_can_write_to_its_home_and_to_tmp_only(registry, podman):
    """With a read-only root file system and without capabilities."""
    image = registry.image("nonroot/shell")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    start = (*podman, "--runtime=runc", "run", "--rm", *STRICT, *LIMITS, image)
    said = run(*start, "bash", "-c", WRITES).split()
    assert said == ["65532", "/home/nonroot", "/home/nonroot", "x", "x"]
    assert "refused" in run(*start, "bash", "-c", "echo x 2>/dev/null > /etc/f || echo refused")


def test_the_user_is_in_the_files_and_owns_the_home(registry, tmp_path):
    root = unpack(registry, "shell/nonroot/git", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    assert config["User"] == "65532:65532"
    assert "nonroot:x:65532:65532:" in (root / "etc/passwd").read_text()
    assert "nonroot:x:65532:" in (root / "etc/group").read_text()
    home = (root / "home/nonroot").stat()
    assert (home.st_uid, home.st_gid, home.st_mode & 0o777) == (65532, 65532, 0o700)


def test_other_images_run_as_root(registry, tmp_path):
    root = unpack(registry, "shell", tmp_path)
    assert not (root / "home/nonroot").exists()
    assert "nonroot" not in (root / "etc/passwd").read_text()
