"""The image's root, decided from what packages hold; no file is read here."""

import pytest

from nixery.archive.environment import Child, DirectoryNode, LinkNode, TextNode, merge


def look_at(packages):
    """Reads nested dicts.

    A dict is a directory, ``b"→ path"`` a link to one, anything else a leaf.
    """

    def at(path):
        node = packages
        for part in path.removeprefix(b"/").split(b"/"):
            node = node[part]
        return node

    def look(path):
        node = at(path)
        if not isinstance(node, dict):
            return []
        children = []
        for name, inner in node.items():
            directory = None
            if isinstance(inner, dict):
                directory = path + b"/" + name
            elif isinstance(inner, bytes):
                directory = inner
            children.append(Child(name, directory))
        return children

    return look


def merged(**packages):
    """The tree of packages in alphabetical order, without what every image has."""
    packages = {name.encode(): encoded(node) for name, node in packages.items()}
    tree = merge([b"/" + name for name in sorted(packages)], look_at(packages))
    common = merge([], look_at({}))
    return {
        name.decode(): node.target.decode() if isinstance(node, LinkNode) else node
        for name, node in tree.items()
        if common.get(name) != node
    }


def encoded(node):
    match node:
        case dict():
            return {name.encode(): encoded(inner) for name, inner in node.items()}
        case str():
            return node.encode()
        case None:
            return None


REAL = DirectoryNode(0o755)


def test_directories_at_the_root_are_real_and_others_are_one_link():
    assert merged(a={"bin": {"x": None}, "share": {"doc": {"1": None, "2": None}}}) == {
        "bin": REAL,
        "bin/x": "/a/bin/x",
        "share": REAL,
        "share/doc": "/a/share/doc",
    }


def test_what_several_provide_is_merged_down_to_where_one_does():
    assert merged(
        a={"share": {"man": {"man1": {"x.1": None}}, "doc": {"x": None}}},
        b={"share": {"man": {"man1": {"y.1": None}, "man5": {"y.5": None}}}},
    ) == {
        "share": REAL,
        "share/doc": "/a/share/doc",
        "share/man": REAL,
        "share/man/man1": REAL,
        "share/man/man1/x.1": "/a/share/man/man1/x.1",
        "share/man/man1/y.1": "/b/share/man/man1/y.1",
        "share/man/man5": "/b/share/man/man5",
    }


def test_the_first_package_wins_a_collision():
    tree = merged(a={"bin": {"sh": None}}, b={"bin": {"sh": None, "x": None}})
    assert tree == {"bin": REAL, "bin/sh": "/a/bin/sh", "bin/x": "/b/bin/x"}


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        pytest.param(None, {"1": None}, "/a/share/x", id="file before directory"),
        pytest.param({"1": None}, None, "/a/share/x", id="directory before file"),
    ],
)
def test_the_first_wins_where_a_file_meets_a_directory(first, second, winner):
    tree = merged(a={"share": {"x": first}}, b={"share": {"x": second}})
    assert tree == {"share": REAL, "share/x": winner}


def test_a_file_that_is_first_wins_over_several_directories():
    tree = merged(a={"x": None}, b={"x": {"2": None}}, c={"x": {"3": None}})
    assert tree == {"x": "/a/x"}


def test_directories_merge_past_a_file_of_the_same_name():
    """The first is a directory, so a later directory joins it; the file between loses."""
    tree = merged(
        a={"share": {"x": {"1": None}}},
        b={"share": {"x": None}},
        c={"share": {"x": {"3": None}}},
    )
    assert tree["share/x/1"] == "/a/share/x/1"
    assert tree["share/x/3"] == "/c/share/x/3"


def test_names_are_in_order_and_parents_first():
    tree = merge(
        [b"/b", b"/a"],
        look_at(
            {
                b"a": {b"lib": {b"x": {b"1": None}, b"x-y": None}},
                b"b": {b"lib": {b"x": {b"\xff": None}}},
            }
        ),
    )
    names = [name for name in tree if name.startswith(b"lib")]
    assert names == [b"lib", b"lib/x", b"lib/x/1", b"lib/x/\xff", b"lib/x-y"]
    assert list(tree) == sorted(tree, key=lambda name: name.split(b"/"))


def test_a_link_to_a_directory_is_merged_like_the_directory():
    tree = merged(
        a={"lib64": "/a/lib", "lib": {"1": None}},
        b={"lib64": {"2": None}},
    )
    assert tree == {
        "lib": REAL,
        "lib/1": "/a/lib/1",
        "lib64": REAL,
        "lib64/1": "/a/lib/1",
        "lib64/2": "/b/lib64/2",
    }


