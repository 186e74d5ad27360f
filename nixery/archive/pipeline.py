"""Pipeline of a layer's blocks: hashed, compressed, and written in order."""

from collections import deque
from concurrent.futures import Future, wait
from dataclasses import dataclass
from hashlib import sha256

from nixery.archive.compress import Compression
from nixery.archive.workers import Workers
from nixery.concurrency.threads import stop_if_cancelled
from nixery.oci import Digest
from nixery.storage import Buffer, Staging


@dataclass(frozen=True, slots=True)
class _Pending:
    block: memoryview
    """The whole block, which can be reused once ``member`` is written."""
    member: Future[Buffer]


class Pipeline:
    """For one layer and one thread. Without workers, that thread compresses as well."""

    def __init__(self, staging: Staging, compression: Compression, workers: Workers | None) -> None:
        self._staging = staging
        self._compression = compression
        self._workers = workers
        self._hash = sha256()
        self._pending: deque[_Pending] = deque()
        self._own = self._lent = memoryview(bytearray(compression.block))
        self._own_is_free = False

    @property
    def block(self) -> memoryview:
        """The block to fill now."""
        return self._lent

    def exchange(self, block: memoryview, used: int) -> memoryview:
        """Takes a block of the stream; returns one to fill.

        Raises errors of writing, and the cancellation of the packing: a layer may have any size,
        and its caller has a deadline.
        """
        stop_if_cancelled()
        content = block[:used]
        self._hash.update(content)
        if self._workers is None:
            self._staging.write(self._compression.compress(content))
            return block
        member = self._workers.submit(self._compression.compress, content)
        self._pending.append(_Pending(block, member))
        while self._pending and self._pending[0].member.done():
            self._write_oldest(self._workers)
        self._lent = self._free_block(self._workers)
        return self._lent

    def finish(self) -> Digest:
        """Writes what is pending; returns the digest of the whole stream, which is the diff ID."""
        while self._workers and self._pending:
            self._write_oldest(self._workers)
        return Digest(f"sha256:{self._hash.hexdigest()}")

    def close(self) -> None:
        """Returns borrowed blocks, after success and after failure."""
        wait([pending.member for pending in self._pending if not pending.member.cancel()])
        if self._workers:
            # After a failure, the last block may be among the pending ones.
            held = [*(pending.block for pending in self._pending), self._lent]
            for block in {id(block): block for block in held}.values():
                self._release(block, self._workers)
        self._pending.clear()

    def _free_block(self, workers: Workers) -> memoryview:
        while not self._own_is_free:
            if (borrowed := workers.borrow(self._compression.block)) is not None:
                return borrowed
            self._write_oldest(workers)
        self._own_is_free = False
        return self._own

    def _write_oldest(self, workers: Workers) -> None:
        oldest = self._pending[0]
        self._staging.write(oldest.member.result())
        self._pending.popleft()
        self._release(oldest.block, workers)

    def _release(self, block: memoryview, workers: Workers) -> None:
        if block is self._own:
            self._own_is_free = True
        else:
            workers.give_back(block)
