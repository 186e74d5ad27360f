"""Properties of every strategy, whatever the tables contain."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.layers.closures import circles, closure_of, closures, names_of, unit_tables

from nixery.closure import Closure
from nixery.layers import EMPTY, FORMATS, STRATEGIES, Tables, group
from nixery.layers.tables import Popularity, Units

BUDGETS = st.integers(min_value=1, max_value=20)
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@every_strategy
@given(closures() | circles(), unit_tables(), BUDGETS)
def test_every_path_is_in_exactly_one_layer(strategy, closure, tables, budget):
    plan = group(closure, tables, budget, strategy)
    paths = [path for layer in plan.layers for path in layer.paths]
    assert sorted(paths) == [info.path for info in closure.paths]
    assert 1 <= len(plan.layers) <= budget
    size = {info.path: info.size for info in closure.paths}
    for layer in plan.layers:
        assert layer.size == sum(size[path] for path in layer.paths)
        assert list(layer.paths) == sorted(layer.paths)


@every_strategy
@given(closures() | circles(), unit_tables(), BUDGETS, st.randoms(use_true_random=False))
def test_the_order_of_the_closure_does_not_reach_the_plan(strategy, closure, tables, budget, rng):
    shuffled = list(closure.paths)
    rng.shuffle(shuffled)
    planned = group(closure, tables, budget, strategy)
    assert group(Closure(tuple(shuffled)), tables, budget, strategy) == planned


@every_strategy
def test_cycles_of_references_are_supported(strategy):
    """As two paths that refer to each other, and one to itself, with something below."""
    packages = {"a": (1, ["b"]), "b": (1, ["a", "d"]), "c": (1, ["c"]), "d": (1, [])}
    plan = group(closure_of(packages), EMPTY, 9, strategy)
    assert sorted(name for layer in plan.layers for name in names_of(layer)) == [*"abcd"]


@every_strategy
@given(closures(), unit_tables(), BUDGETS)
def test_only_the_last_layer_is_a_rest(strategy, closure, tables, budget):
    whys = [layer.why for layer in group(closure, tables, budget, strategy).layers]
    assert "rest" not in whys[:-1]


@every_strategy
def test_shared_layers_come_in_the_same_order_in_both_images(strategy):
    """Docker reuses leading layers, so the order must not depend on the rest of the image."""
    sizes = random.Random(1).sample(range(1000), 30)
    everything = closure_of({f"p{n:02d}": (size, []) for n, size in enumerate(sizes)}).paths
    one, other = everything[:20], everything[10:]
    orders = [
        [layer.paths for layer in group(Closure(image), EMPTY, 94, strategy).layers]
        for image in (one, other)
    ]
    shared = set(orders[0]) & set(orders[1])
    assert shared
    first, second = ([paths for paths in order if paths in shared] for order in orders)
    assert first == second


def large_image():
    """300 paths in twelve packages, some for Python, and a table that knows two thirds of them."""
    rng = random.Random(1)
    names = [f"p{n:03d}" if n % 9 else f"python3.12-p{n:03d}" for n in range(300)]
    packages = {
        name: (int(rng.lognormvariate(12, 2)), set(rng.sample(names[:n][-40:], min(n, 3))))
        for n, name in enumerate(names)
    }
    units = [name.replace("python3.12-", "python3-") for name in names]
    known = [tuple(units[n : n + 4]) for n in range(0, 200, 4)]
    popularity = Popularity({name: 1 + n % 7 for n, name in enumerate(names)})
    return closure_of(packages), Tables(popularity, Units(tuple(known), {40: ((0, 7), (1, 3))}))


@pytest.mark.parametrize(
    ("strategy", "number", "plan"),
    [
        ("size", 1, "e47e0967fc40f95a"),
        ("dominator", 1, "4a71baefdd665610"),
        ("units", 3, "3574b097bedc5783"),
    ],
)
def test_the_plans_of_this_format(strategy, number, plan):
    """If one changes, raise its format: otherwise two servers build two images for one request."""
    found = group(*large_image(), 20, strategy)
    said = repr([(layer.paths, layer.size, layer.why) for layer in found.layers])
    assert (FORMATS[strategy], hashlib.sha256(said.encode()).hexdigest()[:16]) == (number, plan)
