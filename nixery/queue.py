"""How many images are evaluated or built at once; the others wait their turn, for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from nixery.errors import TooBusy

PATIENCE = 60.0
"""Seconds that an image waits for its turn. Clients repeat a 429 after Retry-After."""


class Queue:
    def __init__(self, slots: int, patience: float = PATIENCE, doing: str = "built") -> None:
        """``doing``: what happens to images here, for those who are told to come back."""
        self._limiter = anyio.CapacityLimiter(slots)
        self._patience = patience
        self._doing = doing

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises TooBusy when the wait is too long."""
        me = object()  # a task may hold several turns of different queues
        try:
            self._limiter.acquire_on_behalf_of_nowait(me)
        except anyio.WouldBlock:
            await self._wait(me)
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(me)

    async def _wait(self, me: object) -> None:
        try:
            with anyio.fail_after(self._patience):
                await self._limiter.acquire_on_behalf_of(me)
        except TimeoutError:
            busy = self._limiter.borrowed_tokens
            raise TooBusy(
                f"{busy} images are being {self._doing} and more are waiting; try again in a moment"
            ) from None
