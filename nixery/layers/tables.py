"""Planning tables as frozen values, with their JSON and versions.

    popularity   how many packages of a set refer to each store path
    units        which store paths always occur together in requested images

A table is stored as canonical JSON under ``tables/<kind>/<version>``. Its version is the hash of
these bytes, so equal tables have one version wherever they were made. What cannot be parsed is
treated as missing, never as an error.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nixery.closure import StorePath, name_of
from nixery.layers.names import name, unversioned
from nixery.oci import canonical_json
from nixery.records import Malformed, elements, member, members, natural, read, text

TABLE_FORMAT = 1
"""Format of the table of units; others are not read."""
MAX_TABLE = 64 << 20
"""Bytes; the counts of 100,000 packages take 3 MB."""

_BUDGET = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Popularity:
    """Number of references to each store path, by name; names of a Go server's file have versions.

    >>> popularity = Popularity({"glibc-2.38": 9000, "zlib": 4000})
    >>> popularity.of("/nix/store/x-glibc-2.38"), popularity.of("/nix/store/x-zlib-1.3")
    (9000, 4000)
    >>> popularity.of("/nix/store/x-glibc-2.39"), popularity.of("/nix/store/x-curl-8.4")
    (9000, 0)
    """

    counts: Mapping[str, int]
    _unversioned: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        best: dict[str, int] = {}
        for full, count in self.counts.items():
            short = unversioned(full)
            best[short] = max(count, best.get(short, 0))
        object.__setattr__(self, "_unversioned", best)

    def of(self, path: StorePath) -> int:
        """0 if the table does not know the path."""
        exact = self.counts.get(name_of(path))
        return self._unversioned.get(name(path), 0) if exact is None else exact


@dataclass(frozen=True, slots=True)
class Units:
    """Names that always occur together, and units that share a layer when layers are scarce."""

    units: tuple[tuple[str, ...], ...]
    """Sorted names; the most requested unit first. No name is in two units."""
    unions: Mapping[int, tuple[tuple[int, ...], ...]]
    """For each planned budget, the groups of units (indices into ``units``) to join."""
    _groups: Mapping[int | None, Mapping[str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError if a name or unit occurs twice, or a unit does not exist."""
        budgets: list[int | None] = [None, *self.unions]
        groups = {budget: self._by_name(self.unions.get(budget or 0, ())) for budget in budgets}
        object.__setattr__(self, "_groups", groups)

    def groups(self, budget: int) -> Mapping[str, int]:
        """Name → number of the group that shares a layer; the most requested have small numbers.

        Another budget uses the unions of the next larger one, which joins less.
        """
        planned = min((known for known in self.unions if known >= budget), default=None)
        return self._groups[planned]

    def _by_name(self, unions: Sequence[Sequence[int]]) -> dict[str, int]:
        group = list(range(len(self.units)))
        for union in unions:
            for unit in union:
                if not 0 <= unit < len(group) or group[unit] != unit:
                    raise ValueError(f"unit {unit} is in two unions, or does not exist")
                group[unit] = min(union)
        by_name = {known: group[unit] for unit, names in enumerate(self.units) for known in names}
        if len(by_name) != sum(map(len, self.units)):
            raise ValueError("a name is in two units")
        return by_name


@dataclass(frozen=True, slots=True)
class Tables:
    popularity: Popularity
    units: Units


EMPTY = Tables(Popularity({}), Units((), {}))
"""Empty tables: every strategy plans like size."""


def encode_popularity(popularity: Popularity) -> bytes:
    return canonical_json(dict(popularity.counts))


def parse_popularity(data: bytes) -> Popularity | None:
    """From ``{name: count}``; None for anything else."""
    return read(data, _popularity, largest=MAX_TABLE)


def _popularity(table: object) -> Popularity:
    return Popularity({full: natural(count) for full, count in members(table).items()})


def encode_units(units: Units) -> bytes:
    unions = {str(budget): unions for budget, unions in units.unions.items()}
    return canonical_json({"format": TABLE_FORMAT, "units": units.units, "unions": unions})


def parse_units(data: bytes) -> Units | None:
    """From the output of ``encode_units``; None for anything else."""
    return read(data, _units, largest=MAX_TABLE)


def _units(table: object) -> Units:
    if natural(member(table, "format")) != TABLE_FORMAT:
        raise Malformed("a format of another version")
    units = elements(member(table, "units"))
    unions = members(member(table, "unions"))
    return Units(
        tuple(tuple(map(text, elements(names))) for names in units),
        {_budget(budget): tuple(map(_union, elements(found))) for budget, found in unions.items()},
    )


def _union(units: object) -> tuple[int, ...]:
    return tuple(map(natural, elements(units)))


def _budget(name: str) -> int:
    # int() also accepts "1_0", " 1" and digits of other scripts.
    if not _BUDGET.fullmatch(name):
        raise Malformed("a budget is a number of layers")
    return int(name)


def version(data: bytes) -> str:
    """64 hex digits, the table's name in the storage."""
    return hashlib.sha256(data).hexdigest()
