"""Check that all blobs of an image exist.

A manifest is served only if each of its blobs exists with the right size. The storage's version of
a blob (inode and times, or a generation) is remembered: while it is the same, so is the content. If
it changes, the blob must be verified again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from nixery.cache.recent import Recent
from nixery.oci import Descriptor, Digest
from nixery.storage import Storage, Unverified, layer_key

MAX_BLOBS = 200_000


class _State(Enum):
    THERE = "can be pulled"
    GONE = "is not there, or has another size"
    CHANGED = "written again, or changed: only its content can tell"


@dataclass(frozen=True, slots=True)
class BlobFaults:
    """Missing and unverified blobs. All others can be pulled."""

    missing: tuple[Descriptor, ...]
    """Missing, or of another size."""
    unverified: tuple[Descriptor, ...]
    """Written again since the last look, so they must be verified first."""


class Presence:
    """Blocks; used by several threads. ``clock``: monotonic, in seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        self._seen: Recent[Digest, tuple[str, float]] = Recent(MAX_BLOBS)

    def check(self, blobs: Iterable[Descriptor]) -> BlobFaults:
        """Reads no blob."""
        states = [(blob, self._state(blob)) for blob in blobs]
        return BlobFaults(
            missing=tuple(blob for blob, state in states if state is _State.GONE),
            unverified=tuple(blob for blob, state in states if state is _State.CHANGED),
        )

    def forget(self, digest: Digest) -> None:
        """Forgets a blob that a client could not get."""
        self._seen.drop(digest)

    def _state(self, blob: Descriptor) -> _State:
        seen = self._seen.get(blob.digest)
        trusted = self._storage.trusted_seconds
        # Asking a bucket for a hundred blobs on every pull would cost more than the pull.
        if seen and trusted and self._clock() - seen[1] < trusted:
            return _State.THERE
        found = self._storage.stat(layer_key(blob.digest))
        if found is None or found.size != blob.size:
            self._seen.drop(blob.digest)
            return _State.GONE
        if seen and seen[0] == found.version and not trusted:
            return _State.THERE
        if seen and seen[0] != found.version:
            location = self._storage.locate(blob.digest)
            if isinstance(location, Unverified):
                return _State.CHANGED
            if location is None or location.size != blob.size:
                self._seen.drop(blob.digest)
                return _State.GONE
        self._seen.put(blob.digest, (found.version, self._clock()))
        return _State.THERE
