"""Cache of plans: ``plans/<outputs key>``, how an acknowledged manifest was planned.

An image that lost a blob is built again from its plan, so its digest stays the same, whatever
tables were published since. The first plan written wins, so replicas that plan the same image at
the same time agree.
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
    """Store paths of each layer, in the manifest's order, without the environment layer."""
    tables: Mapping[str, str]
    """Versions of the tables that it was planned with, by kind; gc keeps them."""


class Plans:
    """Blocks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, key: str, closure: Closure) -> StoredPlan | None:
        """The plan, if it covers exactly the closure's paths; otherwise a miss.

        Touches the plan, so that gc does not delete it.
        """
        found = self._read(key, closure)
        return found[0] if found and renew(self._storage, found[1]) else None

    def peek(self, key: str, closure: Closure) -> StoredPlan | None:
        """Like ``find`` without touching the plan, which gc may then delete."""
        found = self._read(key, closure)
        return found[0] if found else None

    def agree(self, key: str, plan: StoredPlan, closure: Closure) -> StoredPlan:
        """Stores the plan, unless another replica was faster: then returns that one's."""
        if self._storage.write(f"plans/{key}", encode(plan), Condition.ABSENT):
            return plan
        if found := self.find(key, closure):
            return found
        self._storage.write(f"plans/{key}", encode(plan))  # the existing entry is unreadable
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
