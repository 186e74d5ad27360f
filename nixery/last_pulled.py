"""Day of the last pull of each manifest: ``pulled/<digest>``, which decides the order of gc.

The time of the object, by the storage's clock, counts. Its content is for people.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from nixery.cache.recent import Recent
from nixery.errors import NixeryError
from nixery.human_units import DAY
from nixery.oci import Digest, hexdigits
from nixery.storage import Storage

log = structlog.get_logger()

MAX_MARKED = 50_000
"""Digests marked today, about 200 bytes each; a forgotten one is marked twice."""

Submit = Callable[[Callable[[Digest, int], None], Digest, int], object]
"""Calls a function with arguments at some time, like an executor's ``submit``."""


def mark_key(digest: Digest) -> str:
    return f"pulled/{hexdigits(digest)}"


class PullMarks:
    """Marks pulls in the background: a pull neither waits for its mark nor fails with it.

    For the event loop's thread only. Days are in UTC, like those of gc.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float], submit: Submit) -> None:
        """``clock``: this machine's, seconds since 1970."""
        self._storage = storage
        self._clock = clock
        self._submit = submit
        self._marked: Recent[Digest, int] = Recent(MAX_MARKED)

    def note(self, digest: Digest) -> None:
        """Marks a served manifest, once a day."""
        day = int(self._clock() // DAY)
        if self._marked.get(digest) != day:
            self._marked.put(digest, day)
            with suppress(RuntimeError):  # the executor is shut down
                self._submit(self._write, digest, day)

    def _write(self, digest: Digest, day: int) -> None:
        date = datetime.fromtimestamp(day * DAY, UTC).date()
        try:
            self._storage.write(mark_key(digest), f"{date}\n".encode())
        except (NixeryError, OSError) as error:
            self._marked.drop(digest)  # the next pull tries again
            log.warning("pull is not marked", digest=digest, error=str(error))
