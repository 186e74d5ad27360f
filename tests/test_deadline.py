"""A store path may be larger than a request has time; its packing ends with the request."""

import asyncio
import threading
from dataclasses import replace

import pytest
from registry import LIMITS

from nixery.archive import Packer
from nixery.errors import TimedOut
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
    """The client is told as elsewhere, nothing is left behind, and the next image has its turn."""
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
