"""Eviction plan: which images are evicted, and in which order. Pure.

plan(survey, KeepBytes(50 << 30)) → EvictionPlan(evictions=…, removals=…)

evictions   images, least recently pulled first; each with its entries and manifests
removals    everything else, in the order of removal after that

A pulled in March   layers 1 2            KeepBytes: A is evicted, then layer 1. C shares
B pulled in April   layers 3              layer 2, so it frees nothing. If that is not enough,
C pulled today      layers 2 4            B goes with layer 3. C stays in any case.
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
    """Evicts until at most ``size`` remains, and at least ``free`` bytes were freed."""

    size: int
    free: int = 0


@dataclass(frozen=True, slots=True)
class OlderThan:
    """Evicts everything that was not pulled within this number of seconds."""

    age: float


Policy = KeepBytes | OlderThan


@dataclass(frozen=True, slots=True)
class Eviction:
    image: StoredImage
    last_used: float
    entries: tuple[Stat, ...]
    manifests: tuple[Stat, ...]
    """Blobs of the image's manifests that no other image references."""


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
    """Time of the build or of the last pull."""
    marks = (survey.marks[digest] for digest in image.manifests if digest in survey.marks)
    return max((stat.modified for stat in (*_own(survey, image), *marks)), default=0.0)


def stays_until(survey: Survey, image: StoredImage) -> float:
    """The image is too new before this time, or may be being pulled."""
    pulled = (pulls_end(survey.marks[d]) for d in image.manifests if d in survey.marks)
    made = (stat.modified + GRACE_PERIOD for stat in _own(survey, image))
    return max((*pulled, *made), default=0.0)


def _choose(survey: Survey, policy: Policy) -> dict[StoredImage, None]:
    """In the order of eviction."""
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
    """As many as are needed to free the bytes; a shared layer is freed with its last image."""
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
    """The objects that every build of the image writes."""
    manifests = (survey.blobs[digest] for digest in image.manifests if digest in survey.blobs)
    return (*image.entries, *manifests)
