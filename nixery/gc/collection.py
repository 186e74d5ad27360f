"""Execution of a collection: removes what was planned, except what was used meanwhile."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nixery.gc import survey as surveys
from nixery.gc.plan import Eviction, EvictionPlan, Policy, plan
from nixery.gc.removals import ObjectKind
from nixery.gc.survey import Survey
from nixery.last_pulled import mark_key
from nixery.oci import Digest
from nixery.storage import Stat, Storage, layer_key

SETTLE = 1.0
"""Seconds in which the mark of a started pull arrives."""


@dataclass(frozen=True, slots=True)
class Amount:
    count: int = 0
    size: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.count + other.count, self.size + other.size)


@dataclass(frozen=True, slots=True)
class Gone:
    """A removed image."""

    manifests: tuple[Digest, ...]
    last_used: float


@dataclass(frozen=True, slots=True)
class Collection:
    freed: Mapping[ObjectKind, Amount]
    """With dry_run: what would be removed."""
    before: Amount
    images: tuple[Gone, ...]
    spared: int
    """Images that stay because they were used during the collection."""
    dry_run: bool = False

    @property
    def total(self) -> Amount:
        return sum(self.freed.values(), Amount())

    @property
    def left(self) -> Amount:
        return self.before + Amount(-self.total.count, -self.total.size)


def collect(
    storage: Storage,
    policy: Policy,
    *,
    dry_run: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Collection:
    """Blocks. Can be interrupted at any time, and run several times at once."""
    survey = surveys.take(storage)
    planned = plan(survey, policy)
    if dry_run:
        return _foreseen(survey, planned)
    run = _Run(storage, survey)
    for eviction in planned.evictions:
        run.evict(eviction)
    if planned.evictions:
        sleep(SETTLE)
    run.spare_pulled(planned.evictions)
    for removal in planned.removals:
        if removal.stat.key not in run.alive and removal.needs_gone not in run.alive:
            run.remove(removal.kind, removal.stat)
    return run.outcome(planned)


def _foreseen(survey: Survey, planned: EvictionPlan) -> Collection:
    freed: defaultdict[ObjectKind, Amount] = defaultdict(Amount)
    for eviction in planned.evictions:
        for stat in (*eviction.entries, *eviction.manifests):
            freed["manifests"] += Amount(1, stat.size)
    for removal in planned.removals:
        freed[removal.kind] += Amount(1, removal.stat.size)
    images = tuple(_gone(eviction) for eviction in planned.evictions)
    before = Amount(survey.count, survey.size)
    return Collection(freed, before, images, spared=0, dry_run=True)


def _gone(eviction: Eviction) -> Gone:
    return Gone(tuple(sorted(eviction.image.manifests)), eviction.last_used)


@dataclass
class _Run:
    storage: Storage
    survey: Survey
    freed: defaultdict[ObjectKind, Amount] = field(default_factory=lambda: defaultdict(Amount))
    alive: set[str] = field(default_factory=set)
    """Keys of objects that stay, because they were used since the survey."""
    spared: set[frozenset[Digest]] = field(default_factory=set)

    def evict(self, eviction: Eviction) -> None:
        """Removes the entries, then the manifests; stops if the image was used meanwhile."""
        going = (*eviction.entries, *eviction.manifests)
        if self._was_pulled(eviction) or not all(self.remove("manifests", s) for s in going):
            self._spare(eviction)

    def spare_pulled(self, evictions: tuple[Eviction, ...]) -> None:
        for eviction in evictions:
            if self._was_pulled(eviction):
                self._spare(eviction)

    def remove(self, kind: ObjectKind, stat: Stat) -> bool:
        """False if its version changed, which counts as a use."""
        if self.storage.delete(stat):
            self.freed[kind] += Amount(1, stat.size)
        elif self.storage.stat(stat.key) is not None:
            self.alive.add(stat.key)
            return False
        return True

    def outcome(self, planned: EvictionPlan) -> Collection:
        images = tuple(
            _gone(eviction)
            for eviction in planned.evictions
            if eviction.image.manifests not in self.spared
        )
        before = Amount(self.survey.count, self.survey.size)
        return Collection(self.freed, before, images, len(self.spared))

    def _was_pulled(self, eviction: Eviction) -> bool:
        for digest in eviction.image.manifests:
            mark, known = self.storage.stat(mark_key(digest)), self.survey.marks.get(digest)
            if mark and (known is None or mark.modified > known.modified):
                return True
        return False

    def _spare(self, eviction: Eviction) -> None:
        self.spared.add(eviction.image.manifests)
        self.alive |= {layer_key(digest) for digest in eviction.image.refs}
        self.alive |= eviction.image.plans
