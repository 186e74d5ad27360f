"""The image's root, decided from what packages hold; no file is read here."""

from functools import partial

import pytest

from nixery.archive import environment
from nixery.archive.environment import Child
from nixery.archive.standard_entries import DirectoryNode, LinkNode, TextNode

merge = partial(environment.merge, read=lambda _: None)


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
    assert merged(a={"bin": {"x": None}, "libexec": {"doc": {"1": None, "2": None}}}) == {
        "bin": REAL,
        "bin/x": "/a/bin/x",
        "libexec": REAL,
        "libexec/doc": "/a/libexec/doc",
    }


def test_what_several_provide_is_merged_down_to_where_one_does():
    assert merged(
        a={"libexec": {"man": {"man1": {"x.1": None}}, "doc": {"x": None}}},
        b={"libexec": {"man": {"man1": {"y.1": None}, "man5": {"y.5": None}}}},
    ) == {
        "libexec": REAL,
        "libexec/doc": "/a/libexec/doc",
        "libexec/man": REAL,
        "libexec/man/man1": REAL,
        "libexec/man/man1/x.1": "/a/libexec/man/man1/x.1",
        "libexec/man/man1/y.1": "/b/libexec/man/man1/y.1",
        "libexec/man/man5": "/b/libexec/man/man5",
    }


def test_the_first_package_wins_a_collision():
    tree = merged(a={"bin": {"sh": None}}, b={"bin": {"sh": None, "x": None}})
    assert tree == {"bin": REAL, "bin/sh": "/a/bin/sh", "bin/x": "/b/bin/x"}


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        pytest.param(None, {"1": None}, "/a/libexec/x", id="file before directory"),
        pytest.param({"1": None}, None, "/a/libexec/x", id="directory before file"),
    ],
)
def test_the_first_wins_where_a_file_meets_a_directory(first, second, winner):
    tree = merged(a={"libexec": {"x": first}}, b={"libexec": {"x": second}})
    assert tree == {"libexec": REAL, "libexec/x": winner}


def test_a_file_that_is_first_wins_over_several_directories():
    tree = merged(a={"x": None}, b={"x": {"2": None}}, c={"x": {"3": None}})
    assert tree == {"x": "/a/x"}


def test_directories_merge_past_a_file_of_the_same_name():
    """The first is a directory, so a later directory joins it; the file between loses."""
    tree = merged(
        a={"libexec": {"x": {"1": None}}},
        b={"libexec": {"x": None}},
        c={"libexec": {"x": {"3": None}}},
    )
    assert tree["libexec/x/1"] == "/a/libexec/x/1"
    assert tree["libexec/x/3"] == "/c/libexec/x/3"


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


def test_a_directory_that_two_packages_libexec_is_provided_once():
    """Both lead to the same directory, so there is nothing to merge."""
    tree = merged(
        a={"libexec": {"icons": "/c/icons"}},
        b={"libexec": {"icons": "/c/icons"}},
        c={"icons": {"x.png": None}},
    )
    assert tree["libexec/icons"] == "/a/libexec/icons"


