"""Images with the maximum number of layers, unpacked by every client.

The budget is for store paths; one more layer is the image's own.
"""

import os
import shutil

import pytest
from support.integration.unpacked import inside, run, run_with_podman, unpack
from support.served import serve

pytestmark = [
    pytest.mark.nix,
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount layers"),
]

PARTS = 130
"""More store paths than the maximum number of layers."""
SAYS = [f"part-{n} 1.0" for n in range(PARTS)]
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


@pytest.fixture(params=[({}, 95), ({"NIXERY_LAYER_BUDGET": "120"}, 121)], ids=["default", "most"])
def many(request, nix_environment, tiny, tmp_path):
    """A registry whose image ``all-parts`` has all layers that the budget allows."""
    budget, layers = request.param
    packages = tmp_path / "set"
    shutil.copytree(tiny, packages / "tiny")
    (packages / "default.nix").write_text(SET_OF_PARTS)
    # The one strategy that gives every path a layer while the budget lasts.
    settings = {"NIXERY_PKGS_PATH": str(packages), "NIXERY_LAYERING": "size", **budget}
    with serve(nix_environment, tmp_path / "registry", **settings) as served:
        assert len(served.manifest("all-parts").json()["layers"]) == layers
        yield served


def runs(client, many):
    if not client.driver().startswith("overlay"):
        pytest.skip(f"{client.driver()} copies layers: no mount here has them all")
    image = many.image("all-parts")
    client.pull(image)
    assert client.run(image, "all-parts").splitlines() == SAYS


def test_containerd_mounts_them(many, containerd):
    runs(containerd, many)


def test_docker_mounts_them(many, docker):
    runs(docker, many)


def test_a_later_docker_mounts_them(many, later_docker):
    runs(later_docker, many)


@pytest.mark.parametrize("storage", ["podman", "podman_overlay"])
def test_podman_puts_them_together(request, many, storage):
    podman, image = request.getfixturevalue(storage), many.image("all-parts")
    run(*podman, "pull", "--quiet", "--tls-verify=false", image)
    assert run_with_podman(podman, image, "all-parts").splitlines() == SAYS


def test_skopeo_copies_them_and_umoci_unpacks_them(many, tmp_path):
    root = unpack(many, "all-parts", tmp_path / "image")
    assert inside(root, "all-parts").splitlines() == SAYS
