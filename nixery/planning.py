"""Planning tables of a server: the current tables, and the tasks that update them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from nixery.cache import CachedImage
from nixery.closure import Closure, Package
from nixery.layers import READS, Strategy, Tables
from nixery.learning.requested_images import RequestedImages, SubmitWrite
from nixery.learning.schedule import Learner
from nixery.storage import Storage
from nixery.tables import popularity
from nixery.tables.current import CurrentTables
from nixery.tables.published import Published
from nixery.tables.request_record import RequestRecord

POPULARITY_WAIT = 5.0
"""Seconds that the first images of a new server wait for the popularity table: an image planned
without it would keep that plan."""


class PlanningTables:
    def __init__(
        self,
        storage: Storage,
        *,
        strategy: Strategy,
        budget: int,
        popularity_url: str = "",
        submit: SubmitWrite | None = None,
    ) -> None:
        """``submit``: runs the writing of records; by default in a thread of its own."""
        self._published = Published(storage)
        self._current = CurrentTables(self._published, READS[strategy])
        self._waits = "popularity" in READS[strategy]
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="asked")
        self._asked = RequestedImages(storage, submit or self._recording.submit)
        self._watch = (
            popularity.PopularityWatch(popularity_url, self._published, popularity.load)
            if popularity_url
            else None
        )
        self._learner = (
            Learner(self._asked, self._published, budget) if "units" in READS[strategy] else None
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["PlanningTables"]:
        """Watches and learns until the block is left, then cancels that."""
        tasks = []
        if self._watch:
            tasks.append(asyncio.create_task(self._watch.watch()))
        if self._learner:
            tasks.append(asyncio.create_task(self._learner.keep_learning()))
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Pending records are dropped: the shutdown must not wait for a bucket that hangs.
            self._recording.shutdown(wait=False, cancel_futures=True)

    def current(self) -> tuple[Tables, Mapping[str, str]]:
        """The current tables, and their versions by kind.

        Blocks, and raises the errors of the storage.
        """
        if self._waits and self._watch and not self._published.current("popularity").version:
            self._watch.looked.wait(POPULARITY_WAIT)
        return self._current.load()

    def record(self, made: CachedImage, packages: Iterable[Package], closure: Closure) -> None:
        """Records a built image, to learn from. Does not block, and never fails."""
        if self._learner:
            paths = tuple(path for package in packages for path in package.paths)
            manifests = [manifest.digest for manifest in made.manifests.values()]
            self._asked.note(made.outputs_key, RequestRecord(paths, closure), manifests)