def test_links_that_lead_back_up_have_an_end():
    tree = merged(
        a={"libexec": {"1": None, "up": "/a/libexec", "down": "/a/libexec"}},
        b={"libexec": {"2": None, "up": "/b/libexec", "down": "/b/libexec"}},
    )
    assert tree == {
        "libexec": REAL,
        "libexec/1": "/a/libexec/1",
        "libexec/2": "/b/libexec/2",
        "libexec/down": "/a/libexec/down",
        "libexec/up": "/a/libexec/up",
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
    assert merged(a={**gone, "bin": {**gone, "x": None}}, b={"bin": {"y": None}}) == {
        "bin": DirectoryNode(0o755),
        "bin/x": "/a/bin/x",
        "bin/y": "/b/bin/y",
    }


def test_files_at_the_root_are_links():
    assert merged(a={"README": None}) == {"README": "/a/README"}


def test_an_output_that_is_a_file_gives_nothing():
    assert merged(a=None, b={"README": None}) == {"README": "/b/README"}


def test_every_image_has_what_programs_expect():
    """Directories that others write into or mount over are real, without any package."""
    tree = merge([], look_at({}))
    directories = {
        name.decode(): node.mode for name, node in tree.items() if isinstance(node, DirectoryNode)
    }
    shared = ("etc", "home", "opt", "run", "usr", "usr/bin", "usr/local", "usr/local/bin", "var")
    assert directories == dict.fromkeys(shared, 0o755) | {
        "root": 0o700,
        "tmp": 0o1777,
        "var/empty": 0o555,
        "var/tmp": 0o1777,
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


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"root:x:0:0::/root:/bin/zsh\nme:x:1:1::/:/bin/zsh",
            (
                b"root:x:0:0::/root:/bin/zsh\nme:x:1:1::/:/bin/zsh\n"
                b"nobody:x:65534:65534:nobody:/var/empty:/bin/false\n"
            ),
        ),
        (None, merge([], look_at({}))[b"etc/passwd"].content),
    ],
    ids=["a file", "a link into nowhere"],
)
def test_a_passwd_of_a_package_is_copied(content, expected):
    """Runtimes open it from outside; root and nobody are added if they are missing."""
    look = look_at({b"a": {b"etc": {b"passwd": None}}})
    read = {b"/a/etc/passwd": content}.get
    assert environment.merge([b"/a"], look, read)[b"etc/passwd"] == TextNode(expected)


def test_directories_below_etc_and_of_the_first_level_are_real():
    """A layer that is added without a runtime must not replace a link, and lose files."""
    tree = merged(
        a={"etc": {"x": {"y": {"z": None}}}, "share": {"doc": {"a": {"b": None}}}, "opt": {"o": {}}}
    )
    assert tree["etc/x"] == tree["etc/x/y"] == tree["share/doc"] == REAL
    assert tree["etc/x/y/z"] == "/a/etc/x/y/z"
    assert tree["share/doc/a"] == "/a/share/doc/a"
    assert tree["opt/o"] == "/a/opt/o"


@pytest.mark.parametrize(
    "own", ["etc/ssl/certs/ca-bundle.crt", "etc/ssl/certs/ca-certificates.crt"]
)
def test_certificates_have_the_names_that_programs_look_for(own):
    *directories, name = own.split("/")
    package = {name: None}
    for directory in reversed(directories):
        package = {directory: package}
    tree = merged(a=package)
    for place in ("ssl/certs/ca-bundle.crt", "ssl/certs/ca-certificates.crt"):
        assert tree[f"etc/{place}"] == f"/a/{own}"
    assert tree["etc/pki/tls/certs/ca-bundle.crt"] == f"/a/{own}"


def test_time_zones_and_locales_are_where_programs_look_for_them():
    zones = {"share": {"zoneinfo": {"UTC": None}}, "lib": {"locale": {"locale-archive": None}}}
    tree = merged(a=zones)
    assert tree["etc/zoneinfo"] == tree["usr/share/zoneinfo"] == "/share/zoneinfo"
    assert tree["usr/lib/locale/locale-archive"] == "/a/lib/locale/locale-archive"
    assert tree["usr/share"] == tree["usr/lib/locale"] == REAL


def test_a_link_is_not_made_into_a_directory():
    tree = merged(a={"share": {"zoneinfo": {"UTC": None}}, "usr": {"share": {"x": None}}})
    assert tree["usr/share"] == "/a/usr/share"
    assert "usr/share/zoneinfo" not in tree


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
    assert tree["usr/bin/env"] == "/a/bin/env"
    assert tree["usr/bin/x"] == "/b/usr/bin/x"
    assert tree["usr/lib"] == "/b/usr/lib"


def test_a_package_may_bring_its_own_usr_bin_env():
    tree = merged(a={"bin": {"env": None}}, b={"usr": {"bin": {"env": None}}})
    assert tree["usr/bin/env"] == "/b/usr/bin/env"


def test_nothing_is_made_up_where_no_package_has_it():
    assert not {b"usr/bin/env", b"bin", b"bin/sh", b"etc/ssl"} & merge([], look_at({})).keys()
