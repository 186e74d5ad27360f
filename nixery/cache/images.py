"""Images made before, served only as long as all of them is there."""

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
"""Threads that look for images of which this server knows nothing yet; pulls have all others."""
MAX_WAITING_LOOKUPS = 1_000
"""Requests that wait for one of them. An image may be there, so they are more than wait for Nix."""


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
        """The image with the place it was found in, if every blob of it can be pulled.

        Those that this server has had before are found however many others are looked for. Raises
        TooBusy for the others where too many are, unless they are admitted already.
        """
        while True:
            if self._manifests.is_near(key):
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
            # Damaged ones are in quarantine now: they are missing when this looks again.

    async def keep(self, key: str, image: CachedImage) -> None:
        """Only for an image whose blobs are all durable."""
        await anyio.to_thread.run_sync(self._manifests.keep, key, image)

    async def keep_also(self, key: str, image: CachedImage) -> None:
        """Under another key. Where that fails, the next who asks by it looks further, no more."""
        try:
            await self.keep(key, image)
        except (StorageFull, StorageUnavailable) as error:
            log.warning("image is not kept under its source", error=error.message)

    def _find(self, key: str) -> tuple[Found | None, tuple[Descriptor, ...]]:
        """The image if it can be served, and those of its blobs that must be verified first."""
        recalled = self._manifests.recall(key)
        found: Found | None = (recalled, "local") if recalled else self._manifests.find(key)
        if found is None:
            return None, ()
        look = self._presence.look(found[0].blobs)
        if look.missing:
            digests = [blob.digest for blob in look.missing]
            log.warning("image lost blobs and is made again", blobs=digests)
            self._manifests.forget(key)
            return None, ()
        return found, look.unverified
