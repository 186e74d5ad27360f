"""One run for everybody who wants the same thing at the same time."""

import asyncio

import pytest

from nixery.source.flight import Flights

pytestmark = pytest.mark.anyio


class Work:
    """Runs until it is told to end; counts what became of it."""

    def __init__(self):
        self.started = asyncio.Event()
        self.end = asyncio.Event()
        self.runs = self.cancelled = 0

    async def __call__(self):
        self.runs += 1
        self.started.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.runs


async def test_joined():
    """Two wait for one run; the next one after it is a new run; other keys are apart."""
    flights, work = Flights(), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await work.started.wait()
    assert flights.under_way("a")
    work.end.set()
    assert await asyncio.gather(*waiting) == [1, 1]
    assert not flights.under_way("a")
    assert await flights.join("a", work) == 2


async def test_errors_reach_everybody():
    async def fail():
        raise ValueError("no")

    flights = Flights()
    results = await asyncio.gather(
        *(flights.join("a", fail) for _ in range(3)), return_exceptions=True
    )
    assert [str(error) for error in results] == ["no"] * 3


@pytest.mark.parametrize("persistent", [False, True])
async def test_leaving(persistent):
    """It ends with the last who leaves, unless it is worth having without anybody waiting."""
    flights, work = Flights(persistent=persistent), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await work.started.wait()
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert (work.cancelled, flights.under_way("a")) == (0, True)
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert (work.cancelled, flights.under_way("a")) == ((0, True) if persistent else (1, False))
    work.end.set()
    assert await flights.join("a", work) == (1 if persistent else 2)


async def test_joining_what_is_being_ended():
    """Whoever comes while a run is cleaning up starts a new one."""
    flights, work = Flights(), Work()
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def slow_to_end():
        try:
            await work()
        finally:
            cleaning.set()
            await cleaned.wait()

    first = asyncio.create_task(flights.join("a", slow_to_end))
    await work.started.wait()
    first.cancel()
    await cleaning.wait()
    work.end.set()
    assert await flights.join("a", work) == 2
    assert not first.done()
    cleaned.set()
    await asyncio.wait([first])
    assert first.cancelled()
