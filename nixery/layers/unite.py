"""Which units to put together when an image has more of them than layers.

    pulls     1  2  3  4        glibc 40 is in all four pulls, perl 50 in 1, 2 and 3,
    glibc     x  x  x  x        git 30 in 1 and 2
    perl      x  x  x
    git       x  x              budget 2

Putting two units together costs what is then pulled twice. perl + git: pulls 1 and 2 bring both,
and pull 3 brings perl again without git. How likely is that? The pulls are some of many that could
have been, so the client to come makes every second of them: it meets something that is in one
pull with a chance of 1/2, in two with 3/4, in n with 1 - 1/2**n.

                     apart                           together
    perl + git       50 * 7/8 + 30 * 3/4 = 66.25     80 * 3/4 + 50 * 1/2 = 85       18.75 more
    glibc + perl     40 * 15/16 + 50 * 7/8 = 81.25   90 * 7/8 + 40 * 1/2 = 98.75    17.5 more
    glibc + git      40 * 15/16 + 30 * 3/4 = 60      70 * 3/4 + 40 * 3/4 = 82.5     22.5 more

What it gives is a layer less in every pull that has both and is short of layers: pulls 1 and 2
here, in each of the three cases. Perl and glibc are put together, at 17.5 for two layers saved.

So, step by step, the pair that costs least for each layer it saves. A pair costs more where its
halves change at different times: then the one is pulled again because of the other. How often
something changes follows from how much it is made of.

It ends where all fit. Leaving some pulls short can be better: what does not fit there shares a
last layer, which costs its size in every second such pull. The best of the states on the way is
taken.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from nixery.layers.offers import Offers

CHANGE = 0.002
"""Packages that change between two pulls of an image; all that refer to them change with them."""
AGAIN = 2.0
"""What counts a byte that is pulled again after a change, where one pulled at first counts 1."""
LOOKS = 40
"""States on the way that are judged, for each budget."""
_UNCHANGED = [1.0]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Units that share a layer, and what that costs; bit n of a mask stands for pull n."""

    units: tuple[int, ...]
    present: int
    """The pulls that have any of them."""
    variants: tuple[tuple[int, int], ...]
    """Disjoint sets of pulls with the bytes of the layer there: each is a layer of its own."""
    made_of: int
    """A mask of names: everything that the units refer to, themselves included."""

    cost: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        total = 0.0
        for pulls, size in self.variants:  # not sum(), which rounds otherwise since Python 3.12
            total += size * _chance(pulls)
        cost = _cost(total, self.made_of)
        object.__setattr__(self, "cost", cost)


def _chance(pulls: int) -> float:
    """That a client meets what is in these pulls, when it makes every second of all."""
    return 1 - 0.5 ** pulls.bit_count()


def _cost(size: float, made_of: int) -> float:
    """Bytes pulled at first, and those expected after a change."""
    count = made_of.bit_count()
    while len(_UNCHANGED) <= count:
        _UNCHANGED.append(_UNCHANGED[-1] * (1 - CHANGE))
    return size * (1 + AGAIN * (1 - _UNCHANGED[count]))


def _variants(one: Shelf, other: Shelf) -> Iterator[tuple[int, int]]:
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


def _size(one: Shelf, other: Shelf) -> float:
    """The bytes expected of both together; written out, because it is asked most often."""
    total = 0.0
    for pulls, size in one.variants:
        common = pulls & other.present
        if common != pulls:
            total += size * (1 - 0.5 ** (pulls ^ common).bit_count())
        if common:
            for others, more in other.variants:
                if both := common & others:
                    total += (size + more) * (1 - 0.5 ** both.bit_count())
                    common ^= both
                    if not common:
                        break
    for others, more in other.variants:
        if alone := others & ~one.present:
            total += more * (1 - 0.5 ** alone.bit_count())
    return total


def join(one: Shelf, other: Shelf) -> Shelf:
    return Shelf(
        tuple(sorted(one.units + other.units)),
        one.present | other.present,
        tuple(_variants(one, other)),
        one.made_of | other.made_of,
    )


