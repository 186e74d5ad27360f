"""Makes room: the images that nobody has pulled for longest go, and what nothing needs.

    survey.py     what is in a storage, and what refers to what
    plan.py       which images go, and in which order                                   (pure)
    removals.py   what else goes                                                        (pure)
    collection.py takes it out of the storage, step by step
    report.py     what was freed, as a table or as JSON
    keeper.py     runs it in the server, hourly and when something did not fit

An image is its two manifests with what they refer to. It goes when it is its turn (least recently
pulled first, until enough is free; or all that were not pulled for long), and with it whatever no
other image refers to. Never touched is

- what was written, or touched by a build that uses it, within the last 24 hours (``GRACE``);
- an image that was pulled today: marks have a day's precision, so a mark of today may stand for
  a pull that is under way right now;
- what a manifest of the Go server refers to. Its digests cannot be made again by anybody.

Nothing lies at any moment
--------------------------

Things go in the order in which they promise each other:

    manifests/<key>  →  the manifests' blobs  →  layers and configs  →  builds/, plans/, the rest

Whoever stops between two steps leaves what refers to nothing, or is referred to by nothing, and
the next run finds it: a manifest's blob without an entry is an image like any other, a blob
without a manifest is unused, and an entry of builds/ without its blob is a miss to all who read it.

While servers build and serve
-----------------------------

A build makes things in the opposite order: layers are published or touched, then config and
manifests are published, then the entries are written. Every deletion is conditional on the version
that was seen, and whatever a build uses gets another version. So, for each moment of a build that
a collection may fall into:

- A layer that is about to be reused. The build touches it before it relies on it, unless it was
  written or touched within the last hour: only what is a day old goes, which was another version.
  Touched first: it has another version and stays. Deleted first: the build does not find it and
  packs it again.
- A layer, config or manifest that was just written, and that no entry names yet. It is younger
  than ``GRACE``; a build takes minutes.
- An entry written after the entries were listed. Its blobs were published or touched by then: see
  above. Entries are listed and read before blobs, so that what an entry names is never taken for
  missing.
- A table that is published, or counts again: it is written before anything names it, and so has
  another version than the one that was seen. What ``current`` names stays, and so does for a day
  what it named before, for plans that are being made.
- A plan that is being replayed is touched (``Plans.find``), and stays or is not found.
- An image that is built again while it goes: its entry or its manifest's blob got another
  version, which stops the image's own removal (it is *spared*), its layers were touched.
- An image that is found by its outputs, and gets one more entry under its pinned source: only
  the new entry may be left, with what it names gone. Whoever reads it looks for its blobs first
  (``Presence``), and makes the image anew.

A pull from the caches writes nothing but its mark, in the background. Marks are looked at three
times: with the survey, before an image's manifests go, and, after a moment in which marks under
way arrive (``SETTLE``), before its layers do. A pull that begins when the manifests are gone finds
them missing, and the image is made within that request, with its layers touched. What is left is
a pull whose first request came in the milliseconds between the second look and the removal: it
may get a 404 for a digest and succeeds when repeated. Memory and state directories of replicas may
keep copies of entries for as long as they like, for the same reason: blobs are looked for first.

Two collections at once disturb each other no more than that: what one has deleted, the other does
not find.
"""

from nixery.gc.collection import Collection, collect
from nixery.gc.keeper import Keeper
from nixery.gc.plan import KeepBytes, OlderThan, Policy

__all__ = ["Collection", "KeepBytes", "Keeper", "OlderThan", "Policy", "collect"]
