"""What is not done twice.

    keys.py         what every result depends on, as one hash                            (pure)
    manifests.py    manifests made before: memory, state directory, storage
    plans.py        how they were planned, so that making them again gives the same digest
    layers.py       store paths packed before
    evaluations.py  names evaluated before
    failures.py     requests that failed a moment ago
    presence.py     whether all that a manifest promises is there
    images.py       the two together: an image that can be pulled
    recent.py       a dictionary of bounded size

Everything that is read back is distrusted: what does not parse, or names what is gone, is a miss.
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
    """Those that the builder asks."""

    images: KnownImages
    evaluations: Evaluations
    plans: Plans
    layers: LayerCache
