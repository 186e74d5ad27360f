"""Paths folded into names."""

from closures import closure_of, path

from nixery.closure import Closure, PathInfo
from nixery.layers.demand import demand

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
    """What was asked for yesterday has other hashes, and tells as much."""
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


def test_names_that_refer_to_each_other_end():
    """Two revisions can refer to each other's names, though no store path does."""
    graph = Closure(
        closure_of({"a": (1, ["b"]), "b": (1, [])}).paths
        + closure_of({"a": (1, []), "b": (1, ["a"])}, revision=1).paths
    )
    found = demand(graph, [[path("a")], [path("b", 1)]])
    assert found.brings("a") == found.brings("b") == {"a", "b"}
