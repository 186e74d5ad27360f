"""Blocking work on many items at once."""

import threading

import anyio
import pytest

from nixery.threads import map_in_threads

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


async def test_no_more_at_once_than_allowed():
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
