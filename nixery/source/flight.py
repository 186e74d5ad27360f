"""One run for everybody who wants the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from anyio import CancelScope

T = TypeVar("T")


class Flights(Generic[T]):
    """Runs by key. Whoever joins one under way gets its result or its error.

    ``persistent``: a run goes on when nobody waits for it any more; otherwise it is cancelled
    with the last who leaves, and that one waits until it has cleaned up behind itself.
    """

    def __init__(self, *, persistent: bool = False) -> None:
        self._persistent = persistent
        self._tasks: dict[str, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def join(self, key: str, start: Callable[[], Awaitable[T]]) -> T:
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_run(start))
            self._tasks[key] = task
            self._waiting[task] = 0
            task.add_done_callback(lambda done: self._forget(key, done))
        self._waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            await self._leave(key, task)

    def under_way(self, key: str) -> bool:
        return key in self._tasks

    async def _leave(self, key: str, task: asyncio.Task[T]) -> None:
        if task.done():
            return
        self._waiting[task] -= 1
        if self._waiting[task] == 0 and not self._persistent:
            # From here on nobody may join it: it ends without a result.
            self._forget(key, task)
            task.cancel()
            with CancelScope(shield=True), suppress(asyncio.CancelledError, Exception):
                await asyncio.wait([task])

    def _forget(self, key: str, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        self._waiting.pop(task, None)
        if task.done() and not task.cancelled():
            task.exception()  # those who waited have it; without this, asyncio reports it as lost


async def _run(start: Callable[[], Awaitable[T]]) -> T:
    return await start()
