"""What goes, and in which order: a pure function of what is there.

plan(survey, KeepBytes(50 << 30)) → EvictionPlan(evictions=…, removals=…)

evictions   images, least recently pulled first; each with its entries and manifests
removals    everything else, in the order in which it may go once those are gone

A pulled in March   layers 1 2            KeepBytes: A goes, then layer 1. Layer 2 is C's as
B pulled in April   layers 3              well and frees nothing, so if that is not enough, B
C pulled today      layers 2 4            goes with layer 3. C stays, whatever was asked for.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nixery.gc.removals import GRACE_PERIOD, Removal, is_old, pulls_end, removals
from nixery.gc.survey import StoredImage, Survey
from nixery.oci import Digest
from nixery.storage import Stat


@dataclass(frozen=True, slots=True)
class KeepBytes:
    """Until no more than ``size`` is left, and at least ``free`` bytes went."""

    size: int
    free: int = 0


@dataclass(frozen=True, slots=True)
class OlderThan:
    """All that was not pulled for so many seconds."""

    age: float


Policy = KeepBytes | OlderThan


@dataclass(frozen=True, slots=True)
class Eviction:
    image: StoredImage
    last_used: float
    entries: tuple[Stat, ...]
    manifests: tuple[Stat, ...]
    """Those blobs of the image's manifests that no other image refers to."""


@dataclass(frozen=True, slots=True)
class EvictionPlan:
    evictions: tuple[Eviction, ...]
    removals: tuple[Removal, ...]


def plan(survey: Survey, policy: Policy) -> EvictionPlan:
    evicted = _choose(survey, policy)
    kept = [image for image in survey.images if image not in evicted]
    used = _used(survey, kept)
    evictions = tuple(_eviction(survey, image, used) for image in evicted)
    manifests = {stat.key for eviction in evictions for stat in eviction.manifests}
    return EvictionPlan(evictions, tuple(removals(survey, kept, used, manifests)))


def last_used(survey: Survey, image: StoredImage) -> float:
    """When it was made, or pulled."""
    marks = (survey.marks[digest] for digest in image.manifests if digest in survey.marks)
    return max((stat.modified for stat in (*_own(survey, image), *marks)), default=0.0)


def stays_until(survey: Survey, image: StoredImage) -> float:
    """Before that it is too new, or a pull of it may be under way."""
    pulled = (pulls_end(survey.marks[d]) for d in image.manifests if d in survey.marks)
    made = (stat.modified + GRACE_PERIOD for stat in _own(survey, image))
    return max((*pulled, *made), default=0.0)


def _choose(survey: Survey, policy: Policy) -> dict[StoredImage, None]:
    """In the order in which they go."""
    candidates = sorted(
        (image for image in survey.images if stays_until(survey, image) <= survey.now),
        key=lambda image: (last_used(survey, image), sorted(image.manifests)),
    )
    match policy:
        case OlderThan(age=age):
            before = survey.now - age
            return dict.fromkeys(i for i in candidates if last_used(survey, i) < before)
        case KeepBytes(size=size, free=free):
            garbage = removals(survey, survey.images, _used(survey, survey.images), frozenset())
            going = sum(removal.stat.size for removal in garbage)
            excess = max(survey.size - size, free) - going
            return dict.fromkeys(_enough(survey, candidates, excess))


def _enough(
    survey: Survey, candidates: Collection[StoredImage], excess: int
) -> Iterator[StoredImage]:
    """As many as it takes to free so many bytes; a layer that images share goes with the last."""
    uses = Counter(digest for image in survey.images for digest in image.refs)
    uses.update(survey.foreign)
    for image in candidates:
        if excess <= 0:
            return
        yield image
        excess -= sum(entry.size for entry in image.entries)
        for digest in image.refs:
            uses[digest] -= 1
            blob = survey.blobs.get(digest)
            if blob and not uses[digest] and is_old(survey, blob):
                excess -= blob.size


def _eviction(survey: Survey, image: StoredImage, used: AbstractSet[Digest]) -> Eviction:
    gone = sorted(image.manifests & survey.blobs.keys() - used)
    manifests = tuple(survey.blobs[digest] for digest in gone)
    return Eviction(image, last_used(survey, image), image.entries, manifests)


def _used(survey: Survey, kept: Collection[StoredImage]) -> frozenset[Digest]:
    return survey.foreign.union(*(image.refs for image in kept))


def _own(survey: Survey, image: StoredImage) -> tuple[Stat, ...]:
    """What is written whenever the image is made."""
    manifests = (survey.blobs[digest] for digest in image.manifests if digest in survey.blobs)
    return (*image.entries, *manifests)
