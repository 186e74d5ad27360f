"""Survey of a storage: its contents and their references, as one frozen value.

References are read from all manifests: those in the entries of ``manifests/``, and those that are
blobs without an entry, which were served once and can be requested by digest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nixery import records
from nixery.cache.manifests import decode as decode_entry
from nixery.cache.plans import decode as decode_plan
from nixery.oci import Digest, canonical_json, digest_of
from nixery.records import digest, elements, is_hex_key, member, members
from nixery.storage import Object, Stat, Storage, layer_key
from nixery.tables.published import Published

LARGEST_MANIFEST = 1 << 20
"""Bytes. A manifest with 125 layers, more than any client accepts, has 30 KB. Unreferenced blobs up
to this size are read, to check whether they are manifests."""
READ_THREADS = 16
"""Concurrent reads: a bucket answers in 30 ms, and there are thousands of entries."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    manifests: frozenset[Digest]
    """Both formats; only one if no entry names both."""
    refs: frozenset[Digest]
    """All of its blobs, including the manifests."""
    entries: tuple[Stat, ...]
    """In ``manifests/``: by outputs, and by each pinned source."""
    plans: frozenset[str]
    """Keys of its objects in ``plans/``."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A manifest of the Go server or of another program."""

    digest: Digest
    refs: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class Build:
    """An entry of ``builds/``, and the layer it names; None if it cannot be read."""

    stat: Stat
    layer: Digest | None

    @property
    def is_ours(self) -> bool:
        return is_our_key(self.stat.key)


@dataclass(frozen=True, slots=True)
class Survey:
    now: float
    """By the storage's clock, like all times here."""
    size: int
    """Bytes of all objects."""
    count: int
    images: tuple[StoredImage, ...]
    promised: frozenset[Digest]
    """Blobs that manifests of the Go server reference."""
    foreign: frozenset[Digest]
    """Those, the manifests themselves, and the layers of its entries in ``builds/``: never
    removed."""
    unreadable: tuple[Stat, ...]
    """Entries of ``manifests/`` that cannot be read."""
    blobs: Mapping[Digest, Stat]
    builds: tuple[Build, ...]
    marks: Mapping[Digest, Stat]
    plans: tuple[Stat, ...]
    tables: tuple[Stat, ...]
    """All tables, including ``current`` of each kind."""
    current_tables: frozenset[str]
    """Keys of ``current``, and of the tables that they name."""
    used_tables: Mapping[str, frozenset[str]]
    """Keys of ``tables/`` by the key of the plan that used them."""
    leases: tuple[Stat, ...]
    staging: tuple[Stat, ...]
    quarantine: tuple[Stat, ...]


def take(storage: Storage) -> Survey:
    """Blocks; reads every entry. The order matters: see the package."""
    now = storage.now()
    marks = tuple(storage.list("pulled/"))
    plans = tuple(storage.list("plans/"))
    tables, asked = tuple(storage.list("tables/")), tuple(storage.list("asked/"))
    entries = tuple(_read(storage, storage.list("manifests/")))
    builds = tuple(_build(found) for found in _read(storage, storage.list("builds/")))
    leases, staging = tuple(storage.list("leases/")), tuple(storage.list("staging/"))
    quarantine = tuple(storage.list("quarantine/"))
    blobs = tuple(storage.list("layers/"))

    by_digest = _by_digest(blobs, "layers/")
    images, others, unreadable = _images(entries)
    named = frozenset[Digest]().union(
        *(image.refs for image in images), *({made.digest, *made.refs} for made in others)
    )
    loose, more = _loose_manifests(storage, by_digest, named)
    theirs = {made.digest: made.refs for made in (*others, *more)}
    promised = frozenset[Digest]().union(*theirs.values())
    everything = [
        *marks, *plans, *tables, *asked, *leases, *staging, *quarantine, *blobs,
        *(entry.stat for entry in entries), *(build.stat for build in builds),
    ]  # fmt: skip
    return Survey(
        now=now,
        size=sum(stat.size for stat in everything),
        count=len(everything),
        images=(*images, *loose),
        promised=promised,
        # The Go server may be running, and serves the layers of its builds/ without checks.
        foreign=promised.union(theirs, (b.layer for b in builds if b.layer and not b.is_ours)),
        unreadable=unreadable,
        blobs=by_digest,
        builds=tuple(build for build in builds if build.is_ours),
        marks=_by_digest(marks, "pulled/"),
        plans=plans,
        tables=tables,
        current_tables=frozenset(Published(storage).needed(stat.key for stat in tables)),
        used_tables=_used_tables(storage, plans) if tables else {},
        leases=leases,
        staging=staging,
        quarantine=quarantine,
    )


