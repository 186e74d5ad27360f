"""Lane: requests for images that this process has not served yet begin a few at a time.

The event loop takes requests as they come. When some thousand arrive at once, all that are ready
begin in one round, and whoever asks for a known image waits until all of them have been looked at.
So those that may be new wait in a lane of their own, from which few are taken in each round.
Without a crowd a round takes less than a millisecond, and nobody notices.
"""

import asyncio
import re
from collections import deque

from nixery.cache.recent import Recent

EACH_ROUND = 4
MAX_SERVED = 10_000
"""Paths of manifests that were served."""

_BY_TAG = re.compile(r"/v2/.+/manifests/[^:/]+")


class Lane:
    """Used in the event loop."""

    def __init__(self) -> None:
        self._served: Recent[str, None] = Recent(MAX_SERVED)
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self, path: str) -> None:
        """Returns at once where the path is not that of a manifest by tag, or was served before."""
        if not _BY_TAG.fullmatch(path) or path in self._served:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._next_round)
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def served(self, path: str) -> None:
        """The answer was a manifest."""
        if _BY_TAG.fullmatch(path):
            self._served.put(path, None)

    def _next_round(self) -> None:
        for _ in range(min(EACH_ROUND, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # else its request was cancelled
                turn.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next_round)
