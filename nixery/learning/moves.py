"""Moves: improves shelves by moving single units, as long as that saves enough.

``unite.py`` joins shelves and never splits them. A unit that fitted best when all shelves were
small may fit another shelf better in the end, or none. So each unit in turn is tried on the shelves
of near units (``pairs.py``), and on a shelf of its own.

A move changes the cost of two shelves (``sharing_cost.py``), and the last layer: if a pull has more
shelves than layers, the smallest shelves share the last layer, which no other image shares. The
largest of those is the *bar*: a shelf must be at least that large to have a layer.

    a pull, budget 3      perl 50 | glibc 40 | git 30, curl 8, less 2      the bar is git

    git to perl           perl 80 | glibc 40 | curl 8, less 2              the last layer loses 30
    glibc to perl         perl 90 | git 30   | curl 8, less 2              loses 30
    less to perl          perl 52 | glibc 40 | git 30, curl 8              loses 2
    less to curl          perl 50 | glibc 40 | git 30, curl 10             loses nothing

The loss equals the gain of the bytes above a bar of 30: they were 20 and 10, and become 50 and 10
in the first line, 60 and none in the second. If a bar moves further, this is an estimate, but a
cheap one for many shelves; the best shelves are then computed exactly.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from nixery.learning.pairs import Pair, neighbours
from nixery.learning.sharing_cost import MADE, Shelf, bits, join, joined_cost, size_of

SWEEPS = 12
"""Maximum number of sweeps over all units."""
TRIED = 3
"""Shelves that are computed exactly for each unit, until one is better."""
MAX_SIZES_CHECKED = 30_000_000
"""Maximum number of shelf sizes that are read: takes a minute, more than most tables need."""
MIN_GAIN = 0.002
"""Share of all bytes that a sweep must save to be followed by another."""


def move(
    shelves: Sequence[Shelf], units: Sequence[Shelf], near: Sequence[Pair], pulls: int, room: int
) -> list[Shelf]:
    """Shelves of the same units, at no greater cost if pulls have ``room`` layers.

    ``units``: a shelf for each, of at least one byte. ``near``: their ``pairs``. ``pulls``: their
    number.
    """
    state = _State(shelves, units, near, pulls, room)
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
    return list(state.shelves.values())


class _State:
    """Current shelves, by numbers that are never reused."""

    def __init__(
        self,
        shelves: Sequence[Shelf],
        units: Sequence[Shelf],
        near: Sequence[Pair],
        pulls: int,
        room: int,
    ) -> None:
        self.shelves = dict(enumerate(shelves))
        self._units = {unit.units[0]: unit for unit in units}
        self._home = {unit: number for number, shelf in enumerate(shelves) for unit in shelf.units}
        around = neighbours(near)
        self._near = {
            unit.units[0]: [units[other].units[0] for other in around[position]]
            for position, unit in enumerate(units)
        }
        self._next = len(shelves)
        self._pulls_of = {unit.units[0]: list(bits(unit.present)) for unit in units}
        sizes: list[dict[int, int]] = [{} for _ in range(pulls)]
        for number, shelf in enumerate(shelves):
            for mask, size in shelf.variants:
                for pull in bits(mask):
                    sizes[pull][number] = size
        self.looks = 0
        self._room = room
        self._pulls = [_Pull(held, room) for held in sizes]

    def total(self) -> float:
        """Bytes that a client is expected to download."""
        total = sum(pull.last for pull in self._pulls) * MADE
        for shelf in self.shelves.values():
            total += shelf.cost
        return total

    def improve(self, unit: Shelf) -> float:
        """Moves a unit to where it costs less; returns how much less."""
        home = self._home[unit.units[0]]
        pulls = self._pulls_of[unit.units[0]]
        rest = self._without(home, unit)
        left = self.shelves[home].cost - (rest.cost if rest else 0)
        for target in self._candidates(unit, home, left)[:TRIED]:
            there = self.shelves.get(target)
            joined = join(there, unit) if there else unit
            self.looks += sum(len(self._pulls[pull].sizes) for pull in pulls)
            moved = {
                pull: self._pulls[pull].moved(size_of(unit), home, target, self._room)
                for pull in pulls
            }
            saved = left + (there.cost if there else 0) - joined.cost
            saved += sum(self._pulls[pull].last - new.last for pull, new in moved.items()) * MADE
            if saved < 1:  # possibly nothing: if bars move, the estimate can be wrong
                continue
            for pull, new in moved.items():
                self._pulls[pull] = new
            self._home[unit.units[0]] = target
            self.shelves[target] = joined
            self._next = max(self._next, target + 1)
            if rest:
                self.shelves[home] = rest
            else:
                del self.shelves[home]
            return saved
        return 0

    def _without(self, home: int, unit: Shelf) -> Shelf | None:
        """The shelf without the unit; None if it is empty."""
        rest: Shelf | None = None
        for number in self.shelves[home].units:
            if number != unit.units[0]:
                other = self._units[number]
                rest = join(rest, other) if rest else other
        return rest

    def _candidates(self, unit: Shelf, home: int, left: float) -> list[int]:
        """Possible shelves, the best first, estimated as if bars did not move.

        ``left``: the cost of the unit on its shelf, apart from last layers.
        """
        targets = {self._home[other] for other in self._near[unit.units[0]]} - {home}
        stay, alone, gains = self._above(unit, home, targets)
        # No shelf can take the unit for less than its cost alone.
        least = unit.cost - left + (stay - alone) * MADE
        found: list[tuple[float, int]] = []
        if least < 0 and len(self.shelves[home].units) > 1:
            found.append((least, self._next))
        best = 0.0
        for number in sorted(targets, key=lambda target: (-gains[target], target)):
            if least - gains[number] * MADE >= best:
                break
            shelf = self.shelves[number]
            more = joined_cost(shelf, unit) - shelf.cost - left
            more += (stay - alone - gains[number]) * MADE
            if more < 0:
                found.append((more, number))
                best = min(best, more)
        return [number for _, number in sorted(found)]

    def _above(
        self, unit: Shelf, home: int, targets: AbstractSet[int]
    ) -> tuple[int, int, dict[int, int]]:
        """The unit's contribution to the bytes above the bar, over all pulls that are short.

        On its shelf; on a shelf of its own; and on each target, how much more than there.
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
    """The shelves of a pull, with their bytes there."""

    __slots__ = ("bar", "last", "sizes")

    def __init__(self, sizes: dict[int, int], room: int) -> None:
        self.sizes = sizes
        fits = len(sizes) <= room
        rest = [] if fits else sorted(sizes.values(), reverse=True)[room - 1 :]
        self.last = sum(rest)
        """Bytes of the shared last layer; 0 if every shelf has a layer."""
        self.bar = 0 if fits else rest[0]
        """Size of the largest shelf in it; 0 if every shelf has a layer."""

    def moved(self, size: int, home: int, target: int, room: int) -> "_Pull":
        """The same after a unit of this size moved."""
        sizes = dict(self.sizes)
        sizes[home] -= size
        if not sizes[home]:
            del sizes[home]
        sizes[target] = sizes.get(target, 0) + size
        return _Pull(sizes, room)
