"""Limits of the image's root, whatever packages contain."""

import random
from functools import partial

import pytest

from nixery.archive import environment
from nixery.archive.environment import Child
from nixery.archive.standard_entries import DirectoryNode, LinkNode

merge = partial(environment.merge, read=lambda _: None)

OUTPUTS = [b"/a", b"/b"]


def test_directories_may_be_nested_deeply():
    depth = 1500

    def look(path):
        inner = path + b"/x" if path.count(b"/") <= depth else None
        return [Child(b"x", inner), Child(path[1:2], None)]

    tree = merge(OUTPUTS, look)
    deepest = b"/".join([b"x"] * depth)
    assert tree[deepest] == DirectoryNode(0o755)
    assert tree[deepest + b"/b"] == LinkNode(b"/b/" + deepest + b"/b")
    assert tree[deepest + b"/x"] == LinkNode(b"/a/" + deepest + b"/x")


def siblings(count, order=sorted):
    """Both packages have directories below libexec, each with a file and a link to every other."""
    names = [b"d%02d" % n for n in range(count)]

    def look(path):
        output, *parts = path[1:].split(b"/")
        libexec = b"/" + output + b"/libexec"
        match parts:
            case []:
                children = [Child(b"libexec", libexec)]
            case [_]:
                children = [Child(name, libexec + b"/" + name) for name in names]
            case [_, own]:
                children = [Child(n, libexec + b"/" + n) for n in names if n != own]
                children.append(Child(output, None))
        return order(children, key=lambda child: child.name)

    return look


@pytest.fixture
def most(monkeypatch):
    """How many entries the tree may have."""

    def set_to(entries):
        monkeypatch.setattr(environment, "MOST", entries)

    return set_to


def test_links_to_and_fro_have_an_end_before_all_ways_are_gone(most):
    """Nine directories have a million ways from one to another."""
    most(2000)
    tree = merge(OUTPUTS, siblings(9))
    assert 1900 < len(tree) < 2000 + 20  # what is ours comes on top
    assert tree[b"libexec/d08/d00"] == DirectoryNode(0o755)
    assert tree[b"libexec/d08/d00/b"] == LinkNode(b"/b/libexec/d00/b")
    assert LinkNode(b"/a/libexec/d00/d01") in tree.values()


def test_other_directories_at_each_step_have_an_end_as_well(most):
    """No two of these ways lead to the same directories of both packages."""
    most(2000)

    def look(path):
        output, *parts = path[1:].split(b"/")
        libexec = b"/" + output + b"/libexec"
        if not parts:
            return [Child(b"libexec", libexec)]
        step = 1 if output == b"a" else 7
        own = int(parts[1][1:]) if len(parts) > 1 else 0
        return [Child(b"l%02d" % n, b"%s/d%d" % (libexec, own * step + n)) for n in range(40)]

    assert len(merge(OUTPUTS, look)) < 2000 + 20


def test_where_they_end_does_not_depend_on_the_order_on_disk(most):
    most(500)
    rng = random.Random(1)

    def shuffled(children, key):
        return rng.sample(sorted(children, key=key), len(children))

    assert merge(OUTPUTS, siblings(6, shuffled)) == merge(OUTPUTS, siblings(6))


def test_merging_is_breadth_first(most):
    """Programs look for things there."""
    inner = {b"": [b"libexec"], b"/libexec": [b"near", b"other"], b"/libexec/other": [b"far"]}
    links = {b"/libexec/near": [b"x"], b"/libexec/other/far": [b"x"]}

    def look(path):
        below = path[2:]
        found = [Child(name, path + b"/" + name) for name in inner.get(below, [])]
        return found + [Child(name, path[:2] + b"/d") for name in links.get(below, [])]

    most(5)  # libexec, libexec/near, libexec/near/x, libexec/other, libexec/other/far
    tree = merge(OUTPUTS, look)
    assert tree[b"libexec/near/x"] == DirectoryNode(0o755)
    assert tree[b"libexec/other/far"] == LinkNode(b"/a/libexec/other/far")


def test_the_root_is_real_however_much_it_holds(most):
    most(1)
    tree = merge(OUTPUTS, siblings(3))
    assert tree[b"libexec"] == DirectoryNode(0o755)
    assert tree[b"libexec/d00"] == LinkNode(b"/a/libexec/d00")


def test_a_directory_instead_of_env():
    """A link replaces it unless scripts look for the program there."""

    def look(path):
        name = {0: b"bin", 1: b"env", 2: path[1:2]}[path[2:].count(b"/")]
        return [Child(name, None if len(name) == 1 else path + b"/" + name)]

    tree = merge(OUTPUTS, look)
    assert tree[b"bin/env"] == DirectoryNode(0o755)
    assert b"usr/bin/env" not in tree
