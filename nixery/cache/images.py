"""Images made before, served only as long as all of them is there."""

import anyio.to_thread
import structlog

from nixery.cache.manifests import CachedImage, ManifestCache, Tier
from nixery.cache.presence import Presence
from nixery.errors import StorageFull, StorageUnavailable

log = structlog.get_logger()


class KnownImages:
    def __init__(self, manifests: ManifestCache, presence: Presence) -> None:
        self._manifests = manifests
        self._presence = presence

    async def find(self, key: str) -> tuple[CachedImage, Tier] | None:
        """The image with the place it was found in, if every blob of it can be pulled."""
        return await anyio.to_thread.run_sync(self._find, key)

    async def keep(self, key: str, image: CachedImage) -> None:
        """Only for an image whose blobs are all durable."""
        await anyio.to_thread.run_sync(self._manifests.keep, key, image)

    async def keep_also(self, key: str, image: CachedImage) -> None:
        """Under another key. Where that fails, the next who asks by it looks further, no more."""
        try:
            await self.keep(key, image)
        except (StorageFull, StorageUnavailable) as error:
            log.warning("image is not kept under its source", error=error.message)

    def _find(self, key: str) -> tuple[CachedImage, Tier] | None:
        recalled = self._manifests.recall(key)
        found: tuple[CachedImage, Tier] | None
        found = (recalled, "local") if recalled else self._manifests.find(key)
        if found is None:
            return None
        if missing := self._presence.missing(found[0].blobs):
            log.warning("image lost blobs and is made again", blobs=[b.digest for b in missing])
            self._manifests.forget(key)
            return None
        return found
