"""Blocking work in threads: over many items, or in a thread that may never end."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


async def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], limiter: anyio.CapacityLimiter
) -> tuple[Result, ...]:
    """``function`` of every item, in order, as many at once as the limiter allows.

    The first exception is raised unchanged, after the running calls have ended. A thread cannot be
    interrupted, so cancellation waits for running calls and starts no others; a long function calls
    ``stop_if_cancelled`` regularly.
    """
    results: dict[int, Result] = {}

    async def run(index: int) -> None:
        results[index] = await anyio.to_thread.run_sync(function, items[index], limiter=limiter)

    try:
        async with anyio.create_task_group() as tasks:
            for index in range(len(items)):
                tasks.start_soon(run, index)
    except ExceptionGroup as group:
        # The others failed because of the first, or for the same reason.
        raise group.exceptions[0] from None
    return tuple(results[index] for index in range(len(items)))


def stop_if_cancelled() -> None:
    """Raises the cancellation of the task that waits for this thread, if there is one.

    For functions that ``map_in_threads`` runs: with anyio 4.11 to 4.13, the cancellation passes the
    scope of a task that awaits the thread itself (https://github.com/agronholm/anyio/issues/1113).
    Takes one or two microseconds. Does nothing if no task waits.
    """
    with suppress(RuntimeError):  # not a thread of anyio
        anyio.from_thread.check_cancelled()


async def run_abandoned(work: Callable[[], Result]) -> Result:
    """The result of ``work``, or its exception, from a new thread.

    Cancellation abandons the thread. Unlike a thread of a pool, it does not keep the process alive.
    """
    ended: Future[Result] = Future()
    ended.set_running_or_notify_cancel()  # from now on only the thread changes it

    def run() -> None:
        try:
            ended.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised below
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(ended)
