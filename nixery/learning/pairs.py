"""Pairs of units that are candidates for one layer.

Of 1,000 units, 200,000 pairs and more occur together, but most should not share a layer, because
one is often needed without the other. Good pairs occur in nearly the same pulls.

    pulls     1  2  3  4  5     perl and git are in two of three pulls together: 0.67
    perl      x  x  x           git and curl in two of four: 0.5
    git       x  x              curl and perl in two of five: 0.4
    curl      x  x     x  x

So each unit's NEAR nearest are candidates, and those for which it is among the nearest: that is how
a small unit is paired with glibc, which is in all pulls and has a thousand neighbours.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from nixery.learning.sharing_cost import Group, joined_cost

NEAR = 40
"""benchmarks/layering-notebook.md has measurements."""


@dataclass(frozen=True, slots=True)
class Pair:
    loss: float
    """Cost of joining the two, in bytes."""
    both: int
    """Mask of the pulls that contain both, at least one."""
    one: int
    other: int
    """Indices, the smaller first."""


def loss(one: Group, other: Group) -> float:
    """Cost of joining them, in bytes."""
    return joined_cost(one, other) - one.cost - other.cost


def pairs(groups: Sequence[Group]) -> list[Pair]:
    """The candidates, each once, in order; the same for every budget."""
    indices = {
        (min(position, other), max(position, other))
        for position in range(len(groups))
        for other in _nearest(position, groups)
    }
    return [
        Pair(
            loss(groups[one], groups[other]),
            groups[one].present & groups[other].present,
            one,
            other,
        )
        for one, other in sorted(indices)
    ]


def neighbours(candidates: Iterable[Pair]) -> dict[int, set[int]]:
    """For each index, those that it forms a pair with; possibly empty."""
    found: dict[int, set[int]] = defaultdict(set)
    for pair in candidates:
        found[pair.one].add(pair.other)
        found[pair.other].add(pair.one)
    return found


def _nearest(position: int, groups: Sequence[Group]) -> list[int]:
    """By the share of the pulls with either that contain both; of equals, the last in the list."""
    present = groups[position].present
    alike = [
        (both.bit_count() / (group.present | present).bit_count(), other)
        for other, group in enumerate(groups)
        if (both := group.present & present) and other != position
    ]
    return [other for _, other in nlargest(NEAR, alike)]
