"""Images pulled and run by containerd and by docker: every kind of compression, many layers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from daemons import PATH, Containerd, Docker, running
from served import serve
from unpacked import tree

pytestmark = [
    pytest.mark.nix,
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start these daemons"),
]

ROOT = Path(__file__).parents[2]
IMAGE = "shell/git/odd"
SAYS = "git 2.47.0 --version\n"

PARTS = 130
"""More store paths than layers can be asked for."""
SET_OF_PARTS = f"""
{{
  system ? "x86_64-linux",
  config ? {{ }},
  overlays ? [ ],
}}@args:
let
  inherit (import ./tiny/build.nix {{ inherit system config; }}) package shell;
  part = n: package {{ pname = "part-${{toString n}}"; }};
in
import ./tiny args
// {{
  all-parts = package {{
    pname = "all-parts";
    deps = builtins.genList part {PARTS};
    # Each is run from where its layer has put it.
    script = ''
      bb printf '#!%s/bin/sh\\n' ${{shell}} > $out/bin/all-parts
      for dep in $deps; do echo $dep/bin/part-*; done >> $out/bin/all-parts
    '';
  }};
}}
"""


def started(kind, *arguments):
    """New for each test: what a daemon has under another digest it does not pull again."""
    for program in kind.NEEDS:
        if not shutil.which(program, path=PATH):
            pytest.skip(f"{program} is not on this machine")
    return running(kind, *arguments)


@pytest.fixture
def containerd():
    with started(Containerd) as client:
        yield client


@pytest.fixture
def docker():
    with started(Docker) as client:
        yield client


@pytest.fixture
def later_docker():
    """That of a later Debian."""
    made = subprocess.run(
        [ROOT / "scripts/docker-root"], check=False, stdout=subprocess.PIPE, text=True
    )
    assert made.returncode == 0, "scripts/docker-root fails, see above"
    with started(Docker, Path(made.stdout.strip())) as client:
        yield client


@pytest.fixture
def check(serve_with, nix_store, tmp_path):
    """``check(client, kind)``: the program runs, and every file is what the store has."""

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


@pytest.fixture(params=[({}, 95), ({"NIXERY_LAYER_BUDGET": "120"}, 121)], ids=["default", "most"])
def check_layers(request, nix_environment, tiny, tmp_path):
    """``check_layers(client)``: it mounts every layer of an image that has as many as can be.

    That is the budget, and one layer that is the image's own.
    """
    budget, layers = request.param
    packages = tmp_path / "set"
    shutil.copytree(tiny, packages / "tiny")
    (packages / "default.nix").write_text(SET_OF_PARTS)
    # The one strategy that gives every path a layer while the budget lasts.
    settings = {"NIXERY_PKGS_PATH": str(packages), "NIXERY_LAYERING": "size", **budget}

    def pulled(client):
        if not client.driver().startswith("overlay"):
            pytest.skip(f"{client.driver()} copies layers: no mount here has them all")
        with serve(nix_environment, tmp_path / "registry", **settings) as served:
            assert len(served.manifest("all-parts").json()["layers"]) == layers
            image = served.image("all-parts")
            client.pull(image)
        said = client.run(image, "all-parts").splitlines()
        assert said == [f"part-{n} 1.0" for n in range(PARTS)]

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
    """It says that it reads OCI manifests, and finds out when it has pulled everything."""
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


def test_containerd_mounts_as_many_layers_as_the_budget_allows(check_layers, containerd):
    check_layers(containerd)


def test_docker_mounts_as_many_layers_as_the_budget_allows(check_layers, docker):
    check_layers(docker)


def test_a_later_docker_mounts_as_many_layers_as_the_budget_allows(check_layers, later_docker):
    check_layers(later_docker)
