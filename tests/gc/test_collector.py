"""The server's own collections: hourly, when something did not fit, one replica at a time."""

import asyncio
import threading

import pytest
from support.stored import DAY

from nixery.errors import StorageFull, StorageUnavailable
from nixery.gc import Collection, GarbageCollector, KeepBytes
from nixery.gc.collection import Amount
from nixery.gc.collector import PERIOD, RETRY_SECONDS
from nixery.lease import Leases
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio

NOTHING = Collection({}, Amount(), (), 0)


class Collections:
    """Counts runs, and lets a test wait for them."""

    def __init__(self):
        self.policies = []
        self.fails = None
        self._changed = asyncio.Event()
        self._loop = None

    def __call__(self, _storage, policy):
        self.policies.append(policy)
        self._loop.call_soon_threadsafe(self._changed.set)
        if self.fails:
            raise self.fails
        return NOTHING

    async def have_been(self, count):
        self._loop = asyncio.get_running_loop()
        while len(self.policies) < count:
            self._changed.clear()
            await self._changed.wait()


class Sleeps:
    """The collector's sleeps, in order; the test ends each."""

    def __init__(self):
        self._begun = asyncio.Queue()

    async def __call__(self, seconds):
        over = asyncio.Event()
        self._begun.put_nowait((seconds, over))
        await over.wait()

    async def end(self, seconds):
        """The next sleep, which must have this many seconds."""
        begun, over = await self._begun.get()
        assert begun == seconds
        over.set()

    async def begun(self, seconds):
        assert (await self._begun.get())[0] == seconds


@pytest.fixture
async def done():
    made = Collections()
    await made.have_been(0)
    return made


@pytest.fixture
async def sleeps():
    return Sleeps()


@pytest.fixture
def collector(storage, clock, done, sleeps):
    return GarbageCollector(storage, Leases(storage, clock.sleep), 100, sleep=sleeps, collect=done)


async def test_it_collects_at_the_start_and_every_hour(collector, sleeps, done):
    async with collector.opened():
        await done.have_been(1)
        for count in (2, 3):
            await sleeps.end(RETRY_SECONDS)
            await sleeps.end(PERIOD - RETRY_SECONDS)
            await done.have_been(count)
    assert done.policies == [KeepBytes(100)] * 3


async def test_it_collects_at_once_when_something_did_not_fit(
    collector, sleeps, done, storage, monkeypatch
):
    """And then as much as the disk lacks, however little is stored; later only the excess."""
    monkeypatch.setattr(storage, "bytes_to_free", lambda: 42)
    async with collector.opened():
        await sleeps.end(RETRY_SECONDS)
        await sleeps.begun(PERIOD - RETRY_SECONDS)
        collector.request_collection()
        await done.have_been(2)
        await sleeps.end(RETRY_SECONDS)
        await sleeps.end(PERIOD - RETRY_SECONDS)
        await done.have_been(3)
    assert done.policies == [KeepBytes(100), KeepBytes(100, free=42), KeepBytes(100)]


async def test_a_full_disk_does_not_make_it_collect_all_the_time(collector, sleeps, done):
    async with collector.opened():
        await done.have_been(1)
        collector.request_collection()
        await sleeps.end(RETRY_SECONDS)
        assert len(done.policies) == 1
        await done.have_been(2)


async def test_another_replica_is_at_it(collector, storage, clock, sleeps, done):
    other = Leases(storage, clock.sleep)
    async with other.kept(await other.take("gc")), collector.opened():
        await sleeps.begun(RETRY_SECONDS)
        assert not done.policies


@pytest.mark.parametrize("error", [StorageUnavailable("no answer"), OSError(5, "I/O"), KeyError()])
async def test_a_failed_collection_is_repeated(collector, sleeps, done, error):
    done.fails = error
    async with collector.opened():
        await done.have_been(1)
        done.fails = None
        await sleeps.end(RETRY_SECONDS)
        await sleeps.end(PERIOD - RETRY_SECONDS)
        await done.have_been(2)


async def test_on_a_full_disk_no_lease_is_needed(collector, storage, done, monkeypatch):
    def full(*_):
        raise StorageFull("no space for a lease")

    monkeypatch.setattr(storage, "write", full)
    async with collector.opened():
        await done.have_been(1)


async def test_without_conditions_nothing_is_collected(collector, done, monkeypatch):
    monkeypatch.setattr(MemoryStorage, "conditional", False)
    async with collector.opened():
        await asyncio.wait_for(asyncio.shield(collector_task()), 10)
    assert not done.policies


def collector_task():
    """The only task besides the test's."""
    return next(
        task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_run_periodically"
    )


async def test_the_server_ends_when_the_collection_has(storage, clock):
    entered, release = threading.Event(), threading.Event()

    def slow(_storage, _policy):
        entered.set()
        release.wait(10)
        return NOTHING

    collector = GarbageCollector(
        storage, Leases(storage, clock.sleep), 100, sleep=clock.sleep, collect=slow
    )
    async with collector.opened():
        await asyncio.to_thread(entered.wait, 10)
        release.set()
    assert b'"released":true' in storage.objects["leases/gc"]


async def test_room_is_made_on_a_full_disk_however_much_may_stay(
    storage, stored, clock, sleeps, monkeypatch
):
    monkeypatch.setattr(storage, "bytes_to_free", lambda: 1)
    old, new = stored.image("git", b"git"), stored.image("htop", b"htop")
    clock.forward(30 * DAY)
    stored.pull(new)
    clock.forward(2 * DAY)
    collector = GarbageCollector(storage, Leases(storage, clock.sleep), 1 << 40, sleep=sleeps)
    async with collector.opened():
        await sleeps.end(RETRY_SECONDS)
        await sleeps.begun(PERIOD - RETRY_SECONDS)
        assert stored.is_there(old)
        collector.request_collection()
        await sleeps.begun(RETRY_SECONDS)
    assert not stored.is_there(old)
    assert stored.is_there(new)


async def test_it_really_collects(storage, stored, clock, sleeps):
    stored.image("git", b"git")
    clock.forward(2 * DAY)
    async with GarbageCollector(storage, Leases(storage, clock.sleep), 0, sleep=sleeps).opened():
        await sleeps.begun(RETRY_SECONDS)
    assert not list(storage.list("layers/"))
