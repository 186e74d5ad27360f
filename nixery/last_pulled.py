"""When a manifest was last pulled, to the day: ``pulled/<digest>``, for gc's order.

The object's time, by the store's clock, is what counts; its content is for people who look.
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
"""Digests marked today, about 200 bytes each; what is forgotten is marked twice."""

Submit = Callable[[Callable[[Digest, int], None], Digest, int], object]
"""Has a function called with its arguments, at some time; executors have it."""


def mark_key(digest: Digest) -> str:
    return f"pulled/{hexdigits(digest)}"


class PullMarks:
    """Notes pulls in the background: a pull neither waits for its mark nor fails with it.

    Used by the event loop's thread; the days are those of UTC, in which gc counts as well.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float], submit: Submit) -> None:
        """``clock``: seconds since 1970, of this machine."""
        self._storage = storage
        self._clock = clock
        self._submit = submit
        self._marked: Recent[Digest, int] = Recent(MAX_MARKED)

    def note(self, digest: Digest) -> None:
        """A manifest was served. It is marked once a day."""
        day = int(self._clock() // DAY)
        if self._marked.get(digest) != day:
            self._marked.put(digest, day)
            with suppress(RuntimeError):  # the executor of a server that ends takes nothing more
                self._submit(self._write, digest, day)

    def _write(self, digest: Digest, day: int) -> None:
        date = datetime.fromtimestamp(day * DAY, UTC).date()
        try:
            self._storage.write(mark_key(digest), f"{date}\n".encode())
        except (NixeryError, OSError) as error:
            self._marked.drop(digest)  # the next pull tries again
            log.warning("pull is not marked", digest=digest, error=str(error))
