"""The environment layer as it is stored."""

import os
import random
import subprocess

import pytest
from support.archive.store_trees import make_store, members, tar_of

from nixery.archive import Gzip, pack_environment
from nixery.storage.memory import MemoryStorage

TREE = {
    b"aaa-bash/bin/bash": b"",
    b"aaa-bash/bin/sh": "bash",
    b"bbb-cacert/etc/ssl/certs/ca-bundle.crt": b"certificates",
    b"ccc-coreutils/bin/env": b"",
    b"ccc-coreutils/bin/\xff" + b"x" * 150: b"",
    b"ccc-coreutils/nix-support/propagated": b"",
    b"ddd-openssl/etc/ssl/openssl.cnf": b"",
    b"ddd-openssl/etc/ssl/certs/README": b"",
    b"eee-linked/etc/ssl": "/nix/store/bbb-cacert/etc/ssl",
}
BASH, CACERT, COREUTILS, OPENSSL, LINKED = (
    (f"/nix/store/{name}",)
    for name in ("aaa-bash", "bbb-cacert", "ccc-coreutils", "ddd-openssl", "eee-linked")
)
CLOSURE = [path for paths in (BASH, CACERT, COREUTILS, OPENSSL, LINKED) for path in paths]
# Of the four packages below; test_layer explains what a change means.
DIFF_ID = "sha256:a5d957a7a37952e80ea9a64f44f32b94125b7d9a1419004329af5a092a6caf51"


def packed(root, *packages):
    storage = MemoryStorage()
    layer = pack_environment(packages, CLOSURE, root, storage, Gzip(4))
    return layer, tar_of(storage, layer)


@pytest.fixture
def root(tmp_path):
    make_store(tmp_path / "root", TREE)
    return tmp_path / "root"


def test_known_packages_have_a_known_diff_id(root):
    layer, _ = packed(root, BASH, CACERT, COREUTILS, OPENSSL)
    assert layer.diff_id == DIFF_ID


def test_the_place_of_the_store_and_the_order_on_disk_do_not_reach_the_digest(root, tmp_path):
    shuffled = list(TREE.items())
    random.Random(2).shuffle(shuffled)
    make_store(tmp_path / "other/place", dict(shuffled))
    packages = (BASH, CACERT, COREUTILS, OPENSSL)
    assert packed(root, *packages) == packed(tmp_path / "other/place", *packages)


def test_entries_have_their_kinds_and_modes(root):
    _, data = packed(root, BASH, CACERT, COREUTILS)
    found = {member.name: member for member, _ in members(data)}
    assert found["tmp"].mode == 0o1777
    assert found["root"].mode == 0o700
    assert found["etc/passwd"].mode == 0o644
    assert found["etc"].isdir()
    assert found["bin/sh"].linkname == "/nix/store/aaa-bash/bin/sh"
    assert found["usr/bin/env"].linkname == "/nix/store/ccc-coreutils/bin/env"
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in found.values()} == {
        (0, 0, "", 1)
    }
    assert "nix-support" not in found


def test_outputs_of_one_package_merge_like_packages(root):
    assert packed(root, (*BASH, *COREUTILS)) == packed(root, BASH, COREUTILS)


def unpack(data, root):
    """An image's root: the environment over the store."""
    subprocess.run(["tar", "--extract", "-C", root], input=data, check=True)


def read_in(root, path):
    """A file's content as a process in the image reads it: absolute links start at its root."""
    parts = [part for part in path.split("/") if part]
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        if place.is_symlink():
            parent = "/".join(parts[: length - 1])
            target = os.path.join("/", parent, place.readlink())  # noqa: PTH118 - no file of ours
            return read_in(root, "/".join((target, *parts[length:])))
    return place.read_bytes()


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param((CACERT,), id="etc/ssl is one link"),
        pytest.param((CACERT, OPENSSL), id="etc/ssl is merged"),
        pytest.param((OPENSSL, CACERT), id="merged in the other order"),
        pytest.param((LINKED,), id="etc/ssl is a link in the package"),
        pytest.param((OPENSSL, LINKED), id="a link is merged"),
    ],
)
def test_certificates_are_found(root, packages):
    _, data = packed(root, *packages)
    unpack(data, root)
    assert read_in(root, "/etc/ssl/certs/ca-bundle.crt") == b"certificates"


def test_the_sh_of_a_package_is_found(root):
    _, data = packed(root, BASH)
    unpack(data, root)
    assert read_in(root, "/bin/sh") == b""
