"""Queues: a limited number of tasks run at once, and a limited number wait for a limited time.

A ``WaitingLine`` limits how many wait. Several queues may share one: a task that passes from one
queue to the next is admitted once, at the first.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio

from nixery.errors import TooBusy

QUEUE_TIMEOUT = 60.0
"""Seconds that an image waits for its turn. Clients retry a 429 after Retry-After."""
QUEUE = 200
"""Default number of waiting images."""


class WaitingLine:
    """A limited number of waiting tasks. For the event loop's thread only."""

    def __init__(self, most: int) -> None:
        """``most``: nobody is admitted while this many wait; at least 1.

        A few more may wait: tasks that were admitted, had their turn, and wait for the next one.
        """
        self._most = most
        self._waiting = 0

    def admit(self) -> None:
        """Raises TooBusy if too many wait. Does not wait itself, so a refusal is cheap."""
        if self._waiting >= self._most:
            raise TooBusy(f"{self._waiting} images are already waiting; try again in a moment")

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Context of each wait of an admitted task."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


class Queue:
    def __init__(
        self, slots: int, line: WaitingLine, patience: float = QUEUE_TIMEOUT, doing: str = "built"
    ) -> None:
        """``doing``: what is done in a turn, for error messages."""
        self._limiter = anyio.CapacityLimiter(slots)
        self._line = line
        self._patience = patience
        self._doing = doing

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises TooBusy if the wait is too long."""
        me = object()  # a task may hold turns of several queues
        try:
            self._limiter.acquire_on_behalf_of_nowait(me)
        except anyio.WouldBlock:
            with self._line.waiting():
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


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Raises TimeoutError at this time of anyio's clock."""
    with anyio.fail_after(max(0, deadline - anyio.current_time())):
        yield
