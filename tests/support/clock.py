"""Fake clock: tests set the time, and its sleep waits for it."""

import asyncio

PATIENCE = 60
"""Seconds after which a test that waits has failed."""


class Clock:
    """``clock()`` is the time; ``clock.forward(seconds)`` advances it and wakes sleepers."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self._changed = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        sleeper = (self.now + seconds, event)
        self._sleepers.append(sleeper)
        self._changed.set()
        try:
            await event.wait()
        finally:
            self._sleepers.remove(sleeper)

    async def sleeping(self, count: int = 1) -> None:
        """Waits until this many tasks sleep."""
        async with asyncio.timeout(PATIENCE):
            while len(self._sleepers) < count:
                self._changed.clear()
                await self._changed.wait()

    def forward(self, seconds: float) -> None:
        self.now += seconds
        for until, event in self._sleepers:
            if until <= self.now:
                event.set()
