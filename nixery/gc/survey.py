"""What is in a storage, and what refers to what, as one frozen value.

References are read from manifests themselves, wherever they lie: in the entries of ``manifests/``,
and as blobs that no entry names, which were served once and can be asked for by digest.
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
"""Bytes. One with 125 layers, more than any client takes, has 30 KB; blobs up to this size that
nothing names are read, to see whether they are manifests."""
READ_THREADS = 16
"""Objects read at once: a bucket answers in some 30 ms, and there are thousands of entries."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    manifests: frozenset[Digest]
    """Both formats; only one where no entry tells which belong together."""
    refs: frozenset[Digest]
    """Every blob of it, the manifests' own included."""
    entries: tuple[Stat, ...]
    """In ``manifests/``: by outputs, and by each pinned source that gave them."""
    plans: frozenset[str]
    """Keys of its objects in ``plans/``."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A manifest of the Go server's, or of who knows whom."""

    digest: Digest
    refs: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class Build:
    """An entry of ``builds/``, and the layer it names; None where it cannot be read."""

    stat: Stat
    layer: Digest | None

    @property
    def is_ours(self) -> bool:
        return is_our_key(self.stat.key)


@dataclass(frozen=True, slots=True)
class Survey:
    now: float
    """By the store's clock, as all times here."""
    size: int
    """Bytes of everything there is."""
    count: int
    images: tuple[StoredImage, ...]
    promised: frozenset[Digest]
    """Blobs that manifests of the Go server name."""
    foreign: frozenset[Digest]
    """Those, the manifests themselves, and what its entries in ``builds/`` name: never deleted."""
    unreadable: tuple[Stat, ...]
    """Entries of ``manifests/`` that nobody can read."""
    blobs: Mapping[Digest, Stat]
    builds: tuple[Build, ...]
    marks: Mapping[Digest, Stat]
    plans: tuple[Stat, ...]
    tables: tuple[Stat, ...]
    """Also ``current`` of each kind, which says which of them counts."""
    current_tables: frozenset[str]
    """Keys of those, and of what they name."""
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
        # The Go server may still run, and hands out what its builds/ name without looking.
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
    """What a manifest or an index refers to; None where it is neither."""
    return records.read(data, _references)


def _references(manifest: object) -> frozenset[Digest]:
    parts = members(manifest)
    if "config" in parts and "layers" in parts:
        descriptors = [parts["config"], *elements(parts["layers"])]
    else:
        descriptors = elements(member(manifest, "manifests"))
    return frozenset(digest(member(descriptor, "digest")) for descriptor in descriptors)


def is_ours(manifest: bytes) -> bool:
    """Whether this program wrote it: Go orders an object's members by their declaration."""
    return records.read(manifest, canonical_json) == manifest


def is_our_key(key: str) -> bool:
    """The Go server's keys are of sha1, and so have 40 digits."""
    return is_hex_key(key.rpartition("/")[2])


def _images(
    entries: Iterable[Object],
) -> tuple[tuple[StoredImage, ...], tuple[Foreign, ...], tuple[Stat, ...]]:
    """Images by what they consist of, manifests of others, and what cannot be read."""
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
    """Manifests that only lie among the blobs: ours, each an image, and those of others."""
    unnamed = [
        stat
        for digest, stat in blobs.items()
        if digest not in named and stat.size <= LARGEST_MANIFEST
    ]
    ours: list[StoredImage] = []
    others = []
    for found in _read(storage, unnamed):
        refs, digest = references(found.data), digest_of(found.data)
        # What is not what its name says serves nobody.
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
    """Those whose names are digests; what else lies there is nobody's business."""
    return {
        Digest(f"sha256:{stat.key.removeprefix(prefix)}"): stat
        for stat in stats
        if is_hex_key(stat.key.removeprefix(prefix))
    }


def _read(storage: Storage, stats: Iterable[Stat]) -> Iterator[Object]:
    """What is still there of them, several at once."""
    read: Callable[[str], Object | None] = storage.read
    with ThreadPoolExecutor(READ_THREADS) as readers:
        yield from filter(None, readers.map(read, [stat.key for stat in stats]))
