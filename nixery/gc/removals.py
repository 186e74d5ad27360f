"""What goes beside images: whatever nothing refers to, when it is old enough. Pure."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from nixery.gc.survey import StoredImage, Survey
from nixery.human_units import DAY
from nixery.oci import Digest
from nixery.storage import Stat, layer_key

GRACE_PERIOD = DAY
"""Seconds that whatever was written or touched stays. A build refers to what it touched within
minutes; the rest is for clocks that differ, and for servers that are stopped and go on."""
PULL = 3_600.0
"""Seconds that a pull may take, from its manifest to its last layer."""
EVIDENCE = 7 * DAY
"""Seconds that a damaged blob stays in quarantine, for operators who ask what happened."""

ObjectKind = Literal[
    "manifests",
    "layers",
    "builds",
    "plans",
    "tables",
    "marks",
    "leases",
    "staging",
    "quarantine",
]


@dataclass(frozen=True, slots=True)
class Removal:
    kind: ObjectKind
    stat: Stat
    needs_gone: str | None = None
    """A key: only if that object is really gone. What was used meanwhile stays with its like."""


def removals(
    survey: Survey,
    kept: Collection[StoredImage],
    used: AbstractSet[Digest],
    manifests: AbstractSet[str],
) -> Iterator[Removal]:
    """In the order in which they may go.

    ``used``: blobs that stay, whatever their age. ``manifests``: keys of blobs that go before.
    """
    blobs = [
        Removal("layers", stat)
        for digest, stat in survey.blobs.items()
        if digest not in used and stat.key not in manifests and is_old(survey, stat)
    ]
    gone = manifests | {removal.stat.key for removal in blobs}
    there = {stat.key for stat in survey.blobs.values()} - gone
    yield from (Removal("manifests", stat) for stat in survey.unreadable if is_old(survey, stat))
    yield from blobs
    yield from _builds(survey, there, gone)
    yield from _plans_and_tables(survey, kept)
    yield from _marks(survey, there)
    yield from _expired(survey)


def _builds(survey: Survey, there: AbstractSet[str], gone: AbstractSet[str]) -> Iterator[Removal]:
    for build in survey.builds:
        layer = layer_key(build.layer) if build.layer else None
        # Its own age does not count when its layer goes: from then on it is of no use.
        if layer not in there and (layer in gone or is_old(survey, build.stat)):
            yield Removal("builds", build.stat, layer)


def _plans_and_tables(survey: Survey, kept: Collection[StoredImage]) -> Iterator[Removal]:
    """Without its plan, an image that has to be made again might get another digest."""
    needed = frozenset[str]().union(*(image.plans for image in kept))
    going = {s.key: s for s in survey.plans if s.key not in needed and is_old(survey, s)}
    yield from (Removal("plans", stat) for stat in going.values())
    tables = (used for plan, used in survey.used_tables.items() if plan not in going)
    referred = survey.current_tables.union(*tables)
    newer: dict[str, float] = {}
    for stat in sorted(survey.tables, key=lambda stat: (-stat.modified, stat.key)):
        kind = stat.key.split("/")[1]
        superseded = newer.get(kind)
        newer[kind] = stat.modified
        # For a while after it was superseded, a build may be under way that knows no newer one.
        is_past = superseded is not None and superseded <= survey.now - GRACE_PERIOD
        if is_past and stat.key not in referred:
            yield Removal("tables", stat)


def _marks(survey: Survey, there: AbstractSet[str]) -> Iterator[Removal]:
    for digest, stat in survey.marks.items():
        manifest = layer_key(digest)
        if manifest not in there and pulls_end(stat) <= survey.now:
            yield Removal("marks", stat, manifest)


def _expired(survey: Survey) -> Iterator[Removal]:
    for stat in survey.leases:
        if stat.modified < survey.now - DAY:  # a living holder's is some seconds old
            yield Removal("leases", stat)
    for stat in survey.staging:
        if stat.modified < survey.now - DAY:  # nothing is written for so long
            yield Removal("staging", stat)
    for stat in survey.quarantine:
        if stat.modified < survey.now - EVIDENCE:
            yield Removal("quarantine", stat)


def pulls_end(mark: Stat) -> float:
    """A mark of a day stands for all pulls until its end, and the last one takes a while."""
    return (mark.modified // DAY + 1) * DAY + PULL


def is_old(survey: Survey, stat: Stat) -> bool:
    return stat.modified <= survey.now - GRACE_PERIOD
