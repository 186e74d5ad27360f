"""Graceful shutdown: finish transfers, then cancel builds.

    SIGTERM ──► /readyz fails ──► transfers finish ──► builds are cancelled ──► exit
       │                          at most TRANSFER_SECONDS                      ▲
       └──── TRANSFER_SECONDS + SPARE + LAST: exit, even if something hangs ────┘

A pull that waits for its image is not a transfer: it would delay the exit for as long as the build
takes. When nothing else is in progress, its build is cancelled and it gets a 503. The client
retries, and another server answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TRANSFER_SECONDS = 60.0
"""Seconds for transfers. A layer of 500 MB takes 40 s at 100 Mbit/s."""
SPARE = 5.0
"""Additional seconds for cancelled builds and their requests to end."""
LAST = 5.0
"""Additional seconds after which the process exits in any case (nixery/host/forced_exit.py)."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds; see the constants."""

    grace: float = TRANSFER_SECONDS
    spare: float = SPARE
    last: float = LAST


TIMES = Times()


class Drain:
    """Counts requests in progress. One per server; for its event loop's thread only."""

    def __init__(self) -> None:
        self.draining = False
        self._requests = 0
        self._waiting = 0
        self._changed = asyncio.Event()

    def begin(self) -> None:
        self.draining = True

    @contextmanager
    def request(self) -> Iterator[None]:
        """Context of every request, until its last byte is sent."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._changed.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Context of the part of a request that waits for an image."""
        self._waiting += 1
        self._changed.set()
        try:
            yield
        finally:
            self._waiting -= 1

    async def transfers_ended(self) -> None:
        while self._requests > self._waiting:
            self._changed.clear()
            await self._changed.wait()

    async def finish(self, cancel_builds: Callable[[], Awaitable[None]], grace: float) -> None:
        """Waits for transfers, at most ``grace`` seconds, then cancels builds."""
        try:
            async with asyncio.timeout(grace):
                await self.transfers_ended()
        except TimeoutError:
            pass
        await cancel_builds()
