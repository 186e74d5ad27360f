"""Moves: improves groups by moving single units, as long as that saves enough.

``unite.py`` joins groups and never splits them. A unit that fitted best when all groups were
small may fit another group better in the end, or none. So each unit in turn is tried on the groups
of neighbouring units (``pairs.py``), and on a group of its own.

A move changes the cost of two groups (``sharing_cost.py``), and the last layer: if a pull has more
groups than layers, the smallest groups share the last layer, which no other image shares. The
largest of those is the *bar*: a group must be at least that large to have a layer.

    a pull, budget 3      perl 50 | glibc 40 | git 30, curl 8, less 2      the bar is git

    git to perl           perl 80 | glibc 40 | curl 8, less 2              the last layer loses 30
    glibc to perl         perl 90 | git 30   | curl 8, less 2              loses 30
    less to perl          perl 52 | glibc 40 | git 30, curl 8              loses 2
    less to curl          perl 50 | glibc 40 | git 30, curl 10             loses nothing

The loss equals the gain of the bytes above a bar of 30: they were 20 and 10, and become 50 and 10
in the first line, 60 and none in the second. If a bar moves further, this is an estimate, but a
cheap one for many groups; the best groups are then computed exactly.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from nixery.learning.pairs import Pair, neighbours
from nixery.learning.sharing_cost import PULLED_SHARE, Group, bits, join, joined_cost, size_of

SWEEPS = 12
"""Maximum number of sweeps over all units."""
TRIED = 3
"""Groups that are computed exactly for each unit, until one is better."""
MAX_SIZES_CHECKED = 30_000_000
"""Maximum number of group sizes that are read: takes a minute, more than most tables need."""
MIN_GAIN = 0.002
"""Share of all bytes that a sweep must save to be followed by another."""


def move(
    groups: Sequence[Group],
    units: Sequence[Group],
    candidates: Sequence[Pair],
    pulls: int,
    budget: int,
) -> list[Group]:
    """Groups of the same units, at no greater cost if pulls have ``budget`` layers.

    ``units``: a group for each, of at least one byte. ``candidates``: their
    ``pairs``. ``pulls``: their number.
    """
    state = _State(groups, units, candidates, pulls, budget)
    order = sorted(units, key=lambda unit: (-unit.cost, unit.units))
    total = state.total()
    for _ in range(SWEEPS):
        saved = 0.0
        for unit in order:
            if state.looks < MAX_SIZES_CHECKED:
                saved += state.improve(unit)
        total -= saved
        if saved <= MIN_GAIN * total:
            break
    return list(state.groups.values())


class _State:
    """Current groups, by numbers that are never reused."""

    def __init__(
        self,
        groups: Sequence[Group],
        units: Sequence[Group],
        candidates: Sequence[Pair],
        pulls: int,
        budget: int,
    ) -> None:
        self.groups = dict(enumerate(groups))
        self._units = {unit.units[0]: unit for unit in units}
        self._home = {unit: number for number, group in enumerate(groups) for unit in group.units}
        around = neighbours(candidates)
        self._neighbours = {
            unit.units[0]: [units[other].units[0] for other in around[position]]
            for position, unit in enumerate(units)
        }
        self._next = len(groups)
        self._pulls_of = {unit.units[0]: list(bits(unit.present)) for unit in units}
        sizes: list[dict[int, int]] = [{} for _ in range(pulls)]
        for number, group in enumerate(groups):
            for mask, size in group.variants:
                for pull in bits(mask):
                    sizes[pull][number] = size
        self.looks = 0
        self._budget = budget
        self._pulls = [_Pull(held, budget) for held in sizes]

    def total(self) -> float:
        """Bytes that a client is expected to download."""
        total = sum(pull.last for pull in self._pulls) * PULLED_SHARE
        for group in self.groups.values():
            total += group.cost
        return total

    def improve(self, unit: Group) -> float:
        """Moves a unit to where it costs less; returns how much less."""
        home = self._home[unit.units[0]]
        pulls = self._pulls_of[unit.units[0]]
        rest = self._without(home, unit)
        left = self.groups[home].cost - (rest.cost if rest else 0)
        for target in self._candidates(unit, home, left)[:TRIED]:
            there = self.groups.get(target)
            joined = join(there, unit) if there else unit
            self.looks += sum(len(self._pulls[pull].sizes) for pull in pulls)
            moved = {
                pull: self._pulls[pull].moved(size_of(unit), home, target, self._budget)
                for pull in pulls
            }
            saved = left + (there.cost if there else 0) - joined.cost
            saved += (
                sum(self._pulls[pull].last - new.last for pull, new in moved.items()) * PULLED_SHARE
            )
            if saved < 1:  # possibly nothing: if bars move, the estimate can be wrong
                continue
            for pull, new in moved.items():
                self._pulls[pull] = new
            self._home[unit.units[0]] = target
            self.groups[target] = joined
            self._next = max(self._next, target + 1)
            if rest:
                self.groups[home] = rest
            else:
                del self.groups[home]
            return saved
        return 0

    def _without(self, home: int, unit: Group) -> Group | None:
        """The group without the unit; None if it is empty."""
        rest: Group | None = None
        for number in self.groups[home].units:
            if number != unit.units[0]:
                other = self._units[number]
                rest = join(rest, other) if rest else other
        return rest

    def _candidates(self, unit: Group, home: int, left: float) -> list[int]:
        """Possible groups, the best first, estimated as if bars did not move.

        ``left``: the cost of the unit on its group, apart from last layers.
        """
        targets = {self._home[other] for other in self._neighbours[unit.units[0]]} - {home}
        stay, alone, gains = self._above(unit, home, targets)
        # No group can take the unit for less than its cost alone.
        least = unit.cost - left + (stay - alone) * PULLED_SHARE
        found: list[tuple[float, int]] = []
        if least < 0 and len(self.groups[home].units) > 1:
            found.append((least, self._next))
        best = 0.0
        for number in sorted(targets, key=lambda target: (-gains[target], target)):
            if least - gains[number] * PULLED_SHARE >= best:
                break
            group = self.groups[number]
            more = joined_cost(group, unit) - group.cost - left
            more += (stay - alone - gains[number]) * PULLED_SHARE
            if more < 0:
                found.append((more, number))
                best = min(best, more)
        return [number for _, number in sorted(found)]

    def _above(
        self, unit: Group, home: int, targets: AbstractSet[int]
    ) -> tuple[int, int, dict[int, int]]:
        """The unit's contribution to the bytes above the bar, over all pulls over budget.

        On its group; on a group of its own; and on each target, how much more than there.
        """
        size = size_of(unit)
        stay = alone = 0
        gains = dict.fromkeys(targets, 0)
        pulls = self._pulls_of[unit.units[0]]
        self.looks += len(pulls) * len(targets)
        for number in pulls:
            pull = self._pulls[number]
            bar = pull.bar
            if not bar:
                continue
            by_itself = max(size - bar, 0)
            alone += by_itself
            held = pull.sizes[home]
            stay += max(held - bar, 0) - max(held - size - bar, 0)
            for target in targets & pull.sizes.keys():
                there = pull.sizes[target]
                if there > bar:
                    gains[target] += size - by_itself
                elif there + size > bar:
                    gains[target] += there + size - bar - by_itself
        return stay, alone, gains


class _Pull:
    """The groups of a pull, with their bytes there."""

    __slots__ = ("bar", "last", "sizes")

    def __init__(self, sizes: dict[int, int], budget: int) -> None:
        self.sizes = sizes
        fits = len(sizes) <= budget
        rest = [] if fits else sorted(sizes.values(), reverse=True)[budget - 1 :]
        self.last = sum(rest)
        """Bytes of the shared last layer; 0 if every group has a layer."""
        self.bar = 0 if fits else rest[0]
        """Size of the largest group in it; 0 if every group has a layer."""

    def moved(self, size: int, home: int, target: int, budget: int) -> "_Pull":
        """The same after a unit of this size moved."""
        sizes = dict(self.sizes)
        sizes[home] -= size
        if not sizes[home]:
            del sizes[home]
        sizes[target] = sizes.get(target, 0) + size
        return _Pull(sizes, budget)
