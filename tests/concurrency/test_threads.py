"""Blocking work: on many items at once, and work that may never end."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from nixery.concurrency.threads import map_in_threads, run_abandoned, stop_if_cancelled

pytestmark = pytest.mark.anyio


async def test_results_come_in_the_order_of_the_items():
    """Even though the last one is the first to end."""
    last = threading.Event()

    def work(number):
        if number == 1:
            last.set()
        else:
            assert last.wait(10)
        return number * 10

    assert await map_in_threads(work, [0, 1], anyio.CapacityLimiter(2)) == (0, 10)


async def test_concurrency_is_limited():
    lock, running, most = threading.Lock(), 0, 0

    def work(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    await map_in_threads(work, range(50), anyio.CapacityLimiter(1))
    assert most == 1


async def test_a_failure_is_raised_as_it_is():
    def work(number):
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        await map_in_threads(work, [0], anyio.CapacityLimiter(1))


async def test_nothing_is_started_after_a_failure():
    started = []

    def work(number):
        started.append(number)
        raise ValueError

    with pytest.raises(ValueError):
        await map_in_threads(work, range(100), anyio.CapacityLimiter(1))
    assert len(started) < 100


async def test_long_work_ends_with_its_caller():
    """The scope is that of a deadline; the task group between it and the thread is not involved."""
    with anyio.CancelScope() as scope:

        def work(_):
            stop_if_cancelled()
            anyio.from_thread.run_sync(scope.cancel)
            stop_if_cancelled()
            pytest.fail("it was not told")

        await map_in_threads(work, [0], anyio.CapacityLimiter(1))
    assert scope.cancelled_caught


async def test_long_work_ends_when_another_fails():
    fails, told = threading.Event(), threading.Event()

    def work(number):
        if number == 1:
            assert fails.wait(10)
            raise ValueError
        fails.set()
        give_up = time.monotonic() + 10
        try:
            while time.monotonic() < give_up:
                stop_if_cancelled()
        except asyncio.CancelledError:
            told.set()
            raise

    with pytest.raises(ValueError):
        await map_in_threads(work, [0, 1], anyio.CapacityLimiter(2))
    assert told.is_set()


def test_work_that_no_task_waits_for_goes_on():
    stop_if_cancelled()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(stop_if_cancelled).result()


async def test_work_that_may_never_end_gives_its_result():
    assert await run_abandoned(lambda: 7) == 7


async def test_or_raises_what_it_raises():
    def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        await run_abandoned(work)


async def test_abandoned_work_continues_after_cancellation():
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work():
        begun.set()
        may_end.wait()
        ended.set()

    waiting = asyncio.create_task(run_abandoned(work))
    await anyio.to_thread.run_sync(begun.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_end.set()
    assert await anyio.to_thread.run_sync(ended.wait, 10)
