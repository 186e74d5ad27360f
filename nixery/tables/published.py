"""The current table of each kind: ``tables/<kind>/current`` names one ``tables/<kind>/<version>``.

    units/3f…      published by hand       units/current   {"version": "c0…"}
    units/c0…      learned, and better

The table is durable before anything names it. The pointer is written on the condition that it is
unchanged: if two replicas publish at the same time, one wins, and the other adopts its table.
Without conditional writes the last one wins, and all replicas still agree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import structlog

from nixery import records
from nixery.layers.tables import version as version_of
from nixery.oci import canonical_json
from nixery.records import hex_key, is_hex_key, member
from nixery.storage import Condition, Stat, Storage

log = structlog.get_logger()

TableKind = Literal["popularity", "units", "start"]
TABLE_KINDS: tuple[TableKind, ...] = get_args(TableKind)
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content of ``current``."""

    version: str | None
    """64 hex digits; None if nothing was published, or it is unreadable."""
    seen: Stat | None
    """None if the object does not exist."""


def pointer_key(kind: str) -> str:
    return f"tables/{kind}/{CURRENT}"


def table_key(kind: str, version: str) -> str:
    return f"tables/{kind}/{version}"


def decode_pointer(data: bytes) -> str | None:
    """The version it names; None if it is unreadable."""
    return records.read(data, lambda pointer: hex_key(member(pointer, "version")))


class Published:
    """Blocks, and raises the errors of the storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def current(self, kind: TableKind) -> Pointer:
        found = self._storage.read(pointer_key(kind))
        return Pointer(decode_pointer(found.data), found.stat) if found else Pointer(None, None)

    def read(self, kind: TableKind, version: str) -> bytes | None:
        """The table's bytes; None if it is missing or damaged."""
        if not is_hex_key(version):
            return None
        found = self._storage.read(table_key(kind, version))
        return found.data if found and version_of(found.data) == version else None

    def needed(self, keys: Iterable[str]) -> Iterator[str]:
        """Of these keys below ``tables/``: every ``current``, and the tables that they name.

        Includes kinds of other versions of this program.
        """
        for key in keys:
            kind, _, name = key.removeprefix("tables/").partition("/")
            if name == CURRENT:
                yield key
                found = self._storage.read(key)
                if found and (version := decode_pointer(found.data)):
                    yield table_key(kind, version)

    def publish(self, kind: TableKind, data: bytes, instead_of: Pointer) -> Pointer:
        """Makes this table the current one, unless another was published since ``instead_of``.

        Returns the current pointer afterwards. Does not write if the table is current already.
        """
        version = version_of(data)
        if instead_of.version == version and self.read(kind, version) is not None:
            return instead_of
        # Even if it exists: that makes it new, so gc does not remove it.
        self._storage.write(table_key(kind, version), data)
        pointer = canonical_json({"version": version})
        written = self._storage.write(
            pointer_key(kind), pointer, instead_of.seen or Condition.ABSENT
        )
        if written is None:
            return self.current(kind)
        log.info("table published", kind=kind, version=version, instead_of=instead_of.version)
        return Pointer(version, written)
