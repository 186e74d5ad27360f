"""A hostile package set, on a real server with a real Nix: what reaches the image's root."""

import gzip
import io
import shutil
import tarfile

import pytest
from support.served import serve
from support.tiny_set import make_tiny_set, nix_environment

pytestmark = pytest.mark.nix

SET = r"""
args@{ system ? "x86_64-linux", config ? { }, overlays ? [ ] }:
let
  build = import ./build.nix { inherit system config; };
  make = pname: script: build.package { inherit pname script; };
  long = builtins.concatStringsSep "" (builtins.genList (_: "n") 300);
  target = make "target" "bb mkdir -p $out/share/t; bb touch $out/share/t/of-target";
in
(import ./honest.nix args)
// {
  inherit target;
  links = make "links" ''
    bb mkdir -p $out/share/m
    cd $out/share/m
    bb ln -s /etc absolute
    bb ln -s ../../../../../../../../../../../../etc relative
    bb ln -s /proc/self/root/etc proc
    bb ln -s ${builtins.unsafeDiscardStringContext "${target}"}/share/t outside
    bb ln -s /nix/store/${long} long
  '';
  dirs = make "dirs" ''
    for name in absolute relative proc outside long; do
      bb mkdir -p $out/share/m/$name
      bb touch $out/share/m/$name/own
    done
  '';
  newline = make "newline" "bb touch \"$out/share/new\nline\"";
  pipe = make "pipe" "bb mkfifo $out/pipe";
  deep = make "deep" ''
    cd $out
    while bb mkdir ${builtins.substring 0 250 long}; do cd ${builtins.substring 0 250 long}; done
  '';
}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile")
    packages = directory / "set"
    shutil.copytree(make_tiny_set(), packages)
    (packages / "default.nix").rename(packages / "honest.nix")
    (packages / "default.nix").write_text(SET)
    # A separate store: Nix itself cannot remove directories that are nested too deeply.
    (directory / "store").mkdir()
    environment = nix_environment(directory / "store", tmp_path_factory.mktemp("home"))
    with serve(environment, directory / "server", NIXERY_PKGS_PATH=str(packages)) as served:
        yield served


def members(served, name, layer):
    """The contents of the layer with this number, by name."""
    digest = served.manifest(name).json()["layers"][layer]["digest"]
    data = gzip.decompress(served.get(f"/v2/{name}/blobs/{digest}").content)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


@pytest.mark.parametrize("name", ["absolute", "relative", "proc", "outside", "long"])
def test_a_link_out_of_the_image_is_a_link_to_nothing(served, name):
    """Another package has a directory of that name: both would be merged if it led to one.

    ``outside`` leads to a path in the store of this machine.
    """
    served.manifest("target")
    root = members(served, "links/dirs", -1)
    found = [path for path in root if path.startswith(f"share/m/{name}")]
    assert found == [f"share/m/{name}"]
    assert root[found[0]].issym()


def test_a_line_feed_is_a_part_of_a_name(served):
    assert any(path.endswith("/share/new\nline") for path in _all(served, "newline"))


def _all(served, name):
    count = len(served.manifest(name).json()["layers"])
    return {path for layer in range(count) for path in members(served, name, layer)}


@pytest.mark.parametrize("name", ["pipe", "deep"])
def test_what_no_image_holds_is_refused_and_the_next_one_is_served(served, name):
    answer = served.get(f"/v2/{name}/manifests/latest")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    assert served.get("/v2/newline/manifests/latest").status_code == 200
