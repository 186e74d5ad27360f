"""Verified blobs: each is hashed once before it is served, few at a time.

Hashing a gigabyte takes a second of a core. After a restart every blob is unverified, and a cluster
pulls the same ones at the same time. So all requests for a digest share one hashing, few digests
are hashed at once, and hashing uses none of the worker threads of other pulls.
"""

import asyncio
from typing import Self

import anyio
import anyio.to_thread

from nixery.concurrency.single_flight import Flight, SingleFlight
from nixery.oci import Digest
from nixery.storage import Location, Storage, Unverified

MAX_HASHED_AT_ONCE = 2
"""Blobs hashed at once. More would not speed up a disk, and would take cores from pulls."""


class VerifiedBlobs:
    """One per server. Leaving the ``async with`` block abandons unfinished hashing."""

    def __init__(self, storage: Storage, at_once: int = MAX_HASHED_AT_ONCE) -> None:
        self._storage = storage
        self._hashings: SingleFlight[Location | None] = SingleFlight()
        self._turns = asyncio.Semaphore(at_once)
        self._threads = anyio.CapacityLimiter(at_once)

    async def locate(self, digest: Digest) -> Location | Unverified | None:
        """The location as far as known without reading the blob; never waits for hashing."""
        return await anyio.to_thread.run_sync(self._storage.locate, digest)

    async def verify(self, digest: Digest) -> Location | None:
        """The location of the blob after verification; None if it is damaged or missing.

        Raises ShuttingDown if the server shuts down first.
        """
        return await self._hashings.run(digest, lambda flight: self._hash(digest, flight))

    async def _hash(self, digest: Digest, flight: Flight[Location | None]) -> Location | None:
        async with self._turns:
            # A thread cannot be interrupted, and the next client will need the result.
            flight.commit()
            return await anyio.to_thread.run_sync(
                self._storage.verify, digest, limiter=self._threads, abandon_on_cancel=True
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hashings.cancel()
