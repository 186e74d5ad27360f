"""Packing asks whether anybody still waits for it, wherever a store path may make it long."""

import asyncio
import os
import threading
from contextlib import closing
from functools import partial

import anyio
import anyio.from_thread
import pytest
from support.archive.packing import walk
from support.archive.store_trees import LARGE, make_store

from nixery.archive import Uncompressed, Workers, pack
from nixery.archive.compress import MIB
from nixery.archive.hard_links import HardLinks
from nixery.archive.listing import child_lister
from nixery.archive.pipeline import Pipeline
from nixery.concurrency.threads import map_in_threads
from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

TOP = b"/nix/store/ddd-large"


class Cancelling:
    """A compression that cancels the scope, from a thread of the workers, at a certain block."""

    kind = key = "cancelling"
    block = MIB

    def __init__(self, scope, at):
        self._scope = scope
        self._at = at
        self._loop = asyncio.get_running_loop()
        self.blocks = 0

    def compress(self, block):
        self.blocks += 1
        if self.blocks == self._at:
            cancelled = threading.Event()
            self._loop.call_soon_threadsafe(lambda: (self._scope.cancel(), cancelled.set()))
            assert cancelled.wait(10)
        return block


class Nowhere:
    def write(self, data):
        pass


async def in_a_worker(work):
    """As the server packs. A plain ``run_sync`` of anyio 4.11 to 4.13 cancels more than its scope.

    Source: https://github.com/agronholm/anyio/issues/1113
    """
    await map_in_threads(lambda _: work(), [0], anyio.CapacityLimiter(1))


def exchange():
    with closing(Pipeline(Nowhere(), Uncompressed(), None)) as pipeline:
        pipeline.exchange(pipeline.block, 1)


def hash_twins(root):
    entries = list(walk(root + TOP))
    HardLinks(entries * 2, memoryview(bytearray(MIB))).link_target(entries[0], b"name")


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda _: exchange(), id="a block"),
        pytest.param(lambda root: list(walk(root)), id="a directory"),
        pytest.param(
            lambda root: list(child_lister(root, [TOP])(TOP)), id="a directory of a package"
        ),
        pytest.param(hash_twins, id="a file that may have a twin"),
    ],
)
async def test_each_long_part_of_it_ends(tmp_path, work):
    make_store(tmp_path, LARGE)
    work(os.fsencode(tmp_path))  # without a task it keeps running
    with anyio.CancelScope() as scope:

        def cancelled():
            anyio.from_thread.run_sync(scope.cancel)
            work(os.fsencode(tmp_path))

        await in_a_worker(cancelled)
    assert scope.cancelled_caught


async def test_a_cancelled_layer_leaves_nothing_behind(tmp_path):
    make_store(tmp_path, LARGE)
    storage = FilesystemStorage(tmp_path / "storage")
    storage.check()
    with Workers(2) as workers:
        with anyio.CancelScope() as scope:
            compression = Cancelling(scope, at=3)
            work = partial(pack, [os.fsdecode(TOP)], tmp_path, storage, compression, workers)
            await in_a_worker(work)
        assert scope.cancelled_caught
        assert compression.blocks < 9
        blocks = list(iter(lambda: workers.borrow(MIB), None))
        assert len({id(block) for block in blocks}) == len(blocks) == 4
    assert [*storage.list("staging/"), *storage.list("layers/")] == []
