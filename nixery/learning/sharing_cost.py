"""Cost of units that share a layer, in bytes that a client is expected to download.

    pulls     1  2  3  4        glibc 40 is in all four pulls, perl 50 in 1, 2 and 3,
    glibc     x  x  x  x        git 30 in 1 and 2
    perl      x  x  x
    git       x  x

A *group* is a set of units that share a layer. Its cost includes what is downloaded twice. perl +
git: pulls 1 and 2 need both, and pull 3 downloads perl again, without git. The pulls are a sample
of those that are possible, so the model is a client that makes every second one: it needs something
that is in one pull with a probability of 1/2, in two with 3/4, in n with 1 - 1/2**n.

                     apart                           together
    perl + git       50 * 7/8 + 30 * 3/4 = 66.25     80 * 3/4 + 50 * 1/2 = 85       18.75 more
    glibc + perl     40 * 15/16 + 50 * 7/8 = 81.25   90 * 7/8 + 40 * 1/2 = 98.75    17.5 more
    glibc + git      40 * 15/16 + 30 * 3/4 = 60      70 * 3/4 + 40 * 3/4 = 82.5     22.5 more

It costs more if the two change at different times, because then one is downloaded again when the
other changes. The probability of a change follows from the size of a unit's closure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PULLED_SHARE = 0.5
"""Share of all pulls that a client makes."""
SKIPPED_SHARE = 1 - PULLED_SHARE
CHANGE_RATE = 0.002
"""Share of packages that change between two pulls of an image, with all that refer to them."""
UPDATE_WEIGHT = 2.0
"""Weight of a byte downloaded after a change; a byte of a first pull counts 1."""
_UNCHANGED = [1.0]


@dataclass(frozen=True, slots=True)
class Group:
    """A set of units that share a layer, with its cost; bit n of a mask stands for pull n."""

    units: tuple[int, ...]
    present: int
    """Mask of the pulls that need any of the units."""
    variants: tuple[tuple[int, int], ...]
    """Disjoint sets of pulls, with the bytes of the layer there: each is a layer of its own."""
    made_of: int
    """Mask of the names in the units' closures."""

    cost: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        total = 0.0
        for pulls, size in self.variants:  # sum() rounds differently since Python 3.12
            total += size * (1 - SKIPPED_SHARE ** pulls.bit_count())
        object.__setattr__(self, "cost", _cost(total, self.made_of))


def size_of(unit: Group) -> int:
    """Bytes of a group with one unit, which are the same in every pull."""
    ((_, size),) = unit.variants
    return size


def join(one: Group, other: Group) -> Group:
    return Group(
        tuple(sorted(one.units + other.units)),
        one.present | other.present,
        tuple(_variants(one, other)),
        one.made_of | other.made_of,
    )


def joined_cost(one: Group, other: Group) -> float:
    """The cost of ``join`` without creating it: called most often."""
    total = 0.0
    for pulls, size in one.variants:
        common = pulls & other.present
        if common != pulls:
            total += size * (1 - SKIPPED_SHARE ** (pulls ^ common).bit_count())
        if common:
            for others, more in other.variants:
                if both := common & others:
                    total += (size + more) * (1 - SKIPPED_SHARE ** both.bit_count())
                    common ^= both
                    if not common:
                        break
    for others, more in other.variants:
        if alone := others & ~one.present:
            total += more * (1 - SKIPPED_SHARE ** alone.bit_count())
    return _cost(total, one.made_of | other.made_of)


def bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _variants(one: Group, other: Group) -> Iterator[tuple[int, int]]:
    """The variants of both together."""
    for pulls, size in one.variants:
        if alone := pulls & ~other.present:
            yield alone, size
        if pulls & other.present:
            for others, more in other.variants:
                if both := pulls & others:
                    yield both, size + more
    for others, more in other.variants:
        if alone := others & ~one.present:
            yield alone, more


def _cost(size: float, made_of: int) -> float:
    """Bytes of first pulls, and expected bytes after a change."""
    count = made_of.bit_count()
    while len(_UNCHANGED) <= count:
        _UNCHANGED.append(_UNCHANGED[-1] * (1 - CHANGE_RATE))
    return size * (1 + UPDATE_WEIGHT * (1 - _UNCHANGED[count]))
