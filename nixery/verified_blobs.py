"""Verifier: blobs are hashed once before they are served, in turn, and never twice at a time.

Hashing a gigabyte takes a second of a core. After a restart every blob is new to the process, and a
cluster pulls the same ones at once. So all who want one digest share one hashing, few digests are
hashed at the same time, and none of it takes the worker threads that other pulls need.
"""

import asyncio
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread

from nixery.concurrency.single_flight import Flight, SingleFlight
from nixery.oci import Digest
from nixery.storage import Location, Storage, Unverified

MAX_HASHED_AT_ONCE = 2
"""Blobs hashed at the same time. A disk reads no faster for more, and cores are for pulls."""


class VerifiedBlobs:
    """One per server. Leaving the ``async with`` block drops what is being hashed."""

    def __init__(self, storage: Storage, at_once: int = MAX_HASHED_AT_ONCE) -> None:
        self._storage = storage
        self._hashings: SingleFlight[Location | None] = SingleFlight()
        self._turns = asyncio.Semaphore(at_once)
        self._threads = anyio.CapacityLimiter(at_once)

    async def locate(self, digest: Digest) -> Location | Unverified | None:
        """What the storage knows without reading the blob; never waits for a hashing."""
        return await anyio.to_thread.run_sync(self._storage.locate, digest)

    async def verify(self, digest: Digest) -> Location | None:
        """Where to get the blob from, once it has been hashed; None where it is damaged or gone.

        Raises ShuttingDown where the server ends first.
        """
        return await self._hashings.run(digest, lambda flight: self._hash(digest, flight))

    async def _hash(self, digest: Digest, flight: Flight[Location | None]) -> Location | None:
        async with self._turns:
            # A thread cannot be interrupted, and the next client will want the result.
            flight.commit()
            return await anyio.to_thread.run_sync(
                self._storage.verify, digest, limiter=self._threads, abandon_on_cancel=True
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._hashings.cancel()
