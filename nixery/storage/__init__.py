"""Storage of blobs and small objects: the Protocol, and what its implementations share.

    layers/<sha256>          every blob and manifest that can be requested by digest
    builds/<key>             the packed layer of a set of store paths
    manifests/<key>          a cached manifest
    plans/<key>              the plan of that manifest
    tables/<kind>/<version>  planning tables: popularity, units, a starting list
    tables/<kind>/current    the current version of each kind
    asked/<key>              record of a requested image, to learn tables from
    leases/<key>             which replica builds an image, until when
    pulled/<digest>          the day when a manifest was last pulled
    quarantine/<sha256>      blobs whose content did not match their digest
    staging/<uuid>           being written, never read

All calls block and are made from worker threads: packing, hashing and the bucket libraries are
synchronous too. Every call may raise StorageFull, and StorageUnavailable if a bucket does not
answer in time or a disk is broken.
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
    """Metadata of an object."""

    key: str
    size: int
    version: str
    """Changes whenever the content may have changed: inode and times, or a generation."""
    modified: float
    """Time of the last write or touch: seconds since 1970 by the store's clock (see ``now``)."""


@dataclass(frozen=True, slots=True)
class Object:
    data: bytes
    stat: Stat


class Condition(Enum):
    ABSENT = "write only if nothing exists"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Serve this file. Its content has the requested digest."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect the client there. ``size`` is for answering HEAD."""

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
    """Serve what ``read`` returns: an object of a bucket that clients cannot be redirected to."""

    read: ReadRange
    size: int


Location = LocalFile | Redirect | Content | Streamed


@dataclass(frozen=True, slots=True)
class Unverified:
    """The blob exists, and must be verified before it may be served."""

    size: int


class Staging(Protocol):
    """A blob being written, invisible until ``publish``."""

    def write(self, data: Buffer, /) -> None:
        """The caller may reuse the buffer afterwards."""

    def publish(self) -> Blob:
        """Makes the blob durable under its digest, then visible.

        The digest is that of the written bytes. An existing blob is renewed, or replaced if its
        content is wrong.
        """


class Storage(Protocol):
    @property
    def trusted_seconds(self) -> float:
        """Seconds for which a Stat may be reused; 0 if another look costs nothing."""

    @property
    def conditional(self) -> bool:
        """Whether ``write`` and ``delete`` honour their conditions, which leases require."""

    def stage(self) -> AbstractContextManager[Staging]:
        """A new blob. Leaving the block without ``publish`` discards it."""

    def locate(self, digest: Digest) -> Location | Unverified | None:
        """Where to read a blob, or None if it does not exist. Does not read it."""

    def verify(self, digest: Digest) -> Location | None:
        """Where to read a blob, after verifying it unless this process did so before.

        Takes one second per gigabyte. A damaged blob is moved to quarantine and gives None. Buckets
        verify their content themselves, so there this reads nothing.
        """

    def stat(self, key: str) -> Stat | None: ...

    def read(self, key: str) -> Object | None:
        """A small object, or None.

        If it has more than ``LARGEST_READ`` bytes it comes without data: this program did not write
        it, and it must not fill the memory.
        """

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        """An object of any size, unverified.

        Raises StorageUnavailable or OSError if it cannot be read or was removed.
        """

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        """Writes or replaces a small object, durably.

        With a condition: only if nothing exists, or if the existing object still has the version of
        that Stat. Returns None if the condition failed.
        """

    def list(self, prefix: str) -> Iterator[Stat]:
        """All objects whose key starts with ``prefix``, which ends in a slash; in any order."""

    def delete(self, stat: Stat) -> bool:
        """Removes an object if it still has that version; returns False if not."""

    def touch(self, stat: Stat) -> Stat | None:
        """Renews an object's time, to mark it as used; None if it does not exist."""

    def quarantine(self, digest: Digest) -> None:
        """Moves a damaged blob to quarantine; no error if it does not exist."""

    def now(self) -> float:
        """The store's clock: seconds since 1970, the same for all users of a bucket."""

    def bytes_to_free(self) -> int:
        """Bytes to free before new images fit; 0 if there is room, or no limit."""

    def check(self) -> None:
        """Raises ConfigurationError if the storage cannot be used as configured."""

    def ping(self) -> None:
        """Raises NixeryError if the storage cannot be used now.

        Cheap: probes call it every few seconds.
        """


LARGEST_READ = 64 << 20
"""Bytes of a small object. Tables are the largest, with some megabytes."""
FRESH = 3_600.0
"""Seconds; much shorter than gc's grace period."""


def layer_key(digest: Digest) -> str:
    return f"layers/{hexdigits(digest)}"


def renew(storage: Storage, stat: Stat) -> Stat | None:
    """Touches an object that is about to be used, unless it was touched recently; None: it is gone.

    In a bucket this costs one request for each layer of an image, and in S3 a copy. gc only deletes
    a version that is a day old, so a touched object is safe.
    """
    if stat.modified > storage.now() - FRESH:
        return stat
    return storage.touch(stat)


def put(storage: Storage, data: bytes) -> Blob:
    """Stores a small blob, such as a config or a manifest."""
    with storage.stage() as staging:
        staging.write(data)
        return staging.publish()


def fetch(storage: Storage, digest: Digest, *, limit: int) -> bytes | None:
    """The bytes of a small blob; None if it does not exist or has more than ``limit`` bytes.

    Verified on every call. A damaged blob gives None and is moved to quarantine.
    """
    there = storage.stat(layer_key(digest))
    if there is None or there.size > limit:
        return None
    found = storage.read(there.key)
    if found is not None and digest_of(found.data) != digest:
        storage.verify(digest)
        return None
    return found.data if found else None
