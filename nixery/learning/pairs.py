"""Which units are worth a look when two are to share a layer.

Of 1,000 units 200,000 pairs and more come together somewhere, and nearly all of them for nobody's
good: one is pulled where the other is not. What pays comes in nearly the same pulls.

    pulls     1  2  3  4  5     perl and git are in two of three pulls together: 0.67
    perl      x  x  x           git and curl in two of four: 0.5
    git       x  x              curl and perl in two of five: 0.4
    curl      x  x     x  x

So of every unit its NEAR nearest are looked at, and those that it is nearest to: that is how a
small one finds glibc, which is in all pulls and has a thousand neighbours.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from nixery.learning.sharing_cost import Shelf, joined_cost

NEAR = 40
"""docs/layering.md has what fewer and more give."""


@dataclass(frozen=True, slots=True)
class Pair:
    loss: float
    """What putting the two together costs, in bytes."""
    both: int
    """The pulls that have both, at least one."""
    one: int
    other: int
    """Positions, the smaller first."""


def loss(one: Shelf, other: Shelf) -> float:
    """What putting them together costs, in bytes."""
    return joined_cost(one, other) - one.cost - other.cost


def pairs(shelves: Sequence[Shelf]) -> list[Pair]:
    """Near ones, each once, in order; they are the same for every budget."""
    near = {
        (min(position, other), max(position, other))
        for position in range(len(shelves))
        for other in _nearest(position, shelves)
    }
    return [
        Pair(
            loss(shelves[one], shelves[other]),
            shelves[one].present & shelves[other].present,
            one,
            other,
        )
        for one, other in sorted(near)
    ]


def neighbours(near: Iterable[Pair]) -> dict[int, set[int]]:
    """For each position those that it is in a pair with; empty for one that is in none."""
    found: dict[int, set[int]] = defaultdict(set)
    for pair in near:
        found[pair.one].add(pair.other)
        found[pair.other].add(pair.one)
    return found


def _nearest(position: int, shelves: Sequence[Shelf]) -> list[int]:
    """By the share of the pulls with either that have both; of equals, the last of the list."""
    present = shelves[position].present
    alike = [
        (both.bit_count() / (shelf.present | present).bit_count(), other)
        for other, shelf in enumerate(shelves)
        if (both := shelf.present & present) and other != position
    ]
    return [other for _, other in nlargest(NEAR, alike)]
