"""Layering: which store paths share a layer. Pure, so that equal requests give equal digests.

    group(closure, tables, budget, strategy) → LayerPlan

    plan.py        the result, and the rule that all strategies end with
    size.py        strategy: the largest paths alone
    dominator.py   strategy: a path joins the only package that needs it
    units.py       strategy: paths that always occur together form a layer
    unknown.py     paths that the table of units does not know
    tables.py      popularity and units as frozen values; JSON and versions
    names.py       names of store paths in tables

``nixery.learning`` makes the tables. docs/layering.md compares the strategies.
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
"""Incremented when equal closures, tables and budgets would give other plans than before."""
READS: Mapping[Strategy, tuple[Literal["popularity", "units"], ...]] = {
    "size": (),
    "dominator": ("popularity",),
    "units": ("units",),
}
"""The tables that a strategy reads."""


def group(closure: Closure, tables: Tables, budget: int, strategy: Strategy) -> LayerPlan:
    """Each path of the closure in exactly one of at most ``budget`` (≥ 1) layers."""
    return STRATEGIES[strategy](closure, tables, budget)
