"""One piece of work per key at a time, however many ask for it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio

from nixery.errors import ShuttingDown

T = TypeVar("T")


@dataclass(eq=False)
class Flight(Generic[T]):
    """What the work is given: by ``commit`` it says that it is worth finishing in any case."""

    waiting: int = 0
    committed: bool = False
    task: "asyncio.Task[T] | None" = field(default=None, repr=False)

    def commit(self) -> None:
        """From now on the work goes on, also when nobody waits for it any more."""
        self.committed = True


class SingleFlight(Generic[T]):
    """Whoever asks for a key that is being worked on waits for that work and gets its result.

    The work belongs to nobody who waits: a client that leaves does not end it for the others. Work
    that nobody waits for any more is dropped, unless it has committed itself. Leaving the ``async
    with`` block cancels what is still under way and waits for its end, so that no process of it
    outlives the server.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}

    def is_running(self, key: Hashable) -> bool:
        """Whether ``run`` would wait for work that somebody else began."""
        return key in self._flights

    async def run(self, key: Hashable, work: Callable[[Flight[T]], Coroutine[Any, Any, T]]) -> T:
        """The result of ``work``, or its exception, shared by all who wait for the key.

        Raises ShuttingDown where the work was cancelled by ``cancel``.
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
                raise ShuttingDown("the server is ending; ask again in a moment") from None
            raise
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.committed and not flight.task.done():
                # Whoever asks from now on starts anew, and does not get the cancellation.
                self._forget(key, flight)
                flight.task.cancel()
                # The last one to leave waits until the work has cleaned up behind itself.
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([flight.task])

    def _landed(self, key: Hashable, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # everybody who waited may have left: this marks it as seen

    def _forget(self, key: Hashable, flight: Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cancel()

    async def cancel(self) -> None:
        """Ends what is under way, and waits until it has cleaned up behind itself."""
        tasks = [flight.task for flight in self._flights.values() if flight.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
