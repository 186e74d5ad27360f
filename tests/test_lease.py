"""Leases among replicas, with the test's clock."""

import asyncio
import threading

import anyio.to_thread
import pytest

from nixery.errors import StorageFull, StorageUnavailable
from nixery.lease import HEARTBEAT, LEASE_SECONDS, Leases
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio


class SlowStorage(MemoryStorage):
    """From ``is_slow`` on, writes wait to be let through, one by one."""

    def __init__(self, clock):
        super().__init__(clock)
        self.is_slow = False
        self.failure = None
        self.entered, self.may_go_on, self.done = (threading.Event() for _ in range(3))
        self._turn = threading.Lock()

    def write(self, *arguments):
        if not self.is_slow:
            return super().write(*arguments)
        with self._turn:
            self.entered.set()
            assert self.may_go_on.wait(10)
            try:
                if self.failure:
                    raise self.failure
                return super().write(*arguments)
            finally:
                self.done.set()


@pytest.fixture
def storage(clock):
    return MemoryStorage(clock)


@pytest.fixture
def replicas(storage, clock):
    return [Leases(storage, clock.sleep) for _ in range(2)]


async def written_again(storage, version):
    # a thread writes it: nothing to wait for
    while storage.stat("leases/key").version == version:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_one_replica_holds_it(replicas):
    one, other = replicas
    assert await one.take("key")
    assert await other.take("key") is None
    assert await other.take("another key")


async def test_a_released_lease_can_be_taken(replicas):
    one, other = replicas
    async with one.kept(await one.take("key")):
        assert await other.take("key") is None
    assert await other.take("key")


async def test_a_failed_build_releases_it(replicas):
    one, other = replicas
    with pytest.raises(ValueError):
        async with one.kept(await one.take("key")):
            raise ValueError
    assert await other.take("key")


@pytest.mark.parametrize("failure", [None, StorageUnavailable("no answer")])
async def test_cancelling_while_taking_a_lease_releases_it(clock, failure):
    storage = SlowStorage(clock)
    one, other = (Leases(storage, clock.sleep) for _ in range(2))
    storage.is_slow, storage.failure = True, failure
    taking = asyncio.create_task(one.take("key"))
    await anyio.to_thread.run_sync(storage.entered.wait, 10)
    taking.cancel()
    asyncio.get_running_loop().call_soon(storage.may_go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await anyio.to_thread.run_sync(storage.done.wait, 10)
    storage.failure = None
    assert await other.take("key")


async def test_a_build_that_ends_during_a_heartbeat_releases_it(clock):
    storage = SlowStorage(clock)
    one, other = (Leases(storage, clock.sleep) for _ in range(2))
    async with one.kept(await one.take("key")):
        await clock.sleeping()
        storage.is_slow = True
        clock.forward(HEARTBEAT)
        await anyio.to_thread.run_sync(storage.entered.wait, 10)
        asyncio.get_running_loop().call_soon(storage.may_go_on.set)
    assert await other.take("key")


async def test_a_dead_holder_is_followed_after_the_time_of_the_lease(replicas, clock):
    one, other = replicas
    assert await one.take("key")  # and never heard of again
    clock.forward(LEASE_SECONDS)
    assert await other.take("key") is None
    clock.forward(0.1)
    assert await other.take("key")


async def test_only_one_follows(storage, clock):
    replicas = [Leases(storage, clock.sleep) for _ in range(10)]
    await replicas[0].take("key")
    clock.forward(LEASE_SECONDS + 1)
    taken = await asyncio.gather(*(replica.take("key") for replica in replicas))
    assert sum(lease is not None for lease in taken) == 1


async def test_a_living_holder_keeps_it(replicas, clock):
    one, other = replicas
    async with one.kept(await one.take("key")):
        for _ in range(10):
            await clock.sleeping()
            before = one._storage.stat("leases/key")
            clock.forward(HEARTBEAT)
            await written_again(one._storage, before.version)
            assert await other.take("key") is None


async def test_a_holder_that_was_thought_dead_takes_nothing_back(replicas, clock):
    """It continues to build, which only costs work; the lease stays with the other."""
    one, other = replicas
    async with one.kept(await one.take("key")):
        await clock.sleeping()
        clock.now += LEASE_SECONDS + 1
        lease = await other.take("key")
        assert lease
        clock.forward(HEARTBEAT)
    assert await one.take("key") is None


async def test_a_storage_that_fails_does_not_end_the_build(replicas, storage, monkeypatch):
    one, _ = replicas

    def fail(*_):
        raise StorageUnavailable("no answer")

    async with one.kept(await one.take("key")):
        monkeypatch.setattr(storage, "write", fail)


async def test_what_could_not_be_released_keeps_the_others_away_only(
    replicas, storage, monkeypatch
):
    one, other = replicas

    def fail(*_):
        raise StorageFull("no space")

    with monkeypatch.context() as full:
        async with one.kept(await one.take("key")):
            full.setattr(storage, "write", fail)
    assert await other.take("key") is None
    assert await one.take("key")


async def test_every_heartbeat_writes_other_content(replicas, storage, clock):
    """S3's conditions compare contents: a renewed lease must differ from the previous one."""
    async with replicas[0].kept(await replicas[0].take("key")):
        seen = {storage.objects["leases/key"]}
        for count in (2, 3):
            await clock.sleeping()
            before = storage.stat("leases/key").version
            clock.forward(HEARTBEAT)
            await written_again(storage, before)
            seen.add(storage.objects["leases/key"])
            assert len(seen) == count


async def test_without_conditional_writes_everybody_builds(storage, replicas, monkeypatch):
    monkeypatch.setattr(MemoryStorage, "conditional", False)
    for replica in replicas:
        async with replica.kept(await replica.take("key")):
            pass
    assert not list(storage.list("leases/"))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}"])
async def test_an_unreadable_lease_is_free(replicas, storage, data):
    storage.write("leases/key", data)
    assert await replicas[0].take("key")
