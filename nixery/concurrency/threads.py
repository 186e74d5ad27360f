"""Blocking work: on many items at once, and such as may never end."""

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
    """``function`` of every item, in the items' order; the limiter says how many at once.

    The first failure is raised as it is, after the calls under way have ended. A thread cannot
    be interrupted, so cancellation waits for those as well and starts no others; a long function
    asks now and then, by ``stop_if_cancelled``.
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
    """Raises what cancels the task that waits for this thread, if something does.

    Takes one or two microseconds. Where no task waits for the thread it does nothing.
    """
    with suppress(RuntimeError):  # the thread is none of anyio's
        anyio.from_thread.check_cancelled()


async def run_abandoned(work: Callable[[], Result]) -> Result:
    """The result of ``work``, or its exception, from a thread of its own.

    Whoever is cancelled leaves the thread behind. It does not keep the process from ending, as a
    thread of a pool would.
    """
    ended: Future[Result] = Future()
    ended.set_running_or_notify_cancel()  # from now on nothing but its end changes it

    def run() -> None:
        try:
            ended.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised below
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(ended)
