"""Units, unions, and paths that are in no table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.layers.closures import closure_of, closures, names_of, unit_tables

from nixery.layers import EMPTY, Tables, group
from nixery.layers.tables import Units

EXAMPLE = {name: (size, []) for name, size in zip("abcdef", (6, 5, 4, 3, 2, 1), strict=True)}


def tables(*units, unions=None):
    return Tables(EMPTY.popularity, Units(units, unions or {}))


def layers_of(known, budget, packages=EXAMPLE):
    return [names_of(layer) for layer in group(closure_of(packages), known, budget, "units").layers]


def test_a_unit_is_one_layer_of_its_total_size():
    assert layers_of(tables(("e", "f"), ("c", "d")), 3) == [["c", "d"], ["a"], ["b", "e", "f"]]


def test_the_most_requested_comes_first_and_the_unknown_last():
    known = tables(("f",), ("a",), ("c", "d"))
    assert layers_of(known, 9) == [["f"], ["a"], ["c", "d"], ["b"], ["e"]]


def test_of_equally_large_groups_the_first_path_has_a_layer():
    """Whether a table knows it or not."""
    packages = {"a": (1, []), "b": (5, []), "y": (1, []), "z": (1, [])}
    assert layers_of(tables(("b",), ("y",), ("z",)), 3, packages) == [["b"], ["a"], ["y", "z"]]


def test_unions_hold_for_their_budget_and_smaller_ones():
    known = tables(("a",), ("b",), ("c",), ("d",), ("e", "f"), unions={4: ((1, 4),)})
    assert layers_of(known, 5) == [["a"], ["b"], ["c"], ["d"], ["e", "f"]]
    assert layers_of(known, 4) == [["a"], ["b", "e", "f"], ["c"], ["d"]]
    assert layers_of(known, 3) == [["a"], ["b", "e", "f"], ["c", "d"]]


def test_unions_hold_for_images_that_are_not_short_of_layers():
    """Otherwise a small image would have other layers than its larger neighbours."""
    known = tables(("a",), ("b",), unions={4: ((0, 1),)})
    assert layers_of(known, 4, {"a": (1, []), "b": (1, [])}) == [["a", "b"]]


def test_a_table_outlives_the_change_of_every_hash():
    """A table of full paths would know nothing after glibc changed."""
    known = tables(("e", "f"), ("c", "d"))
    before = group(closure_of(EXAMPLE), known, 4, "units")
    after = group(closure_of(EXAMPLE, revision=1), known, 4, "units")
    assert [names_of(layer) for layer in before.layers] == [
        names_of(layer) for layer in after.layers
    ]


def test_a_name_with_its_version_wins_over_the_bare_name():
    """Two versions of a package in one closure are two things."""
    known = tables(("a-1.0", "b"), ("a", "c"))
    assert layers_of(known, 9) == [["a", "b"], ["c"], ["d"], ["e"], ["f"]]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("python3-x", True),
        ("python3.12-x", True),
        ("python3.12-x-1.0", True),
        ("python3.11-x", False),
        ("python2-x", False),
    ],
)
def test_a_table_applies_to_another_python(known, expected):
    packages = {"a": (1, []), "python3.12-x": (1, [])}
    found = layers_of(tables(("a", known)), 9, packages)
    assert (len(found) == 1) is expected


@given(closures(), st.integers(1, 20))
def test_without_a_table_it_is_size(closure, budget):
    by_units = group(closure, EMPTY, budget, "units")
    assert by_units == group(closure, EMPTY, budget, "size")


@given(closures(), unit_tables(), st.integers(1, 20))
def test_the_rest_is_never_larger_than_by_size(closure, known, budget):
    """It is what few images share; a table, even a wrong one, never makes it larger."""

    def rest(strategy):
        plan = group(closure, known, budget, strategy)
        return sum(layer.size for layer in plan.layers if layer.why == "rest")

    assert rest("units") <= rest("size")
