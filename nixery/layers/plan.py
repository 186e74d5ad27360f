"""What a strategy answers, and the rule that all of them end with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nixery.closure import PathInfo, StorePath

Why = Literal["alone", "together", "rest"]
"""Why these paths: one path by itself; paths that belong together; what the budget left over."""


@dataclass(frozen=True, slots=True)
class Layer:
    paths: tuple[StorePath, ...]
    """Sorted, never empty."""
    size: int
    """Bytes, summed over the NARs."""
    why: Why


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """Every path of the closure in exactly one layer, at most as many layers as the budget.

    The order depends on the paths and not on the image, because overlayfs and Docker's graph
    driver reuse leading layers. The rest comes last: it differs from image to image.
    """

    layers: tuple[Layer, ...]


def layer(infos: Iterable[PathInfo], *, rest: bool = False) -> Layer:
    infos = tuple(infos)
    paths = tuple(sorted(info.path for info in infos))
    why: Why = "rest" if rest else "alone" if len(paths) == 1 else "together"
    return Layer(paths, sum(info.size for info in infos), why)


def fit(groups: Sequence[Sequence[PathInfo]], budget: int) -> tuple[list[Layer], list[Layer]]:
    """A layer for each group, and none or one for the rest that the budget has no room for.

    ``groups`` come with the most deserving first.
    """
    room = len(groups) if len(groups) <= budget else budget - 1
    layers = [layer(group) for group in groups[:room]]
    left_over = [info for group in groups[room:] for info in group]
    return layers, [layer(left_over, rest=True)] if left_over else []
