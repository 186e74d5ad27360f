"""The number of concurrent builds."""

import asyncio

import pytest

from nixery.concurrency.queue import Queue, WaitingLine
from nixery.errors import TooBusy

pytestmark = pytest.mark.anyio


async def test_the_others_wait_their_turn():
    queue, order = Queue(1, WaitingLine(10)), []

    async def build(name, entered, release):
        async with queue.turn():
            order.append(name)
            entered.set()
            await release.wait()

    first_in, second_in = asyncio.Event(), asyncio.Event()
    release = asyncio.Event()
    first = asyncio.create_task(build("first", first_in, release))
    await first_in.wait()
    second = asyncio.create_task(build("second", second_in, release))
    await asyncio.sleep(0)
    assert order == ["first"]
    release.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]


async def test_a_long_wait_is_refused():
    queue = Queue(1, WaitingLine(10), patience=0)
    async with queue.turn():
        with pytest.raises(TooBusy):
            async with queue.turn():
                pytest.fail("there is one turn only")
    async with queue.turn():  # free again
        pass


async def test_leaving_the_queue_takes_no_turn():
    queue = Queue(1, WaitingLine(10))

    async def wait():
        async with queue.turn():
            pass

    async with queue.turn():
        leaver = asyncio.create_task(wait())
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
    async with queue.turn():
        pass


async def test_a_failed_build_frees_its_turn():
    queue = Queue(1, WaitingLine(10))
    with pytest.raises(ValueError):
        async with queue.turn():
            raise ValueError
    async with queue.turn():
        pass


async def test_a_full_line_admits_nobody():
    """A caller with a turn does not wait; one that leaves the queue makes room in it."""
    line = WaitingLine(1)
    queues = [Queue(1, line), Queue(1, line)]

    async def wait():
        async with queues[0].turn():
            pass

    async with queues[0].turn(), queues[1].turn():
        line.admit()
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            line.admit()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        line.admit()
