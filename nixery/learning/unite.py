"""Unions: which units share a layer if an image has more units than its layer budget allows.

    pulls     1  2  3  4        glibc 40 is in all four pulls, perl 50 in 1, 2 and 3,
    glibc     x  x  x  x        git 30 in 1 and 2
    perl      x  x  x
    git       x  x              budget 2

A shelf is a set of units that share a layer; at first each unit has its own. The cost of joining
two is the number of bytes that a client is then expected to download more than once
(``sharing_cost.py``): 18.75 for perl + git, 17.5 for glibc + perl, 22.5 for glibc + git. A join
saves one layer in each pull that contains both units and is short of layers. Pulls 1 and 2 need
three layers, so each of the three joins saves two. So perl and glibc are joined, at 17.5 for two
layers.

Each step joins the near pair (``pairs.py``) with the lowest cost per saved layer. A shelf is near
to everything that one of its units is near to.

It ends when all pulls fit, or no near pair is left. It can be cheaper to leave some pulls short.
Their surplus units then share the last layer, which a client downloads again in each such pull that
it makes (half of them, in this model). So the cheapest state seen is returned, and ``moves.py``
improves it.
"""

from collections.abc import Container, Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from operator import itemgetter

from nixery.learning.pairs import Pair, loss, neighbours
from nixery.learning.sharing_cost import MADE, Shelf, bits, join

MAX_STATES_CHECKED = 40
"""Intermediate states that are compared, for each budget."""

Offer = tuple[float, int, int, int]
"""Bytes per saved layer, number of saved layers, and the two shelves."""


def unite(shelves: Sequence[Shelf], near: Sequence[Pair], pulls: int, room: int) -> list[Shelf]:
    """The shelves, joined so that pulls need about ``room`` layers.

    ``near``: the shelves' ``pairs``. ``pulls``: their number.
    """
    state = _State(shelves, near, pulls, room)
    every = max(1, len(shelves) // MAX_STATES_CHECKED)
    offers = Offers(
        (pair.loss / saved, saved, pair.one, pair.other)
        for pair in near
        if (saved := (pair.both & state.short).bit_count())
    )
    lost = 0.0
    best = state.judged(lost)
    while offers and state.short:
        price, saved, one, other = offers.pop(state.shelves)
        if one not in state.shelves or other not in state.shelves:
            continue
        now = state.saved(one, other)
        if now != saved:  # fewer pulls are still short, so the price per saved layer has risen
            if now:
                offers.add([(price * saved / now, now, one, other)])
            continue
        lost += price * saved
        joined = state.join(one, other)
        offers.add(
            (loss(state.shelves[third], state.shelves[joined]) / gain, gain, third, joined)
            for third in sorted(state.near[joined])
            if (gain := state.saved(third, joined))
        )
        if state.joined % every == 0:
            best = min(best, state.judged(lost), key=itemgetter(0))
    return min(best, state.judged(lost), key=itemgetter(0))[1]


class _State:
    """Current shelves, by numbers that are never reused."""

    def __init__(
        self, shelves: Sequence[Shelf], near: Sequence[Pair], pulls: int, room: int
    ) -> None:
        self.shelves = dict(enumerate(shelves))
        self.near = neighbours(near)
        self.room = room
        self.count = [0] * pulls
        for shelf in shelves:
            for pull in bits(shelf.present):
                self.count[pull] += 1
        self.short = sum(1 << pull for pull, count in enumerate(self.count) if count > room)
        self.joined = 0
        self._next = len(shelves)

    def saved(self, one: int, other: int) -> int:
        """Layers saved by joining the two."""
        return (self.shelves[one].present & self.shelves[other].present & self.short).bit_count()

    def join(self, one: int, other: int) -> int:
        first, second = self.shelves.pop(one), self.shelves.pop(other)
        for pull in bits(first.present & second.present):
            self.count[pull] -= 1
            if self.count[pull] <= self.room:
                self.short &= ~(1 << pull)
        number, self._next = self._next, self._next + 1
        self.shelves[number] = join(first, second)
        self.near[number] = (self.near.pop(one) | self.near.pop(other)) - {one, other}
        for third in self.near[number]:
            self.near[third] -= {one, other}
            self.near[third].add(number)
        self.joined += 1
        return number

    def judged(self, lost: float) -> tuple[float, list[Shelf]]:
        """The cost added since the first state, plus that of the last layers; and the shelves."""
        return lost + self.left_over(), list(self.shelves.values())

    def left_over(self) -> float:
        """Bytes of last layers, over every second pull."""
        short, short_of = self.short, {}
        for pull in bits(short):
            short_of[pull] = self.count[pull] - self.room + 1
        variants = (variant for shelf in self.shelves.values() for variant in shelf.variants)
        total = 0
        # The smallest shelves of each pull; those of most pulls are among the first few.
        for pulls, size in sorted(variants, key=itemgetter(1)):
            for pull in bits(pulls & short):
                total += size
                short_of[pull] -= 1
                if not short_of[pull]:
                    short ^= 1 << pull
            if not short:
                break
        return total * MADE


class Offers:
    """Queue of offers to join two shelves, the cheapest first.

    Most offers become void before their turn, because one of their shelves was joined to another.
    So offers that come together are sorted together, and only the first of each list is in the
    heap.
    """

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._firsts: list[tuple[Offer, list[Offer]]] = []
        self.add(offers)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def add(self, offers: Iterable[Offer]) -> None:
        if rest := sorted(offers, reverse=True):
            heappush(self._firsts, (rest.pop(), rest))

    def pop(self, shelves: Container[int]) -> Offer:
        """The next offer, possibly void."""
        offer, rest = self._firsts[0]
        while rest:
            following = rest.pop()
            if following[2] in shelves and following[3] in shelves:
                heapreplace(self._firsts, (following, rest))
                return offer
        heappop(self._firsts)
        return offer
