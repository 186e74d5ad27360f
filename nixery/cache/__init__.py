"""Caches: manifests, layers, plans, evaluations, failures.

    keys.py         one hash of everything that a result depends on                      (pure)
    manifests.py    manifests of built images: memory, state directory, storage
    plans.py        their plans, so that building an image again gives the same digest
    layers.py       packed layers, by store paths
    evaluations.py  evaluated names
    failures.py     recent failures
    presence.py     whether all blobs of a manifest exist
    images.py       manifests and presence together: images that can be pulled
    recent.py       a dictionary of bounded size (LRU)

Entries are not trusted: what does not parse, or names something missing, is a miss.
"""

from dataclasses import dataclass

from nixery.cache.evaluations import Evaluations
from nixery.cache.failures import Failures
from nixery.cache.images import KnownImages
from nixery.cache.keys import Recipe
from nixery.cache.layers import LayerCache
from nixery.cache.manifests import CachedImage, ManifestCache, Tier, image_of
from nixery.cache.plans import Plans, StoredPlan
from nixery.cache.presence import Presence

__all__ = [
    "CachedImage",
    "Caches",
    "Evaluations",
    "Failures",
    "KnownImages",
    "LayerCache",
    "ManifestCache",
    "Plans",
    "Presence",
    "Recipe",
    "StoredPlan",
    "Tier",
    "image_of",
]


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of the builder."""

    images: KnownImages
    evaluations: Evaluations
    plans: Plans
    layers: LayerCache
