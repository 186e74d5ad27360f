"""Cache of images: a manifest, served only while all of its blobs exist."""

import anyio.to_thread
import structlog

from nixery.cache.manifests import CachedImage, ManifestCache, Tier
from nixery.cache.presence import Presence
from nixery.concurrency.queue import Queue, WaitingLine
from nixery.errors import StorageFull, StorageUnavailable
from nixery.oci import Descriptor
from nixery.verified_blobs import VerifiedBlobs

log = structlog.get_logger()

Found = tuple[CachedImage, Tier]


LOOKUPS = 8
"""Threads that look for images this server does not know; pulls have the others."""
MAX_WAITING_LOOKUPS = 1_000
"""Requests that wait for such a thread. More than may wait for Nix: the image may exist."""


class KnownImages:
    def __init__(
        self, manifests: ManifestCache, presence: Presence, verifier: VerifiedBlobs
    ) -> None:
        self._manifests = manifests
        self._presence = presence
        self._verifier = verifier
        self._line = WaitingLine(MAX_WAITING_LOOKUPS)
        self._lookups = Queue(LOOKUPS, self._line, doing="looked for")

    async def find(self, key: str, *, is_admitted: bool = False) -> Found | None:
        """The image and where it was found, if every blob of it can be pulled.

        Images that this server knows do not wait for others. Raises TooBusy for unknown ones if too
        many are being looked for, unless the request is admitted already.
        """
        while True:
            if self._manifests.is_local(key):
                found, unverified = await anyio.to_thread.run_sync(self._find, key)
            else:
                if not is_admitted:
                    self._line.admit()
                async with self._lookups.turn():
                    found, unverified = await anyio.to_thread.run_sync(self._find, key)
            if not unverified:
                return found
            for blob in unverified:
                await self._verifier.verify(blob.digest)
            # Damaged blobs are in quarantine now, so the next look misses them.

    async def store(self, key: str, image: CachedImage) -> None:
        """Stores the image. All of its blobs must be durable."""
        await anyio.to_thread.run_sync(self._manifests.store, key, image)

    async def store_also(self, key: str, image: CachedImage) -> None:
        """Stores the image under another key. If that fails, a later lookup only takes longer."""
        try:
            await self.store(key, image)
        except (StorageFull, StorageUnavailable) as error:
            log.warning("image is not stored under its source", error=error.message)

    def _find(self, key: str) -> tuple[Found | None, tuple[Descriptor, ...]]:
        """The image if it can be served, and those of its blobs that must be verified first."""
        recalled = self._manifests.get_from_memory(key)
        found: Found | None = (recalled, "local") if recalled else self._manifests.find(key)
        if found is None:
            return None, ()
        faults = self._presence.check(found[0].blobs)
        if faults.missing:
            digests = [blob.digest for blob in faults.missing]
            log.warning("image lost blobs and is built again", blobs=digests)
            self._manifests.drop_local(key)
            return None, ()
        return found, faults.unverified
