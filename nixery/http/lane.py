"""Fair start: requests for images that this process has not served yet start a few at a time.

When some thousand requests arrive at once, the event loop would start all of them in one round, and
a request for a known image would wait for that round. So requests for new images wait in a queue,
from which few are started in each round. Without a crowd, a round takes less than a millisecond.
"""

import asyncio
import re
from collections import deque

from nixery.cache.recent import Recent

EACH_ROUND = 4
MAX_SERVED = 10_000
"""Number of served manifest paths that are kept."""

_BY_TAG = re.compile(r"/v2/.+/manifests/[^:/]+")


class Lane:
    """For the event loop's thread only."""

    def __init__(self) -> None:
        self._served: Recent[str, None] = Recent(MAX_SERVED)
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self, path: str) -> None:
        """Returns at once unless the path names a manifest by tag that was not served before."""
        if not _BY_TAG.fullmatch(path) or path in self._served:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._next_round)
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def served(self, path: str) -> None:
        """Records that the response was a manifest."""
        if _BY_TAG.fullmatch(path):
            self._served.put(path, None)

    def _next_round(self) -> None:
        for _ in range(min(EACH_ROUND, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # otherwise its request was cancelled
                turn.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next_round)
