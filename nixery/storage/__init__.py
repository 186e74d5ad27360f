"""Where blobs and small objects are kept.

    layers/<sha256>      every blob and manifest that can be asked for by digest
    builds/<key>         what packing this set of store paths gave
    staging/<uuid>       being written, never read

One Protocol, implemented by siblings of this file. All calls block, and are made from worker
threads: packing, hashing and the bucket libraries are synchronous as well.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nixery.oci import Digest, hexdigits

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Blob:
    digest: Digest
    size: int


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


Location = LocalFile | Redirect | Content


class Staging(Protocol):
    """A blob being written; nobody can see it before ``publish``."""

    def write(self, data: Buffer, /) -> None:
        """Raises StorageFull when there is no room, OSError for other failures."""

    def publish(self) -> Blob:
        """Make it durable under its digest, then visible; whole or not at all.

        The digest is that of the bytes written. Publishing what exists already is no error.
        """


class Storage(Protocol):
    def stage(self) -> AbstractContextManager[Staging]:
        """A new blob; leaving the block without ``publish`` throws it away."""

    def locate(self, digest: Digest) -> Location | None:
        """Where to get a blob from, or None if there is none."""

    def read(self, key: str) -> bytes | None:
        """A small object by its key in the layout, or None."""

    def write(self, key: str, data: bytes) -> None:
        """Replace a small object, durably and whole."""

    def check(self) -> None:
        """Raises ConfigurationError where this storage cannot be written to."""


def layer_key(digest: Digest) -> str:
    return f"layers/{hexdigits(digest)}"


def put(storage: Storage, data: bytes) -> Blob:
    """Store a small blob, such as a config or a manifest."""
    with storage.stage() as staging:
        staging.write(data)
        return staging.publish()


def fetch(storage: Storage, digest: Digest, *, limit: int) -> bytes | None:
    """A small blob's bytes; None where there is none, or it is larger than ``limit`` bytes."""
    location = storage.locate(digest)
    if location is None or location.size > limit:
        return None
    return storage.read(layer_key(digest))
