"""Records of requested images: ``asked/<outputs key>``, one for each image that was built.

The replica that builds the image writes the record; a pull from the caches writes nothing. The
marks of gc (``pulled/<digest>``) tell when it was last requested. A record names packages, and not
who pulled them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from nixery.errors import NixeryError
from nixery.last_pulled import mark_key
from nixery.learning.replay import MAX_REQUESTED as KEPT
from nixery.oci import Digest
from nixery.storage import Object, Stat, Storage
from nixery.tables.request_record import RequestRecord, decode, encode

log = structlog.get_logger()

PREFIX = "asked/"
MAX_REQUEST_RECORD = 1 << 20
"""Bytes of a record with 8,000 store paths; larger ones are not stored."""
MAX_WAITING_RECORDS = 50
"""Records that may wait for a slow storage; further ones are dropped."""
READ_THREADS = 16
"""Concurrent reads: a bucket answers in 30 ms."""

SubmitWrite = Callable[[Callable[[], None]], object]
"""Calls a function at some time, like an executor's ``submit``."""


class RequestedImages:
    """The records of a storage, shared by all replicas."""

    def __init__(self, storage: Storage, submit: SubmitWrite) -> None:
        self._storage = storage
        self._submit = submit
        self._waiting = threading.Semaphore(MAX_WAITING_RECORDS)

    def note(self, key: str, asked: RequestRecord, manifests: Sequence[Digest]) -> None:
        """Writes a record in the background: no image waits for it, or fails with it."""

        def write() -> None:
            try:
                data = encode(asked, manifests)
                if len(data) <= MAX_REQUEST_RECORD:
                    self._storage.write(PREFIX + key, data)
            except (NixeryError, OSError, LookupError) as error:
                log.warning("requested image is not recorded", error=str(error))
            finally:
                self._waiting.release()

        if self._waiting.acquire(blocking=False):
            with suppress(RuntimeError):  # the executor is shut down
                self._submit(write)

    def times(self) -> tuple[float, list[float]]:
        """The current time, and when each record was written, by the storage's clock. Blocks."""
        return self._storage.now(), [stat.modified for stat in self._storage.list(PREFIX)]

    def latest(self, count: int = KEPT) -> list[bytes]:
        """The records of the last requested images, the oldest first. Blocks.

        Each is one line. Removes all other records, and unreadable ones.
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
