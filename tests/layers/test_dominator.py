"""The dominator tree, with the example that the module opens with."""

import pytest
from hypothesis import given
from support.layers.closures import MIB, closure_of, closures, names_of

from nixery.layers import EMPTY, Tables, group
from nixery.layers.dominator import BIG, POPULAR, tops
from nixery.layers.tables import Popularity

EXAMPLE = {
    "curl": (2 * MIB, ["openssl", "zlib", "glibc"]),
    "openssl": (5 * MIB, ["glibc"]),
    "git": (30 * MIB, ["zlib", "pcre2", "glibc"]),
    "pcre2": (1 * MIB, ["glibc"]),
    "zlib": (1 * MIB, ["glibc"]),
    "bash": (3 * MIB, ["glibc"]),
    "glibc": (40 * MIB, []),
}


def popularity(**counts):
    return Tables(Popularity(counts), EMPTY.units)


def trees(packages, tables=EMPTY):
    plan = group(closure_of(packages), tables, 94, "dominator")
    return sorted(names_of(layer) for layer in plan.layers)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (5, [["glibc"], ["git", "pcre2"], ["curl", "openssl"], ["bash"], ["zlib"]]),
        (4, [["glibc"], ["git", "pcre2"], ["curl", "openssl"], ["bash", "zlib"]]),
        (3, [["glibc"], ["git", "pcre2"], ["bash", "curl", "openssl", "zlib"]]),
        (1, [["bash", "curl", "git", "glibc", "openssl", "pcre2", "zlib"]]),
    ],
)
def test_the_worked_example(budget, expected):
    plan = group(closure_of(EXAMPLE), popularity(glibc=9), budget, "dominator")
    assert [names_of(layer) for layer in plan.layers] == expected


def test_a_popular_path_stands_on_its_own():
    chain = {"a": (1, ["b"]), "b": (1, ["c"]), "c": (1, [])}
    assert trees(chain) == [["a", "b", "c"]]
    assert trees(chain, popularity(b=POPULAR - 1)) == [["a", "b", "c"]]
    assert trees(chain, popularity(b=POPULAR)) == [["a"], ["b", "c"]]


def test_a_big_path_stands_on_its_own():
    assert trees({"a": (1, ["b"]), "b": (BIG - 1, ["c"]), "c": (1, [])}) == [["a", "b", "c"]]
    assert trees({"a": (1, ["b"]), "b": (BIG, ["c"]), "c": (1, [])}) == [["a"], ["b", "c"]]


def test_what_two_roots_share_is_its_own_tree():
    shared = {"a": (1, ["s"]), "b": (1, ["s"]), "s": (1, ["t"]), "t": (1, [])}
    assert trees(shared) == [["a"], ["b"], ["s", "t"]]


def test_a_long_chain_needs_no_recursion():
    length = 5000
    chain = {f"p{n:04d}": (1, [f"p{n + 1:04d}"] if n + 1 < length else []) for n in range(length)}
    assert len(group(closure_of(chain), EMPTY, 94, "dominator").layers) == 1


def test_popularity_lifts_a_tree_out_of_the_rest():
    packages = {"big": (9, []), "mid": (8, []), "low": (2, [])}
    plan = group(closure_of(packages), popularity(low=5), 2, "dominator")
    assert [names_of(layer) for layer in plan.layers] == [["low"], ["big", "mid"]]


def test_a_circle_that_nothing_refers_to_is_one_tree():
    """A store never has cycles, so it only matters that there is a plan."""
    assert trees({"a": (1, ["c"]), "b": (1, ["a", "d"]), "c": (1, ["b"]), "d": (1, [])}) == [
        ["a", "b", "c", "d"]
    ]


def test_uncounted_paths_have_popularity_one():
    """A large path in a separate layer would otherwise be in the rest forever."""
    plan = group(
        closure_of({"own": (9, []), "mid": (8, []), "low": (2, [])}),
        popularity(mid=1, low=1),
        2,
        "dominator",
    )
    assert [names_of(layer) for layer in plan.layers] == [["own"], ["low", "mid"]]


@given(closures())
def test_every_way_to_a_path_leads_through_its_top(closure):
    """The definition, checked without the library: cut the top out and the path is lost."""
    references = {info.path: info.references for info in closure.paths}
    roots = set(references) - {to for refs in references.values() for to in refs}
    for below, top in tops(closure, dict.fromkeys(references, 0)).items():
        seen, ways = {top}, [root for root in roots if root != top]
        while ways:
            if (here := ways.pop()) not in seen:
                seen.add(here)
                ways.extend(references[here])
        assert below == top or below not in seen
