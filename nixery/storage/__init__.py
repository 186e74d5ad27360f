"""Where blobs and small objects are kept.

    layers/<sha256>          every blob and manifest that can be asked for by digest
    builds/<key>             what packing this set of store paths gave
    manifests/<key>          a cached manifest
    plans/<key>              how that manifest was planned
    tables/<kind>/<version>  what layers are planned with: popularity, units, a starting list
    tables/<kind>/current    which of them counts
    asked/<key>              an image that was made: what tables are learned from
    leases/<key>             who is building what, until when
    pulled/<digest>          when a manifest was last pulled, to the day
    quarantine/<sha256>      what did not hash to its name
    staging/<uuid>           being written, never read

One Protocol, implemented by siblings of this file. All calls block, and are made from worker
threads: packing, hashing and the bucket libraries are synchronous as well. Every call may raise
StorageFull, and StorageUnavailable where a bucket does not answer in time or a disk is broken.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from nixery.oci import Digest, digest_of, hexdigits

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Blob:
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Stat:
    """What the store says of an object without reading it."""

    key: str
    size: int
    version: str
    """Another one whenever the content may be another: inode and times, or a generation."""
    modified: float
    """When it was written or touched; seconds since 1970 by the store's clock (see ``now``)."""


@dataclass(frozen=True, slots=True)
class Object:
    data: bytes
    stat: Stat


class Condition(Enum):
    ABSENT = "write only where nothing is"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Serve this file, whose content has the digest that was asked for."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client there; ``size`` is for answering HEAD ourselves."""

    url: str
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """Serve these bytes."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


class ReadRange(Protocol):
    """Reads ``length`` bytes from ``start``, in pieces; blocks."""

    def __call__(self, start: int, length: int, /) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Streamed:
    """Serve what ``read`` gives: a bucket's object that clients cannot be sent to."""

    read: ReadRange
    size: int


Location = LocalFile | Redirect | Content | Streamed


@dataclass(frozen=True, slots=True)
class Unverified:
    """There is a blob, which must be verified before it may be served."""

    size: int


class Staging(Protocol):
    """A blob being written; nobody can see it before ``publish``."""

    def write(self, data: Buffer, /) -> None:
        """The buffer may be used again afterwards."""

    def publish(self) -> Blob:
        """Make it durable under its digest, then visible; whole or not at all.

        The digest is that of the bytes written. Publishing what exists already is no error: its
        time is renewed, and where it is not what it should be, it is replaced.
        """


class Storage(Protocol):
    @property
    def trusted_seconds(self) -> float:
        """For how long a Stat may be taken for true: 0 where looking again costs nothing."""

    @property
    def conditional(self) -> bool:
        """Whether ``write`` and ``delete`` keep to their conditions; leases need that."""

    def stage(self) -> AbstractContextManager[Staging]:
        """A new blob; leaving the block without ``publish`` throws it away."""

    def locate(self, digest: Digest) -> Location | Unverified | None:
        """Where to get a blob from, or None if there is none. Does not read the blob."""

    def verify(self, digest: Digest) -> Location | None:
        """Where to get a blob from, after reading it whole where this process has not done so.

        Takes a second per gigabyte. A blob that does not hash to its name is put into quarantine,
        and gives None. Buckets look after their content themselves, so there nothing is read.
        """

    def stat(self, key: str) -> Stat | None: ...

    def read(self, key: str) -> Object | None:
        """A small object, whole, or None.

        One of more than ``LARGEST_READ`` bytes comes without its data: it is nothing that this
        program wrote, and must not fill the memory of whoever looks at it.
        """

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        """An object of any size, as it is, unchecked.

        Raises StorageUnavailable or OSError where it cannot be read, or is not there any more.
        """

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        """Replace a small object, durably and whole.

        With a condition, only where nothing is there, or what is there is still that Stat's
        version; None says that the condition did not hold and nothing was written.
        """

    def list(self, prefix: str) -> Iterator[Stat]:
        """Every object whose key begins with ``prefix``, which ends in a slash; in no order."""

    def delete(self, stat: Stat) -> bool:
        """Remove an object if it is still that version; False where it is not."""

    def touch(self, stat: Stat) -> Stat | None:
        """Renew an object's time, so that it counts as used now; None where it is gone."""

    def quarantine(self, digest: Digest) -> None:
        """Take a blob that does not hash to its name out of service; no error if it is gone."""

    def now(self) -> float:
        """The store's clock, in seconds since 1970: all who share a bucket agree on it."""

    def lacking(self) -> int:
        """Bytes that must go until there is room for new images; 0 where there is, or no limit."""

    def check(self) -> None:
        """Raises ConfigurationError where this storage cannot be used as configured."""

    def ping(self) -> None:
        """Raises NixeryError where it cannot be used now. Cheap: probes ask every few seconds."""


LARGEST_READ = 64 << 20
"""Bytes of a small object; tables are the largest, and have some megabytes."""
FRESH = 3_600.0
"""Seconds; far less than gc leaves everything alone for."""


def layer_key(digest: Digest) -> str:
    return f"layers/{hexdigits(digest)}"


def renew(storage: Storage, stat: Stat) -> Stat | None:
    """Touches what is about to be used again, unless that was done a moment ago; None: it is gone.

    In a bucket it costs a request for each layer of an image, and in S3 a copy. Whoever wants to
    delete it must have seen it a day old, which is another version than a fresh one.
    """
    if stat.modified > storage.now() - FRESH:
        return stat
    return storage.touch(stat)


def put(storage: Storage, data: bytes) -> Blob:
    """Store a small blob, such as a config or a manifest."""
    with storage.stage() as staging:
        staging.write(data)
        return staging.publish()


def fetch(storage: Storage, digest: Digest, *, limit: int) -> bytes | None:
    """A small blob's bytes; None where there is none, or it is larger than ``limit`` bytes.

    They are hashed each time. A damaged blob gives None, and is put into quarantine.
    """
    there = storage.stat(layer_key(digest))
    if there is None or there.size > limit:
        return None
    found = storage.read(there.key)
    if found is not None and digest_of(found.data) != digest:
        storage.verify(digest)
        return None
    return found.data if found else None
