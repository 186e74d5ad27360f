"""Layer plan: the result of a strategy, and the rule that all strategies end with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nixery.closure import PathInfo, StorePath

Why = Literal["alone", "together", "rest"]
"""Why these paths are together: a single path, paths of one group, or the rest."""


@dataclass(frozen=True, slots=True)
class Layer:
    paths: tuple[StorePath, ...]
    """Sorted, never empty."""
    size: int
    """Bytes, summed over the NARs."""
    why: Why


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """Each path of the closure in exactly one layer, at most as many layers as the budget.

    The order depends on the paths and not on the image, because overlayfs and Docker's graph driver
    reuse leading layers. The rest is last, because it differs from image to image.
    """

    layers: tuple[Layer, ...]


def layer(infos: Iterable[PathInfo], *, rest: bool = False) -> Layer:
    infos = tuple(infos)
    paths = tuple(sorted(info.path for info in infos))
    why: Why = "rest" if rest else "alone" if len(paths) == 1 else "together"
    return Layer(paths, sum(info.size for info in infos), why)


def fit(groups: Sequence[Sequence[PathInfo]], budget: int) -> tuple[list[Layer], list[Layer]]:
    """A layer for each group, and one for the rest if the budget is too small.

    ``groups``: the most important first.
    """
    room = len(groups) if len(groups) <= budget else budget - 1
    layers = [layer(group) for group in groups[:room]]
    left_over = [info for group in groups[room:] for info in group]
    return layers, [layer(left_over, rest=True)] if left_over else []
