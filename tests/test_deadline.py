"""Work ends at the deadline of those who requested it, packing too, and at no other."""

import asyncio
import threading
from dataclasses import replace

import anyio
import anyio.to_thread
import pytest
from support.fake_source import resolved
from support.registry import LIMITS

from nixery.archive import Packer
from nixery.errors import TimedOut
from nixery.image_name import parse
from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

BLOCK = 1 << 20


class LoopClock:
    """The event loop's, which may jump. Deadlines are looked at before ``jump`` returns."""

    def __init__(self, loop):
        self._loop = loop
        self._time = loop.time
        self._ahead = 0
        loop.time = lambda: self._time() + self._ahead

    def jump(self, seconds):
        """From another thread."""
        seen = threading.Event()

        def look():
            self._ahead += seconds
            # Timers run in the loop's next round: one round later they have.
            self._loop.call_soon(self._loop.call_soon, seen.set)

        self._loop.call_soon_threadsafe(look)
        assert seen.wait(10)


class TakesLong:
    """A compression whose first block takes longer than any request has."""

    kind, key, block = "none", "takes long", BLOCK

    def __init__(self, clock):
        self._clock = clock
        self.blocks = 0

    def compress(self, block):
        if len(block) == self.block:
            self.blocks += 1
            if self.blocks == 1:
                self._clock.jump(1000)
        return bytes(block)


async def test_packing_ends_with_the_request(registry, tmp_path):
    """The client gets the usual error, nothing remains, and the next image has its turn."""
    registry.limits = replace(LIMITS, builds=1, pack_workers=1)
    registry.storage = FilesystemStorage(tmp_path / "storage")
    registry.storage.check()
    compression = TakesLong(LoopClock(asyncio.get_running_loop()))
    registry.packer = Packer(registry.nix.root, compression)
    registry.nix.add("huge", {"share/huge": bytes(5 * BLOCK)})
    async with registry.opened() as answers:
        with pytest.raises(TimedOut, match="60 seconds"):
            await answers.image("huge", "latest")
        assert compression.blocks == 1
        assert list(registry.storage.list("staging/")) == []
        assert (await answers.image("hello", "latest")).cache == "none"


async def one_runs_out_of_time(registry, builder, left):
    """Two pulls of the same outputs: one has used up its 60 seconds, the other has time left."""
    clock = LoopClock(asyncio.get_running_loop())
    registry.source.answers["other"] = resolved("2" * 40)
    gate = registry.nix.hold("realise")
    asked = anyio.current_time()
    first = asyncio.create_task(builder.image(parse("hello"), "latest", asked + 60))
    await gate.entered.wait()
    second = asyncio.create_task(builder.image(parse("hello"), "other", asked + 60 + left))
    (flight,) = builder._builds._flights.values()
    while flight.waiting < 2:  # noqa: ASYNC110 - nothing to wait for
        await asyncio.sleep(0)
    await anyio.to_thread.run_sync(clock.jump, 60)
    gate.release.set()
    return first, second


async def test_a_caller_with_time_left_continues(registry):
    """The work was begun by another request, and ended with it."""
    async with registry.builder().opened() as builder:
        first, second = await one_runs_out_of_time(registry, builder, left=600)
        with pytest.raises(TimeoutError):
            await first
        assert (await second).cache == "none"
    assert registry.nix.steps.count("realise") == 2


async def test_a_caller_without_time_left_stops(registry):
    async with registry.builder().opened() as builder:
        for pull in await one_runs_out_of_time(registry, builder, left=0):
            with pytest.raises(TimeoutError):
                await pull
    assert registry.nix.steps.count("realise") == 1
