"""Single-flight: one task per key, shared by all callers."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import anyio

from nixery.errors import ShuttingDown

T = TypeVar("T")


@dataclass(eq=False)
class Flight(Generic[T]):
    """Handle of the running task, passed to ``work``."""

    waiting: int = 0
    committed: bool = False
    task: "asyncio.Task[T] | None" = field(default=None, repr=False)

    def commit(self) -> None:
        """Keeps the task running even if all callers leave."""
        self.committed = True


class SingleFlight(Generic[T]):
    """Callers with the key of a running task wait for it and share its result.

    A task belongs to no caller: one that leaves does not cancel it for the others. A task without
    callers is cancelled, unless it called ``commit``. Leaving the ``async with`` block cancels
    running tasks and waits for them, so that none of their processes outlives the server.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}

    def is_running(self, key: Hashable) -> bool:
        """Whether ``run`` would join a running task."""
        return key in self._flights

    async def run(self, key: Hashable, work: Callable[[Flight[T]], Coroutine[Any, Any, T]]) -> T:
        """The result of ``work``, or its exception, shared by all callers of the key.

        Raises ShuttingDown if ``cancel`` cancelled the task.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight()
            flight.task = asyncio.create_task(work(flight))
            flight.task.add_done_callback(lambda task: self._landed(key, flight, task))
        assert flight.task is not None
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            leaving = asyncio.current_task()
            if flight.task.cancelled() and leaving and not leaving.cancelling():
                raise ShuttingDown("the server is shutting down; try again in a moment") from None
            raise
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.committed and not flight.task.done():
                # New callers start another task instead of getting the cancellation.
                self._forget(key, flight)
                flight.task.cancel()
                # The last caller waits until the task has cleaned up.
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([flight.task])

    def _landed(self, key: Hashable, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved, even if all callers left

    def _forget(self, key: Hashable, flight: Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel()

    async def cancel(self) -> None:
        """Cancels all tasks, and waits until they have cleaned up."""
        tasks = [flight.task for flight in self._flights.values() if flight.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
