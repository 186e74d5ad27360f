"""How an acknowledged manifest was planned: ``plans/<outputs key>``.

Whoever has to make the image again, because a blob was lost, replays the plan, so that the digest
stays, whatever tables of popularity and units have been published since. The first plan that is
written counts: replicas that plan the same image at once agree on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nixery import records
from nixery.closure import Closure, StorePath
from nixery.oci import canonical_json
from nixery.records import elements, member, members, text
from nixery.storage import Condition, Stat, Storage, renew


@dataclass(frozen=True, slots=True)
class StoredPlan:
    layers: tuple[tuple[StorePath, ...], ...]
    """Store paths of each layer, in the manifest's order; the environment layer is not listed."""
    tables: Mapping[str, str]
    """Versions of the tables that decided it, by kind; gc keeps those."""


class Plans:
    """Blocks, like the storage it asks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, key: str, closure: Closure) -> StoredPlan | None:
        """The plan, if it holds exactly the closure's paths; anything else is a miss.

        It counts as used from now on: nobody who saw it unused deletes it.
        """
        found = self._read(key, closure)
        return found[0] if found and renew(self._storage, found[1]) else None

    def look(self, key: str, closure: Closure) -> StoredPlan | None:
        """The same for a reader that leaves no trace, and may so be shown what gc removes."""
        found = self._read(key, closure)
        return found[0] if found else None

    def agree(self, key: str, plan: StoredPlan, closure: Closure) -> StoredPlan:
        """Keeps the plan, unless another replica was faster: then that one's."""
        if self._storage.write(f"plans/{key}", encode(plan), Condition.ABSENT):
            return plan
        if found := self.find(key, closure):
            return found
        self._storage.write(f"plans/{key}", encode(plan))  # what is there cannot be read
        return plan

    def _read(self, key: str, closure: Closure) -> tuple[StoredPlan, Stat] | None:
        stored = self._storage.read(f"plans/{key}")
        plan = decode(stored.data) if stored else None
        return (plan, stored.stat) if stored and plan and _fits(plan, closure) else None


def _fits(plan: StoredPlan, closure: Closure) -> bool:
    planned = sorted(path for layer in plan.layers for path in layer)
    return planned == [info.path for info in closure.paths]


def encode(plan: StoredPlan) -> bytes:
    return canonical_json({"layers": plan.layers, "tables": dict(plan.tables)})


def decode(data: bytes) -> StoredPlan | None:
    """None for anything that is not a plan."""
    return records.read(data, _plan)


def _plan(record: object) -> StoredPlan:
    layers = elements(member(record, "layers"))
    tables = members(member(record, "tables"))
    return StoredPlan(
        tuple(tuple(map(text, elements(layer))) for layer in layers),
        {kind: text(version) for kind, version in tables.items()},
    )
