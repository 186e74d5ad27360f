"""TTL cache of what moving names (branches, tags, paths) resolved to.

A name is resolved at most once every ``ttl`` seconds, for all callers together. If the remote does
not answer, the last result is used for up to a day: a pull of ``latest`` should rather get an older
image than none.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from nixery.concurrency.queue import QUEUE, Queue, WaitingLine
from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import SourceUnavailable, TagUnknown

T = TypeVar("T")
Clock = Callable[[], float]

log = structlog.get_logger()

STALE = 24 * 3600.0
"""Seconds after which a result is no longer used, even if there is no other."""
NAMES = 10_000
"""Maximum number of names; clients choose them."""
NEW_AT_ONCE = 100
"""New names that are resolved at once; together, so that they share a listing of the remote. Known
names do not wait for them."""


class TtlCache(Generic[T]):
    """``clock``: monotonic, in seconds."""

    def __init__(self, ttl: float, clock: Clock, waiting: int = QUEUE) -> None:
        """``waiting``: new names that may wait; more are refused."""
        self._line = WaitingLine(waiting)
        self._turns = Queue(NEW_AT_ONCE, self._line, doing="resolved")
        self._ttl = ttl
        self._clock = clock
        self._answers: dict[str, tuple[T, float]] = {}
        self._retry: dict[str, float] = {}
        self._lookups: SingleFlight[T] = SingleFlight()

    async def get_or_find(self, name: str, find: Callable[[], Awaitable[T]]) -> T:
        """The result of ``find``, or the last one. Raises the errors of ``find``, and TooBusy."""
        now = self._clock()
        known = self._answers.get(name)
        if known and (now - known[1] < self._ttl or now < self._retry.get(name, 0)):
            return known[0]
        if known is None and not self._lookups.is_running(name):
            self._line.admit()
            return await self._lookups.run(name, lambda _: self._look_up_new(name, find))
        return await self._lookups.run(name, lambda _: self._look_up(name, find))

    async def _look_up_new(self, name: str, find: Callable[[], Awaitable[T]]) -> T:
        async with self._turns.turn():
            return await self._look_up(name, find)

    async def _look_up(self, name: str, find: Callable[[], Awaitable[T]]) -> T:
        now = self._clock()
        known = self._answers.get(name)
        try:
            answer = await find()
        except SourceUnavailable as error:
            if known is None or now - known[1] >= STALE:
                raise
            # No attempt for a while: each may take as long as its timeout.
            self._retry[name] = self._clock() + self._ttl
            log.warning("serving the last known revision", name=name, reason=error.message)
            return known[0]
        except TagUnknown:
            self._drop(name)
            raise
        self._drop(name)
        while len(self._answers) >= NAMES:
            self._drop(next(iter(self._answers)))
        self._answers[name] = (answer, self._clock())
        return answer

    def _drop(self, name: str) -> None:
        self._answers.pop(name, None)
        self._retry.pop(name, None)
