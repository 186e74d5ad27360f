"""Garbage collection in the server: limits the storage, and frees space if the disk is full.

It keeps the storage below NIXERY_STORAGE_MAX_BYTES. It collects at the start, every hour, and at
once when something did not fit. A lease ensures that only one replica collects at a time. A disk
may be full before the storage reaches its limit, so when something did not fit, the collection also
frees as many bytes as the disk lacks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import structlog

from nixery.errors import NixeryError
from nixery.gc.collection import Collection, collect
from nixery.gc.plan import KeepBytes, Policy
from nixery.lease import Lease, Leases, Sleep
from nixery.storage import Storage

log = structlog.get_logger()

PERIOD = 3600.0
"""Seconds between collections: each lists the storage and reads every entry."""
RETRY_SECONDS = 60.0
"""Minimum seconds between collections, even if the disk is still full: retrying at once would find
the same objects in use."""
LEASE = "gc"

Collect = Callable[[Storage, Policy], Collection]


class GarbageCollector:
    def __init__(
        self,
        storage: Storage,
        leases: Leases,
        limit: int,
        *,
        sleep: Sleep = asyncio.sleep,
        collect: Collect = collect,
    ) -> None:
        """``limit``: the maximum size of the storage, in bytes."""
        self._storage = storage
        self._leases = leases
        self._limit = limit
        self._sleep = sleep
        self._collect = collect
        self._full = asyncio.Event()

    def request_collection(self) -> None:
        """Requests a collection because something did not fit.

        Call it only from the event loop's thread.
        """
        self._full.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["GarbageCollector"]:
        """Leaving the block waits for a running collection."""
        task = asyncio.create_task(self._run_periodically())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run_periodically(self) -> None:
        if not self._storage.conditional:
            log.warning("the storage has no conditional writes: gc does not run in the server")
            return
        while True:
            full = self._full.is_set()
            self._full.clear()
            try:
                await self._collect_once(full=full)
            except Exception:  # the next collection may succeed
                log.exception("collection failed")
            await self._sleep(RETRY_SECONDS)
            await self._wait()

    async def _collect_once(self, *, full: bool) -> None:
        lease = await self._lease()
        if lease is None:
            return
        async with self._leases.kept(lease):
            done = await anyio.to_thread.run_sync(self._collect_blocking, full)
            log.info(
                "collected",
                images=len(done.images),
                spared=done.spared,
                freed=done.total.size,
                left=done.left.size,
            )

    def _collect_blocking(self, full: bool) -> Collection:  # noqa: FBT001 - passed to a thread
        policy = KeepBytes(self._limit, self._storage.bytes_to_free() if full else 0)
        return self._collect(self._storage, policy)

    async def _lease(self) -> Lease | None:
        try:
            return await self._leases.take(LEASE)
        except NixeryError as error:
            # A lease cannot be written to a full disk. It only prevents duplicate work.
            log.warning("collecting without a lease", error=error.message)
            return Lease(LEASE, None)

    async def _wait(self) -> None:
        """Waits for the rest of the hour, or until something does not fit."""
        waiting = [
            asyncio.ensure_future(self._sleep(PERIOD - RETRY_SECONDS)),
            asyncio.create_task(self._full.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
