"""Garbage collection: removes the least recently pulled images, and what nothing references.

    survey.py     the contents of a storage, and their references
    plan.py       which images are evicted, in which order                              (pure)
    removals.py   what else is removed                                                  (pure)
    collection.py removes both from the storage, step by step
    report.py     the result, as text or JSON
    collector.py  runs collections in the server, hourly and when the disk is full

An image is its two manifests with everything they reference. Images are evicted in the order of
their last pull until enough space is free, or if they were not pulled within a time. Everything
that no remaining image references is removed with them. Never removed is

- what was written, or touched by a build, within the last 24 hours (``GRACE_PERIOD``);
- an image that was pulled today: marks have a precision of one day, so the pull may be in progress;
- what a manifest of the Go server references, because nobody could build it again with the same
  digests.

No dangling references ----------------------

Objects are removed in the order of their references:

    manifests/<key>  →  the manifests' blobs  →  layers and configs  →  builds/, plans/, the rest

If a collection stops between two steps, it leaves objects that are not referenced, and the next one
finds them: a manifest's blob without an entry is treated as an image, a blob without a manifest is
unused, and an entry of builds/ without its blob is a miss for its readers.

Concurrent builds and pulls ---------------------------

A build works in the opposite order: it publishes or touches layers, then publishes config and
manifests, then writes the entries. Every deletion is conditional on the version that was surveyed,
and whatever a build uses gets another version. A collection may overlap with each moment of a
build:

- A layer is about to be reused. The build touches it first, unless it was written or touched within
  the last hour, when it is too new to be removed. If the touch comes first, the version differs and
  the layer stays. If the removal comes first, the build does not find the layer and packs it again.
- A layer, config or manifest was just written, and no entry names it yet. It is newer than
  ``GRACE_PERIOD``, and a build takes minutes.
- An entry is written after the entries were listed. Its blobs were published or touched before, see
  above. Entries are listed and read before blobs, so the blobs of an entry are never considered
  missing.
- A table is published or restored. It is written before anything names it, so its version differs.
  The current tables stay, and the previous ones stay for a day, for plans that are being made.
- A plan is replayed. It was touched (``Plans.find``), so it stays, or it is not found.
- An image is built again while it is evicted. Its entry or its manifest's blob got another version,
  which stops the eviction (the image is *spared*); its layers were touched.
- An image is found by its outputs and gets another entry under its pinned source. Only the new
  entry may remain, without its blobs. Readers check the blobs first (``Presence``), and the image
  is built again.

A pull from the caches writes only its mark, in the background. Marks are read three times: with the
survey, before an image's manifests are removed, and before its layers are, after a pause in which
pending marks arrive (``SETTLE``). A pull that starts after the manifests were removed does not find
them, and its request builds the image, which touches the layers. The remaining case is a pull whose
first request comes in the milliseconds between the second check and the removal: it may get a 404
for a digest, and succeeds when repeated. Replicas may keep copies of entries in memory and state
directories, because they check the blobs first.

Two concurrent collections are safe too: one does not find what the other has removed.
"""

from nixery.gc.collection import Collection, collect
from nixery.gc.collector import GarbageCollector
from nixery.gc.plan import KeepBytes, OlderThan, Policy

__all__ = ["Collection", "GarbageCollector", "KeepBytes", "OlderThan", "Policy", "collect"]
