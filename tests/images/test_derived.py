"""Images that others build on: with a Dockerfile, several stages, and layers added to a layout."""

import io
import json
import os
import tarfile

import pytest
from support.integration.unpacked import run, run_with_podman, unpack

pytestmark = [
    pytest.mark.nix,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run containers here"),
]

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--network=none")


def build(podman, directory, dockerfile, **files):
    """The image's id. In the default mode, each step is a layer."""
    (directory / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (directory / name).write_text(content)
        (directory / name).chmod(0o755)
    command = (*podman, "--runtime=runc", "build", "--quiet", "--tls-verify=false", *LIMITS)
    return run(*command, directory).split()[-1]


def test_a_dockerfile_with_several_steps(registry, podman, tmp_path):
    """A program in /usr/local/bin is found, and the image's own too."""
    image = build(
        podman,
        tmp_path,
        f"FROM {registry.image('shell/hello')}\nCOPY tool /usr/local/bin/tool\n"
        "WORKDIR /work\nENV A=b\nRUN tool > said && hello >> said\n",
        tool="#!/bin/sh\necho tool\n",
    )
    said = run_with_podman(podman, image, "cat", "/work/said")
    assert said.splitlines()[0] == "tool"
    assert "hello" in said.splitlines()[1]


def test_a_second_stage(registry, podman, tmp_path):
    image = build(
        podman,
        tmp_path,
        f"FROM {registry.image('shell/git')} AS first\nRUN echo x > /opt/made\n"
        f"FROM {registry.image('shell')}\nCOPY --from=first /opt/made /etc/made\n",
    )
    assert run_with_podman(podman, image, "cat", "/etc/made") == "x\n"


def test_the_main_program_is_started(registry, podman):
    image = registry.image("hello")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    assert "hello 2.12.1" in run_with_podman(podman, image)


def test_a_layer_that_is_added_to_the_layout_loses_nothing(registry, tmp_path):
    """As crane and jib add one: with entries for all of its directories, and without a runtime."""
    root = unpack(registry, "shell/git/nano", tmp_path)
    before = {path.relative_to(root) for path in root.rglob("*")}
    data = io.BytesIO()
    places = ("etc", "usr/local/bin", "bin", "lib", "share", "share/added", "var/tmp")
    with tarfile.open(fileobj=data, mode="w") as archive:
        for place in places:
            entry = tarfile.TarInfo(place)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    data.seek(0)
    with tarfile.open(fileobj=data) as archive:
        archive.extractall(root, filter="tar")
    assert before <= {path.relative_to(root) for path in root.rglob("*")}
    assert all((root / place).is_dir() and not (root / place).is_symlink() for place in places)


def test_runtimes_read_users_from_outside(registry, tmp_path):
    """Regular files: containerd opens them in the image's directory, where links lead nowhere."""
    root = unpack(registry, "shell", tmp_path)
    for name in ("passwd", "group", "nsswitch.conf"):
        assert (root / "etc" / name).is_file()
        assert not (root / "etc" / name).is_symlink()
    history = json.loads((tmp_path / "config.json").read_text())["history"]
    layers = json.loads((tmp_path / "config.json").read_text())["rootfs"]["diff_ids"]
    assert len(history) == len(layers)