def loss(one: Shelf, other: Shelf) -> float:
    """What putting them together costs, in bytes."""
    return _cost(_size(one, other), one.made_of | other.made_of) - one.cost - other.cost


@dataclass(frozen=True, slots=True)
class Pair:
    loss: float
    both: int
    """The pulls that have both."""
    one: int
    other: int


def pairs(shelves: Sequence[Shelf]) -> list[Pair]:
    """All that come together anywhere; the same for every budget."""
    return [
        Pair(loss(one, other), both, n, m)
        for m, other in enumerate(shelves)
        for n, one in enumerate(shelves[:m])
        if (both := one.present & other.present)
    ]


def unite(
    shelves: Sequence[Shelf], known: Sequence[Pair], pulls: int, room: int
) -> tuple[tuple[int, ...], ...]:
    """Units of each shelf that holds several, so that pulls have about ``room`` shelves.

    ``known``: the shelves' ``pairs``. ``pulls``: how many there are.
    """
    state = _State(shelves, pulls, room)
    every = max(1, len(shelves) // LOOKS)
    offers = Offers(
        (pair.loss / saved, saved, pair.one, pair.other)
        for pair in known
        if (saved := (pair.both & state.short).bit_count())
    )
    lost = 0.0
    best: tuple[float, list[Shelf]] = (state.left_over(), list(state.shelves.values()))
    while offers and state.short:
        price, saved, one, other = offers.pop(state.shelves)
        if one not in state.shelves or other not in state.shelves:
            continue
        now = state.saved(one, other)
        if now != saved:  # pulls that are no longer short save nothing: dearer than it seemed
            if now:
                offers.add([(price * saved / now, now, one, other)])
            continue
        lost += price * saved
        joined = state.join(one, other)
        offers.add(
            (loss(shelf, state.shelves[joined]) / gain, gain, third, joined)
            for third, shelf in state.shelves.items()
            if third != joined and (gain := state.saved(third, joined))
        )
        if state.joined % every == 0 or not state.short:
            total = lost + state.left_over()
            if total < best[0]:
                best = (total, list(state.shelves.values()))
    return tuple(shelf.units for shelf in best[1] if len(shelf.units) > 1)


class _State:
    """Shelves on the way, by a number that no other shelf ever had."""

    def __init__(self, shelves: Sequence[Shelf], pulls: int, room: int) -> None:
        self.shelves = dict(enumerate(shelves))
        self.room = room
        self.count = [0] * pulls
        for shelf in shelves:
            for pull in _bits(shelf.present):
                self.count[pull] += 1
        self.short = sum(1 << pull for pull, count in enumerate(self.count) if count > room)
        self.joined = 0
        self._next = len(shelves)

    def saved(self, one: int, other: int) -> int:
        """Layers saved by putting the two together."""
        return (self.shelves[one].present & self.shelves[other].present & self.short).bit_count()

    def join(self, one: int, other: int) -> int:
        first, second = self.shelves.pop(one), self.shelves.pop(other)
        for pull in _bits(first.present & second.present):
            self.count[pull] -= 1
            if self.count[pull] <= self.room:
                self.short &= ~(1 << pull)
        number, self._next = self._next, self._next + 1
        self.shelves[number] = join(first, second)
        self.joined += 1
        return number

    def left_over(self) -> float:
        """Bytes, over every second pull, of what does not fit."""
        short, short_of = self.short, {}
        for pull in _bits(short):
            short_of[pull] = self.count[pull] - self.room + 1
        variants = (variant for shelf in self.shelves.values() for variant in shelf.variants)
        total = 0
        # The smallest of each pull; those of most pulls are found among the first few.
        for pulls, size in sorted(variants, key=itemgetter(1)):
            for pull in _bits(pulls & short):
                total += size
                short_of[pull] -= 1
                if not short_of[pull]:
                    short ^= 1 << pull
            if not short:
                break
        return total / 2


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
