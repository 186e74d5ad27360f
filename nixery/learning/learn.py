"""Learning of a table of units, from requested images and a starting list.

1. Replay: the requested images, and random ones that could be requested (``replay.py``).
2. Units: names that occur in exactly the same images. A large path is a unit of its own while there
   are layers to spare, so that it need not be downloaded again when the others change.
3. Unions: for each budget, which units of nearly the same images (``pairs.py``) to join if images
   are short of layers (``unite.py``), and which to move afterwards (``moves.py``).
4. Check: unions that serve the requested images worse than ``size`` are dropped.

A table takes seconds; with 1,000 packages whose closures have 300 paths, one or two minutes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nixery.closure import Closure, PathInfo
from nixery.layers import units
from nixery.layers.tables import EMPTY, Tables, Units
from nixery.learning.demand import Demand
from nixery.learning.moves import move
from nixery.learning.pairs import pairs
from nixery.learning.replay import MAX_REQUESTED, replay
from nixery.learning.sharing_cost import Group
from nixery.learning.unite import unite

Brought = Mapping[str, AbstractSet[str]]
"""The closure of each package, as names."""

BUDGETS = (94, 40, 20)
LARGE = 250
"""Number of largest paths that are units of their own."""
MAX_CONSIDERED = 1000
"""Number of units, those with most bytes over all pulls, that are considered for unions."""
CHECKED_IMAGES = 100
"""Latest images that unions must not serve worse than ``size``."""
MIN_SAVING = 0.1
"""Share of the bytes that a new table must save."""


@dataclass(frozen=True, slots=True)
class _Unit:
    names: tuple[str, ...]
    pulls: int
    """Mask of the pulls that contain it."""
    size: int
    """Bytes of all names."""

    @property
    def bytes(self) -> int:
        """Bytes over all pulls."""
        return self.pulls.bit_count() * self.size


def learn(demand: Demand, budgets: Sequence[int] = BUDGETS) -> Units:
    """Deterministic: the same demand gives the same table."""
    *_, table = learning(demand, budgets)
    return table


def learning(demand: Demand, budgets: Sequence[int] = BUDGETS) -> Iterator[Units]:
    """The units alone, then with unions for each budget, the smallest first."""
    pulls = replay(demand)
    packages = sorted({*demand.start, *(package for pull in pulls for package in pull)})
    brings = {package: demand.brings(package) for package in packages}
    together = _units(demand, brings, _pulls_of(brings, pulls))
    # The most requested unit is first, so it keeps its place in every image's order of layers.
    together.sort(key=lambda unit: (-unit.pulls.bit_count(), unit.names))
    names = tuple(unit.names for unit in together)
    pulled = [n for n, unit in enumerate(together) if unit.bytes]
    pulled.sort(key=lambda n: (-together[n].bytes, n))
    considered = _groups(demand, {n: together[n] for n in pulled[:MAX_CONSIDERED]})
    candidates = pairs(considered)
    # Units that are too small to be considered need a layer too.
    taken = 1 if len(considered) < len(together) else 0
    table = Units(names, {})
    yield table
    for budget in sorted(budgets):
        room = max(1, budget - taken)
        united = unite(considered, candidates, len(pulls), room)
        united = move(united, considered, candidates, len(pulls), room)
        unions = tuple(group.units for group in united if len(group.units) > 1)
        better = Units(names, {**table.unions, budget: unions})
        by_size = _pulled(EMPTY.units, demand, budget, CHECKED_IMAGES)
        if _pulled(better, demand, budget, CHECKED_IMAGES) > by_size:
            # An empty entry, because otherwise the next larger budget's unions would apply
            # unchecked.
            better = Units(names, {**table.unions, budget: ()})
        table = better
        yield table


def _units(demand: Demand, brings: Brought, present: Mapping[str, int]) -> list[_Unit]:
    """Names that occur in the same packages; large ones alone."""
    packages_of: dict[str, int] = defaultdict(int)
    for bit, names in enumerate(brings.values()):
        for name in names:
            packages_of[name] |= 1 << bit
    large = set(sorted(packages_of, key=lambda name: (-demand.sizes[name], name))[:LARGE])
    together: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name, packages in sorted(packages_of.items()):
        together[packages, name if name in large else ""].append(name)
    return [
        _Unit(tuple(names), present.get(names[0], 0), sum(demand.sizes[name] for name in names))
        for names in together.values()
    ]


def _pulls_of(brings: Brought, pulls: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """For every name, a mask of the pulls that contain it."""
    asked: dict[str, int] = defaultdict(int)
    for number, pull in enumerate(pulls):
        for package in pull:
            asked[package] |= 1 << number
    present: dict[str, int] = defaultdict(int)
    for package, mask in asked.items():
        for name in brings[package]:
            present[name] |= mask
    return present


def _groups(demand: Demand, numbered: Mapping[int, _Unit]) -> list[Group]:
    """Only for few units: computing the closures for all of a large set takes minutes."""
    bit = {name: 1 << n for n, name in enumerate(sorted(demand.sizes))}
    return [
        Group(
            (number,),
            unit.pulls,
            ((unit.pulls, unit.size),),
            sum(bit[name] for name in demand.brings(*unit.names)),
        )
        for number, unit in numbered.items()
    ]


def worth_publishing(new: Units, old: Units, demand: Demand, budget: int) -> bool:
    """Whether the new table serves the latest images so much better that it pays.

    Images planned with the new table share little with earlier ones, so a slightly better table
    costs more than it saves. Checks all images that it was learned from, because the value of
    sharing grows with their number.
    """
    new_bytes, old_bytes = (_pulled(table, demand, budget, MAX_REQUESTED) for table in (new, old))
    return new_bytes < (1 - MIN_SAVING) * old_bytes


def _pulled(table: Units, demand: Demand, budget: int, images: int) -> int:
    """Bytes of the distinct layers of the latest images; an empty table plans like size."""
    tables = Tables(EMPTY.popularity, table)
    layers: set[tuple[tuple[str, ...], int]] = set()
    for image in dict.fromkeys(demand.images[-images:]):
        plan = units.group(_closure(demand, image), tables, budget)
        layers.update((layer.paths, layer.size) for layer in plan.layers)
    return sum(size for _, size in layers)


def _closure(demand: Demand, image: Iterable[str]) -> Closure:
    return Closure(
        tuple(
            PathInfo(
                f"-{name}",
                demand.sizes[name],
                tuple(f"-{to}" for to in sorted(demand.references[name] - {name})),
            )
            for name in sorted(demand.brings(*image))
        )
    )
