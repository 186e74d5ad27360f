"""Images that others build on: with a Dockerfile, several stages, and layers added to a layout."""

import io
import json
import os
import tarfile

import pytest
from support.integration.unpacked import run, run_with_podman, unpack
from support.served import serve

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


PACKAGE = """
{{ system }}:
let
  set = import {tiny} {{ inherit system; }};
in
set // {{
  server = set.hello // {{
    nixery = {config};
  }};
}}
"""


def test_the_settings_of_a_package(nix_environment, tiny, podman, tmp_path):
    """passthru.nixery, which may refer to the package itself; another value is another image."""
    directory = tmp_path / "set"
    directory.mkdir()
    settings = {"NIXERY_PKGS_PATH": str(directory), "NIXERY_ALLOWED_PATHS": str(tiny)}
    settings["NIXERY_RESOLVE_TTL"] = "0"

    def use(config):
        (directory / "default.nix").write_text(PACKAGE.format(tiny=tiny, config=config))

    use('{ entrypoint = [ "${set.bash}/bin/bash" "-c" "echo $GREETING; pwd" ]; '
        'env.GREETING = "hi"; workingDir = "/var"; }')  # fmt: skip
    with serve(nix_environment, tmp_path / "registry", **settings) as served:
        image = served.image("bash/server")
        run(*podman, "pull", "--quiet", "--tls-verify=false", image)
        assert run_with_podman(podman, image) == "hi\n/var\n"
        before = served.digest("server")
        use('{ env.GREETING = "bye"; }')
        assert served.digest("server") != before
        use("{ user = 7; }")
        (error,) = served.get("/v2/server/manifests/latest").json()["errors"]
    assert error["message"].startswith("package 'server' is refused: passthru.nixery.user must be")
