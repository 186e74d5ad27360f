"""Which table of each kind counts: ``tables/<kind>/current`` names one ``tables/<kind>/<version>``.

    units/3f…      published by hand       units/current   {"version": "c0…"}
    units/c0…      learned, and better

The table is durable before anything names it. The name is written on the condition that it is
still the one that was seen: of two replicas that publish at once one wins, and the other takes
what that one chose. A storage that keeps no conditions has the last one win; still all agree.
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
    """What ``current`` of a kind said."""

    version: str | None
    """64 hex digits; None where nothing was published, or nobody can read it."""
    seen: Stat | None
    """None where there is no such object."""


def pointer_key(kind: str) -> str:
    return f"tables/{kind}/{CURRENT}"


def table_key(kind: str, version: str) -> str:
    return f"tables/{kind}/{version}"


def decode_pointer(data: bytes) -> str | None:
    """The version it names; None where it cannot be read."""
    return records.read(data, lambda pointer: hex_key(member(pointer, "version")))


class Published:
    """Blocks, and raises what the storage raises."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def current(self, kind: TableKind) -> Pointer:
        found = self._storage.read(pointer_key(kind))
        return Pointer(decode_pointer(found.data), found.stat) if found else Pointer(None, None)

    def read(self, kind: TableKind, version: str) -> bytes | None:
        """The table's bytes; None where it is gone, or is not what its name says."""
        if not is_hex_key(version):
            return None
        found = self._storage.read(table_key(kind, version))
        return found.data if found and version_of(found.data) == version else None

    def needed(self, keys: Iterable[str]) -> Iterator[str]:
        """Of these keys below ``tables/`` all ``current``, and what they name.

        Also of kinds that only another version of this program knows.
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

        Returns what is current then. What is current already is not written again.
        """
        version = version_of(data)
        if instead_of.version == version and self.read(kind, version) is not None:
            return instead_of
        # Also where it lies there already: from now on it is new, and gc leaves it alone.
        self._storage.write(table_key(kind, version), data)
        pointer = canonical_json({"version": version})
        written = self._storage.write(
            pointer_key(kind), pointer, instead_of.seen or Condition.ABSENT
        )
        if written is None:
            return self.current(kind)
        log.info("table published", kind=kind, version=version, instead_of=instead_of.version)
        return Pointer(version, written)
