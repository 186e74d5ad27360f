"""Worker threads that compress blocks, shared by all layers that are being packed.

    reading thread (one per layer)                     workers (shared)
    fill a block, hash it ── submit ─────────────────► compress it
    write results in order ◄───────────────────────────┘

Memory is bounded by the number of workers and layers: a layer owns one block and borrows more while
there are any; otherwise it waits for its own oldest one. So every layer makes progress.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Self

from nixery.storage import Buffer


class Workers:
    """``count`` threads, at least one. Close it when nothing is being packed any more."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="compress")
        # None stands for a block that is not allocated yet.
        self._blocks: SimpleQueue[memoryview | None] = SimpleQueue()
        # Two for each: while one is compressed, the next is filled.
        for _ in range(2 * count):
            self._blocks.put(None)

    def submit(self, compress: Callable[[memoryview], Buffer], block: memoryview) -> Future[Buffer]:
        return self._pool.submit(compress, block)

    def borrow(self, size: int) -> memoryview | None:
        """A block of this size, if one is free."""
        try:
            block = self._blocks.get_nowait()
        except Empty:
            return None
        return block if block and len(block) == size else memoryview(bytearray(size))

    def give_back(self, block: memoryview) -> None:
        self._blocks.put(block)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
