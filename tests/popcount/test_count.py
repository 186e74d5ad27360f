"""A graph becomes tables."""

import pytest

from nixery.closure import Closure, PathInfo
from nixery.popcount import count


def graph(**references):
    return Closure(
        tuple(
            PathInfo(f"/nix/store/x-{name}-1.0", 1, tuple(f"/nix/store/x-{to}-1.0" for to in refs))
            for name, refs in sorted(references.items())
        )
    )


GRAPH = graph(git=["glibc", "zlib"], curl=["glibc", "zlib"], zlib=["glibc"], glibc=[])


def test_popularity_is_the_number_of_referrers():
    assert count.popularity(GRAPH).counts == {"glibc": 3, "zlib": 2}


def test_without_names_the_ends_of_the_graph_are_the_start():
    assert sorted(count.starting_list(GRAPH)) == ["/nix/store/x-curl-1.0", "/nix/store/x-git-1.0"]


def test_named_packages_come_in_their_order():
    assert count.starting_list(GRAPH, ["zlib", "git"]) == [
        "/nix/store/x-zlib-1.0",
        "/nix/store/x-git-1.0",
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("nodejs-20.1.0", "nodejs-20.1.0"),
        ("nodejs-18.19.0", "nodejs-18.20.0"),
        ("nodejs", "nodejs-18.20.0"),
        ("python3.12-requests", "python3.12-requests-2.31.0"),
        ("python3.12-requests-2.30.0", "python3.12-requests-2.31.0"),
        ("python3-requests", "python3.11-requests-2.31.0"),
    ],
)
def test_the_most_exact_name_decides(wanted, found):
    there = [
        *("nodejs-18.20.0", "nodejs-20.1.0"),
        *("python3.11-requests-2.31.0", "python3.12-requests-2.31.0"),
    ]
    everything = Closure(tuple(PathInfo(f"/nix/store/x-{name}", 1, ()) for name in there))
    assert count.starting_list(everything, [wanted]) == [f"/nix/store/x-{found}"]


def test_a_missing_name_is_named():
    with pytest.raises(LookupError, match="nonesuch"):
        count.starting_list(GRAPH, ["git", "nonesuch"])


def test_a_large_set_gives_a_list_of_a_few_hundred(monkeypatch):
    monkeypatch.setattr(count, "STARTING_LIST", 3)
    many = graph(**{f"p{n}": [] for n in "abcdef"})
    assert len(count.starting_list(many)) == 3
    assert count.starting_list(many) == count.starting_list(many)


def test_the_starting_list_comes_with_all_it_refers_to():
    start = count.start(GRAPH, count.starting_list(GRAPH, ["curl"]))
    assert start.packages == ("/nix/store/x-curl-1.0",)
    assert [info.path[13:-4] for info in start.closure.paths] == ["curl", "glibc", "zlib"]


def test_units_are_made_of_the_starting_list():
    start = count.starting_list(GRAPH, ["curl"])
    *_, table = count.units(GRAPH, start)
    assert {name for unit in table.units for name in unit} == {"curl", "zlib", "glibc"}
