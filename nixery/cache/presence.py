"""Whether all blobs of an image are where a client will look for them.

A manifest promises its blobs, so it is served only when each is there with its size. What the
store says of a blob (inode and times, or a generation) is remembered: as long as it says the same,
the blob is the same. When it says something else, the blob is looked at again.
"""

from collections.abc import Callable, Iterable

from nixery.cache.recent import Recent
from nixery.oci import Descriptor, Digest
from nixery.storage import Storage, layer_key

REMEMBERED = 200_000


class Presence:
    """Blocks; used by several threads. ``clock``: seconds, monotonic."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        self._seen: Recent[Digest, tuple[str, float]] = Recent(REMEMBERED)

    def missing(self, blobs: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
        """Those that are gone, or not what they were."""
        return tuple(blob for blob in blobs if not self._is_there(blob))

    def forget(self, digest: Digest) -> None:
        """Somebody did not find it."""
        self._seen.drop(digest)

    def _is_there(self, blob: Descriptor) -> bool:
        seen = self._seen.get(blob.digest)
        trusted = self._storage.trusted_seconds
        # Asking a bucket for a hundred blobs at every pull would cost more than the pull.
        if seen and trusted and self._clock() - seen[1] < trusted:
            return True
        found = self._storage.stat(layer_key(blob.digest))
        if found is None or found.size != blob.size:
            self._seen.drop(blob.digest)
            return False
        if seen and seen[0] == found.version and not trusted:
            return True
        if seen and seen[0] != found.version:
            # Written again, or tampered with: the store looks at the content where it can.
            location = self._storage.locate(blob.digest)
            if location is None or location.size != blob.size:
                self._seen.drop(blob.digest)
                return False
        self._seen.put(blob.digest, (found.version, self._clock()))
        return True
