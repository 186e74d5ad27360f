"""Removals apart from images: unreferenced objects that are old enough. Pure."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from nixery.gc.survey import StoredImage, Survey
from nixery.human_units import DAY
from nixery.oci import Digest
from nixery.storage import Stat, layer_key

GRACE_PERIOD = DAY
"""Seconds in which written and touched objects stay. A build references what it touched within
minutes; the rest allows for different clocks, and for suspended servers."""
PULL = 3_600.0
"""Seconds from a pull's manifest to its last layer."""
EVIDENCE = 7 * DAY
"""Seconds that a damaged blob stays in quarantine, for operators."""

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
    """Key of an object that must be removed first; if it was used meanwhile, this stays too."""


def removals(
    survey: Survey,
    kept: Collection[StoredImage],
    used: AbstractSet[Digest],
    manifests: AbstractSet[str],
) -> Iterator[Removal]:
    """In the order of removal.

    ``used``: blobs that stay, whatever their age. ``manifests``: keys of blobs that are removed
    first.
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
        # Its own age does not matter when its layer is removed: it is useless without it.
        if layer not in there and (layer in gone or is_old(survey, build.stat)):
            yield Removal("builds", build.stat, layer)


def _plans_and_tables(survey: Survey, kept: Collection[StoredImage]) -> Iterator[Removal]:
    """Without its plan, an image that is built again might get another digest."""
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
        # A build that started before the table was superseded may still use it.
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
        if stat.modified < survey.now - DAY:  # a running holder's is some seconds old
            yield Removal("leases", stat)
    for stat in survey.staging:
        if stat.modified < survey.now - DAY:  # no upload takes this long
            yield Removal("staging", stat)
    for stat in survey.quarantine:
        if stat.modified < survey.now - EVIDENCE:
            yield Removal("quarantine", stat)


def pulls_end(mark: Stat) -> float:
    """A mark stands for all pulls of its day, and the last one takes a while."""
    return (mark.modified // DAY + 1) * DAY + PULL


def is_old(survey: Survey, stat: Stat) -> bool:
    return stat.modified <= survey.now - GRACE_PERIOD
