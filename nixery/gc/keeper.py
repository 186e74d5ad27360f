"""Keeps the storage below NIXERY_STORAGE_MAX_BYTES, and room on its disk, while the server runs.

It collects at the start, then every hour, and at once when something did not fit; one replica at
a time, through a lease. The disk may be full long before the storage has that size: when something
did not fit, as much goes as the disk lacks.
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
"""Seconds between two collections: each lists the storage and reads every entry."""
RETRY_SECONDS = 60.0
"""Seconds between collections when the disk is full: what is in use does not go by asking again."""
LEASE = "gc"

Collect = Callable[[Storage, Policy], Collection]


class Keeper:
    def __init__(
        self,
        storage: Storage,
        leases: Leases,
        limit: int,
        *,
        sleep: Sleep = asyncio.sleep,
        collect: Collect = collect,
    ) -> None:
        """``limit``: bytes that may stay."""
        self._storage = storage
        self._leases = leases
        self._limit = limit
        self._sleep = sleep
        self._collect = collect
        self._full = asyncio.Event()

    def noticed_full(self) -> None:
        """Something did not fit; called in the event loop."""
        self._full.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Keeper"]:
        """Leaving the block waits for a collection that is under way."""
        task = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        if not self._storage.conditional:
            log.warning("the storage keeps no conditions: nothing is collected while it is served")
            return
        while True:
            full = self._full.is_set()
            self._full.clear()
            try:
                await self._once(full=full)
            except Exception:  # whatever it was, the next one may do better
                log.exception("collection failed")
            await self._sleep(RETRY_SECONDS)
            await self._next()

    async def _once(self, *, full: bool) -> None:
        lease = await self._lease()
        if lease is None:
            return
        async with self._leases.kept(lease):
            done = await anyio.to_thread.run_sync(self._run, full)
            log.info(
                "collected",
                images=len(done.images),
                spared=done.spared,
                freed=done.total.size,
                left=done.left.size,
            )

    def _run(self, full: bool) -> Collection:  # noqa: FBT001 - given to a thread
        policy = KeepBytes(self._limit, self._storage.lacking() if full else 0)
        return self._collect(self._storage, policy)

    async def _lease(self) -> Lease | None:
        try:
            return await self._leases.take(LEASE)
        except NixeryError as error:
            # On a full disk no lease can be written. It only saves work, and room is needed.
            log.warning("collecting without a lease", error=error.message)
            return Lease(LEASE, None)

    async def _next(self) -> None:
        """The next hour, or what did not fit; whichever comes first."""
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