def test_a_directory_that_two_packages_share_is_provided_once():
    """Both lead to the same directory, so there is nothing to merge."""
    tree = merged(
        a={"share": {"icons": "/c/icons"}},
        b={"share": {"icons": "/c/icons"}},
        c={"icons": {"x.png": None}},
    )
    assert tree["share/icons"] == "/a/share/icons"


def test_links_that_lead_back_up_have_an_end():
    tree = merged(
        a={"share": {"1": None, "up": "/a/share", "down": "/a/share"}},
        b={"share": {"2": None, "up": "/b/share", "down": "/b/share"}},
    )
    assert tree == {
        "share": REAL,
        "share/1": "/a/share/1",
        "share/2": "/b/share/2",
        "share/down": "/a/share/down",
        "share/up": "/a/share/up",
    }


@pytest.mark.parametrize("name", ["nix-support", "nix", "tmp", "proc", "sys", "dev"])
def test_some_names_at_the_root_are_never_taken(name):
    assert merged(a={name: {"x": None}, "lib": {name: None}}) == {
        "lib": REAL,
        f"lib/{name}": f"/a/lib/{name}",
    }


def test_no_package_can_say_that_files_are_gone():
    """Where names are merged; files behind a link are not part of this layer."""
    gone = {".wh..wh..opq": "", ".wh.bin": ""}
    assert merged(a={**gone, "bin": {**gone, "x": ""}}, b={"bin": {"y": ""}}) == {
        "bin": DirectoryNode(0o755),
        "bin/x": "/a/bin/x",
        "bin/y": "/b/bin/y",
    }


def test_files_at_the_root_are_links():
    assert merged(a={"README": None}) == {"README": "/a/README"}


def test_an_output_that_is_a_file_gives_nothing():
    assert merged(a=None, b={"README": None}) == {"README": "/b/README"}


def test_every_image_has_what_programs_expect():
    tree = merge([], look_at({}))
    assert {name: node.mode for name, node in tree.items() if isinstance(node, DirectoryNode)} == {
        b"etc": 0o755,
        b"root": 0o700,
        b"tmp": 0o1777,
        b"var": 0o755,
        b"var/empty": 0o555,
    }
    files = {name: node.content for name, node in tree.items() if isinstance(node, TextNode)}
    assert files.keys() == {b"etc/passwd", b"etc/group", b"etc/nsswitch.conf"}
    assert b"hosts: files dns\n" in files[b"etc/nsswitch.conf"]


def test_homes_of_users_exist_and_their_groups_as_well():
    tree = merge([], look_at({}))
    groups = {line.split(b":")[2] for line in tree[b"etc/group"].content.splitlines()}
    for line in tree[b"etc/passwd"].content.splitlines():
        _, _, _, group, _, home, _ = line.split(b":")
        assert group in groups
        assert isinstance(tree[home.removeprefix(b"/")], DirectoryNode)


def test_a_package_may_bring_its_own_passwd():
    assert merged(a={"etc": {"passwd": None}})["etc/passwd"] == "/a/etc/passwd"


@pytest.mark.parametrize("name", ["etc", "root", "var"])
def test_directories_of_ours_are_real_whatever_packages_have_there(name):
    tree = merge([b"/a", b"/b"], look_at({b"a": {name.encode(): None}, b"b": {}}))
    assert tree[name.encode()] == merge([], look_at({}))[name.encode()]


def test_what_packages_have_in_our_directories_is_kept():
    tree = merge([b"/a"], look_at({b"a": {b"var": {b"empty": {b"x": None}, b"lib": {}}}}))
    assert tree[b"var/empty"] == DirectoryNode(0o555)
    assert tree[b"var/empty/x"] == LinkNode(b"/a/var/empty/x")
    assert tree[b"var/lib"] == LinkNode(b"/a/var/lib")


def test_env_is_where_scripts_look_for_it():
    tree = merged(a={"bin": {"env": None}}, b={"usr": {"bin": {"x": None}, "lib": {"y": None}}})
    assert tree["usr"] == tree["usr/bin"] == REAL
    assert tree["usr/bin/env"] == "/a/bin/env"
    assert tree["usr/bin/x"] == "/b/usr/bin/x"
    assert tree["usr/lib"] == "/b/usr/lib"


def test_a_package_may_bring_its_own_usr_bin_env():
    tree = merged(a={"bin": {"env": None}}, b={"usr": {"bin": {"env": None}}})
    assert tree["usr/bin/env"] == "/b/usr/bin/env"


def test_nothing_is_made_up_where_no_package_has_it():
    assert not {b"usr", b"usr/bin/env", b"bin", b"bin/sh"} & merge([], look_at({})).keys()
