"""Paths folded into names."""

from support.layers.closures import closure_of, path

from nixery.closure import Closure, PathInfo
from nixery.learning.demand import demand

PACKAGES = {
    "git": (30, ["pcre2", "zlib"]),
    "curl": (2, ["zlib"]),
    "pcre2": (1, []),
    "zlib": (1, []),
    "unused": (9, []),
}


def test_it_knows_what_a_package_brings():
    found = demand(closure_of(PACKAGES), [[path("git"), path("curl")]], [path("pcre2")])
    assert found.images == (("curl", "git"),)
    assert found.start == ("pcre2",)
    assert found.brings("git") == {"git", "pcre2", "zlib"}
    assert found.brings("curl", "pcre2") == {"curl", "pcre2", "zlib"}
    assert found.sizes == {"git": 30, "curl": 2, "pcre2": 1, "zlib": 1}


def test_revisions_of_a_package_are_one_name():
    """Yesterday's requests have other hashes, and have the same weight."""
    both = Closure(
        closure_of({"git": (31, ["zlib"]), "zlib": (1, [])}).paths
        + closure_of({"git": (30, ["pcre2"]), "pcre2": (1, [])}, revision=1).paths
    )
    found = demand(both, [[path("git")], [path("git", 1)]])
    assert found.images == (("git",), ("git",))
    assert found.brings("git") == {"git", "zlib", "pcre2"}
    assert found.sizes["git"] == 31


def test_versions_that_come_together_are_two_things():
    graph = Closure(
        (
            PathInfo(
                "/nix/store/x-app-1.0", 1, ("/nix/store/x-llvm-14.0", "/nix/store/x-llvm-16.0")
            ),
            PathInfo("/nix/store/x-llvm-14.0", 1, ()),
            PathInfo("/nix/store/x-llvm-16.0", 1, ()),
        )
    )
    assert demand(graph, [["/nix/store/x-app-1.0"]]).brings("app") == {
        "app",
        "llvm-14.0",
        "llvm-16.0",
    }


def test_an_interpreters_version_is_named_only_where_there_are_two():
    """Packages of Python 3.11, and then of 3.12 as well: in one image, and in a starting list."""
    x11, x12, y12, y13 = packages = [
        f"/nix/store/x-python3.{minor}-{name}-1.0"
        for minor, name in ((11, "x"), (12, "x"), (12, "y"), (13, "y"))
    ]
    graph = Closure(tuple(PathInfo(path, 1, ()) for path in packages))
    assert demand(graph, [[x11], [x12]]).images == (("python3-x",), ("python3-x",))
    assert demand(graph, [[x11, x12], [y12]]).images == (
        ("python3.11-x", "python3.12-x"),
        ("python3-y",),
    )
    assert demand(graph, [[x11]], [y12, y13]).start == ("python3.12-y", "python3.13-y")


def test_names_that_refer_to_each_other_end():
    """Two revisions can refer to each other's names, though no store path does."""
    graph = Closure(
        closure_of({"a": (1, ["b"]), "b": (1, [])}).paths
        + closure_of({"a": (1, []), "b": (1, ["a"])}, revision=1).paths
    )
    found = demand(graph, [[path("a")], [path("b", 1)]])
    assert found.brings("a") == found.brings("b") == {"a", "b"}
