"""Which store paths share a layer: pure, so that the same request gives the same digest anywhere.

    group(closure, tables, budget, strategy) → LayerPlan

    plan.py        the values, and the rule that all strategies end with
    size.py        largest first, without any knowledge
    dominator.py   the classic: what one path alone brings in goes with it
    units.py       what always comes together in what people ask for goes together; with
                   unknown.py, what no table knows goes with what brings it
    tables.py      the knowledge, as frozen values: popularity and units; JSON and versions
    names.py       what a store path is called in a table
    learn.py       makes the table of units; demand.py, replay.py, pairs.py, unite.py (with its
                   offers.py) and moves.py are its steps, and shelves.py is what they count in

docs/layering.md says how the strategies compare, and why the default is the default.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from nixery.closure import Closure
from nixery.layers import dominator, size, units
from nixery.layers.plan import Layer, LayerPlan
from nixery.layers.tables import EMPTY, Tables

__all__ = [
    "EMPTY",
    "FORMATS",
    "READS",
    "STRATEGIES",
    "Layer",
    "LayerPlan",
    "Strategy",
    "Tables",
    "group",
]

Strategy = Literal["size", "dominator", "units"]

STRATEGIES: Mapping[Strategy, Callable[[Closure, Tables, int], LayerPlan]] = {
    "size": size.group,
    "dominator": dominator.group,
    "units": units.group,
}
FORMATS: Mapping[Strategy, int] = {"size": 1, "dominator": 1, "units": 3}
"""Goes up when the same closure, tables and budget would give another plan than before."""
READS: Mapping[Strategy, tuple[Literal["popularity", "units"], ...]] = {
    "size": (),
    "dominator": ("popularity",),
    "units": ("units",),
}
"""The tables that can change what a strategy plans."""


def group(closure: Closure, tables: Tables, budget: int, strategy: Strategy) -> LayerPlan:
    """Every path of the closure in exactly one of at most ``budget`` (≥ 1) layers."""
    return STRATEGIES[strategy](closure, tables, budget)
