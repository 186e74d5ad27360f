"""The current tables, parsed, for the next plan."""

from collections.abc import Iterable, Mapping
from typing import Literal

import structlog

from nixery.layers import EMPTY, Tables
from nixery.layers.tables import Popularity, Units, parse_popularity, parse_units
from nixery.tables.published import Published

log = structlog.get_logger()

PlanningKind = Literal["popularity", "units"]
"""Kinds of tables that strategies plan with."""


class CurrentTables:
    """Checks the storage each time, one look per kind, and parses only new versions.

    A table that is missing or unreadable is treated as empty until it is published again.
    """

    def __init__(self, published: Published, kinds: Iterable[PlanningKind]) -> None:
        """``kinds``: those that the strategy in use reads."""
        self._published = published
        self._kinds = tuple(kinds)
        self._parsed: dict[PlanningKind, tuple[str, Popularity | Units]] = {}
        self._said: set[str] = set()

    def load(self) -> tuple[Tables, Mapping[str, str]]:
        """The tables, with their versions by kind. Blocks, and raises the errors of the storage."""
        pointers = {kind: self._published.current(kind).version for kind in self._kinds}
        return self.load_versions({kind: version for kind, version in pointers.items() if version})

    def load_versions(
        self, versions: Mapping[PlanningKind, str]
    ) -> tuple[Tables, Mapping[str, str]]:
        """The tables of these versions, with the versions of those that are readable."""
        found = {kind: self._read(kind, version) for kind, version in versions.items()}
        popularity, units = found.get("popularity"), found.get("units")
        tables = Tables(
            popularity if isinstance(popularity, Popularity) else EMPTY.popularity,
            units if isinstance(units, Units) else EMPTY.units,
        )
        return tables, {kind: versions[kind] for kind, table in found.items() if table is not None}

    def _read(self, kind: PlanningKind, version: str) -> Popularity | Units | None:
        known = self._parsed.get(kind)
        if known is None or known[0] != version:
            data = self._published.read(kind, version)
            parse = parse_popularity if kind == "popularity" else parse_units
            table = None if data is None else parse(data)
            if table is None:
                if version not in self._said:
                    log.warning(
                        "table is unreadable and treated as empty", kind=kind, version=version
                    )
                self._said.add(version)
                return None
            known = self._parsed[kind] = version, table
        return known[1]
