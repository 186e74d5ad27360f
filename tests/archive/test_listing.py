"""Listing store paths: links are followed only inside the store."""

import os
from errno import EIO

import pytest
from support.archive.store_trees import make_store

from nixery.archive import listing
from nixery.archive.environment import Child
from nixery.archive.listing import child_lister, resolve
from nixery.errors import StoreDamaged

TREE = {
    b"a/lib/x.so": b"",
    b"a/lib64": "lib",
    b"a/absolute": "/nix/store/b/share",
    b"a/sideways": "../b/share",
    b"a/chain": "absolute/doc",
    b"a/through": "/nix/store/c/doc",
    b"a/loop": "loop",
    b"a/dangling": "nowhere",
    b"a/file": "lib/x.so",
    b"a/below-a-file": "lib/x.so/y",
    b"a/out": "/etc",
    b"a/out-and-in": "../../../etc/../nix/store/b",
    b"a/above": "../../..",
    b"a/the-store": "/nix/store",
    b"a/above-all-and-in": "../../../../../nix/store/b",
    b"b/share/doc/1": b"",
    b"c": "/nix/store/b/share",
    b"d": b"a file",
}
CLOSURE = [b"/nix/store/" + name for name in (b"a", b"b", b"c", b"d", b"gone")]


def look(root, path):
    return list(child_lister(root, CLOSURE)(path))


@pytest.fixture
def root(tmp_path):
    make_store(tmp_path, TREE)
    return os.fsencode(tmp_path)


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        (b"a/lib", b"a/lib"),
        (b"a/lib64", b"a/lib"),
        (b"a/absolute", b"b/share"),
        (b"a/sideways", b"b/share"),
        (b"a/chain", b"b/share/doc"),
        (b"a/through", b"b/share/doc"),
        (b"c/doc", b"b/share/doc"),
        (b"a/loop", None),
        (b"a/dangling", None),
        (b"a/file", None),
        (b"a/below-a-file", None),
        (b"a/out", None),
        (b"a/out-and-in", None),
        (b"a/above", None),
        (b"a/the-store", None),
        (b"a/above-all-and-in", b"b"),
    ],
)
def test_where_a_path_leads(root, name, directory):
    found = resolve(root, CLOSURE, b"/nix/store/" + name)
    assert found == (directory and b"/nix/store/" + directory)


def test_links_do_not_lead_into_the_machine(tmp_path):
    """Also if the machine would lead back into the store, as NixOS' /run does."""
    root = tmp_path / "root"
    make_store(root, {b"a/system": "/run/system", b"b/share/1": b""})
    (root / "run").mkdir()
    (root / "run/system").symlink_to("/nix/store/b/share")
    assert resolve(os.fsencode(root), CLOSURE, b"/nix/store/a/system") is None


def test_a_failing_disk_is_an_error(root, monkeypatch):
    """Hidden errors would leave files out of the image and of the caches."""

    def fail(_, **__):
        raise OSError(EIO, "Input/output error")

    monkeypatch.setattr("os.readlink", fail)
    with pytest.raises(OSError, match="Input/output error"):
        resolve(root, CLOSURE, b"/nix/store/a/lib64")


def test_looking_gives_names_and_where_directories_are(root):
    children = {child.name: child for child in look(root, b"/nix/store/a")}
    assert children.keys() == {name[2:].split(b"/")[0] for name in TREE if name[:2] == b"a/"}
    assert children[b"lib"] == Child(b"lib", b"/nix/store/a/lib")
    assert children[b"lib64"] == Child(b"lib64", b"/nix/store/a/lib")
    assert children[b"file"] == Child(b"file", None)
    assert children[b"dangling"] == Child(b"dangling", None)


def test_looking_follows_an_output_that_is_a_link(root):
    assert look(root, b"/nix/store/c") == [Child(b"doc", b"/nix/store/b/share/doc")]


def test_looking_at_a_file_gives_nothing(root):
    assert look(root, b"/nix/store/d") == []


def test_an_output_that_is_gone_is_an_error(root):
    with pytest.raises(StoreDamaged, match="/nix/store/gone is not in the store"):
        look(root, b"/nix/store/gone")


def test_what_was_found_by_looking_is_not_looked_for_again(root, monkeypatch):
    """A path of 1,000 directories would be followed from the store on 1,000 times."""
    monkeypatch.setattr(listing._Store, "resolve", None)
    assert look(root, b"/nix/store/b/share") == [Child(b"doc", b"/nix/store/b/share/doc")]


@pytest.mark.parametrize("replaced", [True, False])
def test_a_directory_that_disappears_is_an_error(root, tmp_path, replaced):
    (tmp_path / "nix/store/a/lib").rename(tmp_path / "elsewhere")
    if replaced:
        (tmp_path / "nix/store/a/lib").touch()
    with pytest.raises(StoreDamaged, match="/nix/store/a/lib is no longer a directory"):
        look(root, b"/nix/store/a/lib")
