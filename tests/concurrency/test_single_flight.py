"""One piece of work per key, however many ask."""

import asyncio

import pytest

from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import ShuttingDown

pytestmark = pytest.mark.anyio


class Work:
    """Records its runs, and ends on request."""

    def __init__(self, error=None, *, commits=False):
        self.commits = commits
        self.runs = 0
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.cancelled = False
        self.error = error

    async def __call__(self, flight):
        self.runs += 1
        if self.commits:
            flight.commit()
        self.started.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        return "done"


async def test_all_callers_get_the_result():
    flights, work = SingleFlight(), Work()
    asking = [asyncio.create_task(flights.run("key", work)) for _ in range(10)]
    await work.started.wait()
    work.gate.set()
    assert await asyncio.gather(*asking) == ["done"] * 10
    assert work.runs == 1


async def test_all_callers_get_the_failure():
    flights, work = SingleFlight(), Work(ValueError("no"))
    asking = [asyncio.create_task(flights.run("key", work)) for _ in range(3)]
    await work.started.wait()
    work.gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error) for error in results] == ["no"] * 3


async def test_other_keys_do_not_wait():
    flights, stuck, free = SingleFlight(), Work(), Work()
    waiting = asyncio.create_task(flights.run("stuck", stuck))
    await stuck.started.wait()
    free.gate.set()
    assert await flights.run("free", free) == "done"
    stuck.gate.set()
    await waiting


async def test_what_has_ended_is_done_again():
    """Results are the caches' business; a flight ends with its work."""
    flights, work = SingleFlight(), Work()
    work.gate.set()
    await flights.run("key", work)
    await flights.run("key", work)
    assert work.runs == 2


async def test_a_client_that_leaves_does_not_end_the_work():
    flights, work = SingleFlight(), Work()
    leaver = asyncio.create_task(flights.run("key", work))
    await work.started.wait()
    stayer = asyncio.create_task(flights.run("key", work))
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    work.gate.set()
    assert await stayer == "done"
    assert work.runs == 1


async def test_a_task_without_callers_is_cancelled():
    flights, work = SingleFlight(), Work()
    leavers = [asyncio.create_task(flights.run("key", work)) for _ in range(2)]
    await work.started.wait()
    for leaver in leavers:
        leaver.cancel()
    await asyncio.gather(*leavers, return_exceptions=True)
    assert work.cancelled


async def test_a_caller_after_the_last_left_starts_a_new_task():
    """And does not share in the cancellation."""
    flights, dropped, work = SingleFlight(), Work(), Work()
    leaver = asyncio.create_task(flights.run("key", dropped))
    await dropped.started.wait()
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    work.gate.set()
    assert await flights.run("key", work) == "done"


async def test_a_committed_task_continues_for_the_next_caller():
    flights, work = SingleFlight(), Work(commits=True)
    leaver = asyncio.create_task(flights.run("key", work))
    await work.started.wait()
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    comer = asyncio.create_task(flights.run("key", work))
    await asyncio.sleep(0)
    work.gate.set()
    assert await comer == "done"
    assert work.runs == 1


async def test_closing_cancels_and_waits():
    work = Work()
    async with SingleFlight() as flights:
        asking = asyncio.create_task(flights.run("key", work))
        await work.started.wait()
    assert work.cancelled
    with pytest.raises(ShuttingDown):
        await asking
