"""Grouping store paths into layers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.closure import Closure, PathInfo
from nixery.layers import group

SIZES = st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=40)


def closure(*sizes):
    return Closure(
        tuple(PathInfo(f"/nix/store/{n:03d}-p", size, ()) for n, size in enumerate(sizes))
    )


@given(SIZES, st.integers(min_value=1, max_value=20))
def test_every_path_is_in_exactly_one_layer(sizes, budget):
    plan = group(closure(*sizes), budget)
    paths = [path for layer in plan.layers for path in layer.paths]
    assert sorted(paths) == [info.path for info in closure(*sizes).paths]
    assert 1 <= len(plan.layers) <= budget


@given(SIZES, st.integers(min_value=1, max_value=20), st.randoms(use_true_random=False))
def test_the_order_of_the_closure_does_not_reach_the_plan(sizes, budget, rng):
    shuffled = list(closure(*sizes).paths)
    rng.shuffle(shuffled)
    assert group(Closure(tuple(shuffled)), budget) == group(closure(*sizes), budget)


@given(SIZES, st.integers(min_value=2, max_value=20))
def test_a_single_path_is_never_smaller_than_one_of_the_tail(sizes, budget):
    size = {info.path: info.size for info in closure(*sizes).paths}
    *alone, tail = group(closure(*sizes), budget).layers
    for layer in alone:
        assert layer.size >= max(size[path] for path in tail.paths)


def test_layers_know_their_size():
    plan = group(closure(5, 1, 3), 2)
    assert [layer.size for layer in plan.layers] == [5, 4]


def test_a_closure_that_fits_has_no_tail():
    assert [layer.size for layer in group(closure(1, 2, 3), 3).layers] == [3, 2, 1]


def test_a_budget_of_one_is_one_layer():
    assert len(group(closure(1, 2, 3), 1).layers) == 1


def test_shared_paths_come_in_the_same_order_in_both_images():
    """Docker reuses leading layers, so the order must not depend on the rest of the image."""
    everything = closure(*random.Random(1).sample(range(1000), 30)).paths
    one, other = everything[:20], everything[10:]
    orders = [[layer.paths for layer in group(Closure(image), 94).layers] for image in (one, other)]
    shared = set(orders[0]) & set(orders[1])
    assert shared
    first, second = ([paths for paths in order if paths in shared] for order in orders)
    assert first == second


@pytest.mark.parametrize("budget", [1, 94])
def test_nothing_needs_no_layer(budget):
    assert group(Closure(()), budget).layers == ()