def references(data: bytes) -> frozenset[Digest] | None:
    """The references of a manifest or an index; None if it is neither."""
    return records.read(data, _references)


def _references(manifest: object) -> frozenset[Digest]:
    parts = members(manifest)
    if "config" in parts and "layers" in parts:
        descriptors = [parts["config"], *elements(parts["layers"])]
    else:
        descriptors = elements(member(manifest, "manifests"))
    return frozenset(digest(member(descriptor, "digest")) for descriptor in descriptors)


def is_ours(manifest: bytes) -> bool:
    """Whether this program wrote it: Go writes an object's members in another order."""
    return records.read(manifest, canonical_json) == manifest


def is_our_key(key: str) -> bool:
    """The Go server's keys are sha1, which has 40 digits."""
    return is_hex_key(key.rpartition("/")[2])


def _images(
    entries: Iterable[Object],
) -> tuple[tuple[StoredImage, ...], tuple[Foreign, ...], tuple[Stat, ...]]:
    """Images by their contents, foreign manifests, and unreadable entries."""
    found: dict[frozenset[Digest], StoredImage] = {}
    foreign = []
    unreadable = []
    for entry in entries:
        if image := decode_entry(entry.data):
            manifests = frozenset(made.digest for made in image.manifests.values())
            known = found.get(manifests)
            found[manifests] = StoredImage(
                manifests,
                frozenset(blob.digest for blob in image.blobs),
                (*(known.entries if known else ()), entry.stat),
                (known.plans if known else frozenset()) | {f"plans/{image.outputs_key}"},
            )
        elif (refs := references(entry.data)) is not None:
            foreign.append(Foreign(digest_of(entry.data), refs))
        elif is_our_key(entry.stat.key):
            unreadable.append(entry.stat)
    return tuple(found.values()), tuple(foreign), tuple(unreadable)


def _loose_manifests(
    storage: Storage, blobs: Mapping[Digest, Stat], named: AbstractSet[Digest]
) -> tuple[tuple[StoredImage, ...], tuple[Foreign, ...]]:
    """Manifests without an entry: ours, each an image, and foreign ones."""
    unnamed = [
        stat
        for digest, stat in blobs.items()
        if digest not in named and stat.size <= LARGEST_MANIFEST
    ]
    ours: list[StoredImage] = []
    others = []
    for found in _read(storage, unnamed):
        refs, digest = references(found.data), digest_of(found.data)
        # A damaged blob cannot be served.
        if refs is None or layer_key(digest) != found.stat.key:
            continue
        if is_ours(found.data):
            ours.append(StoredImage(frozenset([digest]), refs | {digest}, (), frozenset()))
        else:
            others.append(Foreign(digest, refs))
    return tuple(ours), tuple(others)


def _build(found: Object) -> Build:
    """The Go server's entries name their layer in the same way."""
    layer = records.read(found.data, lambda entry: digest(member(entry, "digest")))
    return Build(found.stat, layer)


def _used_tables(storage: Storage, plans: Iterable[Stat]) -> dict[str, frozenset[str]]:
    return {
        found.stat.key: frozenset(f"tables/{kind}/{used}" for kind, used in plan.tables.items())
        for found in _read(storage, plans)
        if (plan := decode_plan(found.data))
    }


def _by_digest(stats: Iterable[Stat], prefix: str) -> dict[Digest, Stat]:
    """Objects whose names are digests; others are left alone."""
    return {
        Digest(f"sha256:{stat.key.removeprefix(prefix)}"): stat
        for stat in stats
        if is_hex_key(stat.key.removeprefix(prefix))
    }


def _read(storage: Storage, stats: Iterable[Stat]) -> Iterator[Object]:
    """Those that still exist, read concurrently."""
    read: Callable[[str], Object | None] = storage.read
    with ThreadPoolExecutor(READ_THREADS) as readers:
        yield from filter(None, readers.map(read, [stat.key for stat in stats]))
