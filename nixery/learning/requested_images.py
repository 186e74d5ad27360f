"""What was asked for: ``asked/<outputs key>``, a record for each image that was made.

Written once, when the image is made, by whichever replica makes it: a pull from the caches writes
nothing. When it was last asked for is known all the same, from the marks that gc goes by
(``pulled/<digest>``). It names packages and nobody who pulled them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from nixery.errors import NixeryError
from nixery.last_pulled import mark_key
from nixery.learning.replay import ASKED as KEPT
from nixery.oci import Digest
from nixery.storage import Object, Stat, Storage
from nixery.tables.request_record import RequestRecord, decode, encode

log = structlog.get_logger()

PREFIX = "asked/"
MAX_REQUEST_RECORD = 1 << 20
"""Bytes of a record, of some 8,000 store paths; what is larger is not kept."""
MAX_WAITING_RECORDS = 50
"""Records that may wait for a slow storage; those that come then are dropped."""
READ_THREADS = 16
"""Objects read at once: a bucket answers in some 30 ms."""

SubmitWrite = Callable[[Callable[[], None]], object]
"""Has a function called, at some time; executors have it."""


class RequestedImages:
    """The records of a storage, which all replicas share."""

    def __init__(self, storage: Storage, submit: SubmitWrite) -> None:
        self._storage = storage
        self._submit = submit
        self._waiting = threading.Semaphore(MAX_WAITING_RECORDS)

    def note(self, key: str, asked: RequestRecord, manifests: Sequence[Digest]) -> None:
        """Keeps a record in the background: no image waits for it, or fails with it."""

        def write() -> None:
            try:
                data = encode(asked, manifests)
                if len(data) <= MAX_REQUEST_RECORD:
                    self._storage.write(PREFIX + key, data)
            except (NixeryError, OSError, LookupError) as error:
                log.warning("what was asked for is not recorded", error=str(error))
            finally:
                self._waiting.release()

        if self._waiting.acquire(blocking=False):
            with suppress(RuntimeError):  # the executor of a server that ends takes nothing more
                self._submit(write)

    def times(self) -> tuple[float, list[float]]:
        """Now, and when each record was written, by the storage's clock. Blocks, but reads none."""
        return self._storage.now(), [stat.modified for stat in self._storage.list(PREFIX)]

    def latest(self, count: int = KEPT) -> list[bytes]:
        """The records of the images that were asked for last, the oldest first. Blocks.

        Each is one line. Removes all other records, and those that cannot be read.
        """
        found: list[tuple[float, Stat, bytes]] = []
        with ThreadPoolExecutor(READ_THREADS) as threads:
            for record in filter(None, threads.map(self._read, self._storage.list(PREFIX))):
                decoded = None if b"\n" in record.data else decode(record.data)
                if decoded:
                    last = max([record.stat.modified, *self._pulled(decoded[1])])
                    found.append((last, record.stat, record.data))
                else:
                    self._storage.delete(record.stat)
        found.sort(key=lambda entry: (entry[0], entry[1].key))
        for _, stat, _ in found[:-count]:
            self._storage.delete(stat)
        return [data for _, _, data in found[-count:]]

    def _read(self, stat: Stat) -> Object | None:
        return self._storage.read(stat.key)

    def _pulled(self, manifests: Iterable[Digest]) -> Iterator[float]:
        for digest in manifests:
            if mark := self._storage.stat(mark_key(digest)):
                yield mark.modified
