"""Leases: which replica builds an image, among all that share a storage; ``leases/<key>``.

    free ── write, only if nothing exists ──► held ── heartbeat every 10 s ──► held
      ▲                                        │
      └── overwritten as released ◄────────────┘       no heartbeat for 30 s: taken over

Times are those of the storage, so the replicas' clocks may differ. A lease only saves work: a
replica that loses one continues, and an image built twice has the same bytes.

Released leases are overwritten, not deleted, because some stores show an object for a moment after
its deletion. gc removes old ones.
"""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from nixery import records
from nixery.errors import NixeryError
from nixery.oci import canonical_json
from nixery.storage import Condition, Object, Stat, Storage

log = structlog.get_logger()

LEASE_SECONDS = 30.0
"""Seconds after the last heartbeat until another replica may take over."""
HEARTBEAT = 10.0
"""Seconds; two heartbeats may be lost."""
LOOK = 1.0
"""Seconds between checks of another replica's lease."""

Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")


@dataclass(eq=False)
class Lease:
    key: str
    seen: Stat | None
    """What this replica wrote last; None if it holds nothing, or lost the lease."""


class Leases:
    """One for each process, which its ``holder`` name identifies."""

    def __init__(self, storage: Storage, sleep: Sleep = asyncio.sleep) -> None:
        self._storage = storage
        self._sleep = sleep
        self._holder = uuid.uuid4().hex
        self._beats = itertools.count()

    async def take(self, key: str) -> Lease | None:
        """The lease, or None while another replica holds it. One task at a time takes a key.

        If the storage has no conditional writes, every replica gets it.
        """
        if not self._storage.conditional:
            return Lease(key, None)
        taking = asyncio.create_task(self._taken(key))
        try:
            return await _to_its_end(taking)
        except asyncio.CancelledError:
            # It may have failed too, or be cancelled again before it ends.
            with suppress(NixeryError, OSError, asyncio.InvalidStateError):
                if lease := taking.result():
                    with anyio.CancelScope(shield=True):
                        await self._renew(lease, released=True)
            raise

    @asynccontextmanager
    async def kept(self, lease: Lease) -> AsyncIterator[None]:
        """Renews the lease until the block ends, then releases it."""
        heart = asyncio.create_task(self._beat(lease))
        try:
            yield
        finally:
            heart.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(heart, return_exceptions=True)
                await self._renew(lease, released=True)

    async def pause(self) -> None:
        """Waits before the next check whether another replica is done."""
        await self._sleep(LOOK)

    async def _beat(self, lease: Lease) -> None:
        while lease.seen:
            await self._sleep(HEARTBEAT)
            await _to_its_end(asyncio.create_task(self._renew(lease, released=False)))

    async def _taken(self, key: str) -> Lease | None:
        seen = await anyio.to_thread.run_sync(self._take, key)
        return Lease(key, seen) if seen else None

    async def _renew(self, lease: Lease, *, released: bool) -> None:
        if lease.seen is None:
            return
        try:
            lease.seen = await anyio.to_thread.run_sync(
                self._write, lease.key, lease.seen, released
            )
            if lease.seen is None:
                log.warning("lease lost to another replica", lease=lease.key)
        except (NixeryError, OSError) as error:
            log.warning("lease not renewed", lease=lease.key, error=str(error))

    def _take(self, key: str) -> Stat | None:
        found = self._storage.read(f"leases/{key}")
        if found and self._is_held(found):
            return None
        return self._write(key, found.stat if found else Condition.ABSENT, released=False)

    def _is_held(self, found: Object) -> bool:
        if found.stat.modified + LEASE_SECONDS < self._storage.now():
            return False
        match records.read(found.data, records.members):
            case {"released": False, "holder": str(holder)}:
                # Its own lease is one that it could not release, for example because the disk was
                # full.
                return holder != self._holder
        return False

    def _write(self, key: str, condition: Stat | Condition, released: bool) -> Stat | None:  # noqa: FBT001 - passed to a thread
        state = {
            "holder": self._holder,
            "released": released,
            # S3 compares only contents: without a counter, a takeover would not notice a late
            # heartbeat.
            "beat": next(self._beats),
        }
        return self._storage.write(f"leases/{key}", canonical_json(state), condition)


async def _to_its_end(writing: asyncio.Task[T]) -> T:
    """Waits even if cancelled: the result of the write must be known."""
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([writing])
        raise
