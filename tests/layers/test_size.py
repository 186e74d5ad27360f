"""Largest first."""

from hypothesis import given
from hypothesis import strategies as st
from support.layers.closures import closure_of

from nixery.closure import Closure
from nixery.layers import EMPTY, group

SIZES = st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=40)


def closure(*sizes):
    return closure_of({f"p{n:02d}": (size, []) for n, size in enumerate(sizes)})


def sizes_of(plan):
    return [layer.size for layer in plan.layers]


@given(SIZES, st.integers(min_value=2, max_value=20))
def test_a_single_path_is_never_smaller_than_one_of_the_rest(sizes, budget):
    size = {info.path: info.size for info in closure(*sizes).paths}
    *alone, rest = group(closure(*sizes), EMPTY, budget, "size").layers
    for layer in alone:
        assert layer.size >= max(size[path] for path in rest.paths)


def test_layers_know_their_size():
    assert sizes_of(group(closure(5, 1, 3), EMPTY, 2, "size")) == [5, 4]


def test_layers_know_why():
    plan = group(closure(5, 1, 3), EMPTY, 2, "size")
    assert [layer.why for layer in plan.layers] == ["alone", "rest"]


def test_a_rest_of_one_path_is_a_layer_like_the_others():
    plan = group(closure(1, 2, 3), EMPTY, 3, "size")
    assert [(layer.size, layer.why) for layer in plan.layers] == [
        (3, "alone"),
        (2, "alone"),
        (1, "alone"),
    ]


def test_a_budget_of_one_is_one_layer():
    assert sizes_of(group(closure(1, 2, 3), EMPTY, 1, "size")) == [6]


def test_paths_of_one_size_are_ordered_by_path():
    plan = group(closure(1, 1, 1), EMPTY, 3, "size")
    assert [path for layer in plan.layers for path in layer.paths] == [
        info.path for info in closure(1, 1, 1).paths
    ]


def test_an_empty_closure_has_no_layers():
    assert group(Closure(()), EMPTY, 94, "size").layers == ()
