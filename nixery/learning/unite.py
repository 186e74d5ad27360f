"""Unions: which units share a layer if an image has more units than its layer budget allows.

    pulls     1  2  3  4        glibc (40 bytes) is in all four pulls, perl (50) in 1, 2 and 3,
    glibc     x  x  x  x        git (30) in 1 and 2
    perl      x  x  x
    git       x  x              budget 2

In this model, a client makes each pull with a probability of 1/2.

A group is a set of units that share a layer; at first each unit has its own. The cost of joining
two is the number of bytes that a client is then expected to download more than once
(``sharing_cost.py``): 18.75 for perl + git, 17.5 for glibc + perl, 22.5 for glibc + git. A join
saves one layer in each pull that contains both units and is over budget. Pulls 1 and 2 need
three layers, so each of the three joins saves two. So perl and glibc are joined, at 17.5 for two
layers.

Each step joins the candidate pair (``pairs.py``) with the lowest cost per saved layer. A joined
group inherits the candidates of both.

Joining ends when all pulls fit, or no candidate is left. It can be cheaper to leave some pulls over
budget: each of them then puts its surplus units into a last layer of its own, which shares nothing
with other pulls. So the cheapest state seen is returned, and ``moves.py`` improves it.
"""

from collections.abc import Container, Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from operator import itemgetter

from nixery.learning.pairs import Pair, loss, neighbours
from nixery.learning.sharing_cost import PULLED_SHARE, Group, bits, join

MAX_STATES_CHECKED = 40
"""Intermediate states that are compared, for each budget."""

Offer = tuple[float, int, int, int]
"""Bytes per saved layer, number of saved layers, and the two groups."""


def unite(
    groups: Sequence[Group], candidates: Sequence[Pair], pulls: int, budget: int
) -> list[Group]:
    """The groups, joined so that pulls need about ``budget`` layers.

    ``candidates``: pairs of indices into ``groups`` (``pairs.py``). ``pulls``: the number of pulls.
    """
    state = _State(groups, candidates, pulls, budget)
    every = max(1, len(groups) // MAX_STATES_CHECKED)
    offers = Offers(
        (pair.loss / saved, saved, pair.one, pair.other)
        for pair in candidates
        if (saved := (pair.both & state.over_budget).bit_count())
    )
    lost = 0.0
    best = state.cost_and_groups(lost)
    while offers and state.over_budget:
        price, saved, one, other = offers.pop(state.groups)
        if one not in state.groups or other not in state.groups:
            continue
        now = state.saved(one, other)
        if (
            now != saved
        ):  # fewer pulls are still over budget, so the price per saved layer has risen
            if now:
                offers.add([(price * saved / now, now, one, other)])
            continue
        lost += price * saved
        joined = state.join(one, other)
        offers.add(
            (loss(state.groups[third], state.groups[joined]) / gain, gain, third, joined)
            for third in sorted(state.neighbours[joined])
            if (gain := state.saved(third, joined))
        )
        if state.joined % every == 0:
            best = min(best, state.cost_and_groups(lost), key=itemgetter(0))
    return min(best, state.cost_and_groups(lost), key=itemgetter(0))[1]


class _State:
    """Current groups, by numbers that are never reused."""

    def __init__(
        self, groups: Sequence[Group], candidates: Sequence[Pair], pulls: int, budget: int
    ) -> None:
        self.groups = dict(enumerate(groups))
        self.neighbours = neighbours(candidates)
        self.budget = budget
        self.count = [0] * pulls
        for group in groups:
            for pull in bits(group.present):
                self.count[pull] += 1
        self.over_budget = sum(1 << pull for pull, count in enumerate(self.count) if count > budget)
        self.joined = 0
        self._next = len(groups)

    def saved(self, one: int, other: int) -> int:
        """Layers saved by joining the two."""
        return (
            self.groups[one].present & self.groups[other].present & self.over_budget
        ).bit_count()

    def join(self, one: int, other: int) -> int:
        first, second = self.groups.pop(one), self.groups.pop(other)
        for pull in bits(first.present & second.present):
            self.count[pull] -= 1
            if self.count[pull] <= self.budget:
                self.over_budget &= ~(1 << pull)
        number, self._next = self._next, self._next + 1
        self.groups[number] = join(first, second)
        self.neighbours[number] = (self.neighbours.pop(one) | self.neighbours.pop(other)) - {
            one,
            other,
        }
        for third in self.neighbours[number]:
            self.neighbours[third] -= {one, other}
            self.neighbours[third].add(number)
        self.joined += 1
        return number

    def cost_and_groups(self, lost: float) -> tuple[float, list[Group]]:
        """The cost added since the first state, plus that of the last layers; and the groups."""
        return lost + self.last_layers(), list(self.groups.values())

    def last_layers(self) -> float:
        """Expected bytes of the last layers: their size times PULLED_SHARE."""
        over_budget, excess = self.over_budget, {}
        for pull in bits(over_budget):
            excess[pull] = self.count[pull] - self.budget + 1
        variants = (variant for group in self.groups.values() for variant in group.variants)
        total = 0
        # A pull that is n layers over budget puts its n + 1 smallest groups into the last layer.
        # The smallest come first, so the loop usually ends early.
        for pulls, size in sorted(variants, key=itemgetter(1)):
            for pull in bits(pulls & over_budget):
                total += size
                excess[pull] -= 1
                if not excess[pull]:
                    over_budget ^= 1 << pull
            if not over_budget:
                break
        return total * PULLED_SHARE


class Offers:
    """Queue of offers to join two groups, the cheapest first.

    Most offers become void before their turn, because one of their groups was joined to another.
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

    def pop(self, groups: Container[int]) -> Offer:
        """The next offer, possibly void."""
        offer, rest = self._firsts[0]
        while rest:
            following = rest.pop()
            if following[2] in groups and following[3] in groups:
                heapreplace(self._firsts, (following, rest))
                return offer
        heappop(self._firsts)
        return offer
