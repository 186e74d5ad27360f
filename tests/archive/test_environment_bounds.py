"""What keeps the image's root small, whatever packages hold."""

import random

import pytest

from nixery.archive import environment
from nixery.archive.environment import OFTEN, Child, Directory, Link, merge

OUTPUTS = [b"/a", b"/b"]


def test_directories_may_be_nested_deeply():
    depth = 1500

    def look(path):
        inner = path + b"/x" if path.count(b"/") <= depth else None
        return [Child(b"x", inner), Child(path[1:2], None)]

    tree = merge(OUTPUTS, look)
    deepest = b"/".join([b"x"] * depth)
    assert tree[deepest] == Directory(0o755)
    assert tree[deepest + b"/b"] == Link(b"/b/" + deepest + b"/b")
    assert tree[deepest + b"/x"] == Link(b"/a/" + deepest + b"/x")


def siblings(count, order=sorted):
    """Both packages have directories below share, each with a file and a link to every other."""
    names = [b"d%02d" % n for n in range(count)]

    def look(path):
        output, *parts = path[1:].split(b"/")
        share = b"/" + output + b"/share"
        match parts:
            case []:
                children = [Child(b"share", share)]
            case [_]:
                children = [Child(name, share + b"/" + name) for name in names]
            case [_, own]:
                children = [Child(n, share + b"/" + n) for n in names if n != own]
                children.append(Child(output, None))
        return order(children, key=lambda child: child.name)

    return look


def test_links_to_and_fro_have_an_end_before_all_ways_are_gone():
    """Nine directories have a million ways from one to another."""
    tree = merge(OUTPUTS, siblings(9))
    assert len(tree) < OFTEN * 9 * (9 + 2) + 100
    assert tree[b"share/d08/d00/a"] == Link(b"/a/share/d00/a")
    assert tree[b"share/d08/d00/b"] == Link(b"/b/share/d00/b")
    assert tree[b"share/d08/d00"] == Directory(0o755)


def test_where_they_end_does_not_depend_on_the_order_on_disk():
    rng = random.Random(1)

    def shuffled(children, key):
        return rng.sample(sorted(children, key=key), len(children))

    assert merge(OUTPUTS, siblings(6, shuffled)) == merge(OUTPUTS, siblings(6))


@pytest.mark.parametrize("links", [OFTEN - 1, OFTEN, OFTEN + 1])
def test_the_same_directories_are_merged_so_often_and_then_linked_to(links):
    """The first of them by name."""
    names = [b"l%03d" % n for n in range(links)]

    def look(path):
        match path[2:]:
            case b"":
                return [Child(b"d", path + b"/d"), Child(b"share", path + b"/share")]
            case b"/d":
                return [Child(path[1:2], None)]
            case _:
                return [Child(name, path[:2] + b"/d") for name in names]

    tree = merge(OUTPUTS, look)
    assert tree[b"d"] == Directory(0o755)
    found = [tree[b"share/" + name] for name in names]
    merged = found[: OFTEN - 1]
    assert merged == [Directory(0o755)] * len(merged)
    assert found[OFTEN - 1 :] == [Link(b"/a/share/" + name) for name in names[OFTEN - 1 :]]


def test_what_is_near_to_the_root_is_merged_first(monkeypatch):
    """There programs look for things."""
    monkeypatch.setattr(environment, "OFTEN", 1)
    inner = {b"": [b"share"], b"/share": [b"near", b"other"], b"/share/other": [b"far"]}
    links = {b"/share/near": [b"x"], b"/share/other/far": [b"x"]}

    def look(path):
        below = path[2:]
        found = [Child(name, path + b"/" + name) for name in inner.get(below, [])]
        return found + [Child(name, path[:2] + b"/d") for name in links.get(below, [])]

    tree = merge(OUTPUTS, look)
    assert tree[b"share/near/x"] == Directory(0o755)
    assert tree[b"share/other/far/x"] == Link(b"/a/share/other/far/x")


def test_a_directory_is_no_env():
    """Nothing is made of one where scripts look for the program."""

    def look(path):
        name = {0: b"bin", 1: b"env", 2: path[1:2]}[path[2:].count(b"/")]
        return [Child(name, None if len(name) == 1 else path + b"/" + name)]

    tree = merge(OUTPUTS, look)
    assert tree[b"bin/env"] == Directory(0o755)
    assert not {b"usr", b"usr/bin", b"usr/bin/env"} & tree.keys()
