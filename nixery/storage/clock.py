"""The clock of a bucket, which is the same for all its users."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from nixery.errors import StorageUnavailable


class ServerClock:
    """The bucket's time: learned from ``Date`` headers, then advanced by the local clock.

    A Date has whole seconds, so the error is half a second and half a round trip. Replicas that
    compare times must allow for two seconds.
    """

    def __init__(
        self,
        ask: Callable[[], object],
        renew: float = 600,
        local: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask``: makes any request. ``renew``: seconds until the time is learned again.

        ``local``: a monotonic clock.
        """
        self._ask = ask
        self._renew = renew
        self._local = local
        self._offset = 0.0
        self._heard = float("-inf")
        self._last = float("-inf")

    def hear(self, date: str | None, seconds: float = 0) -> None:
        """To call for every response, with its ``Date`` and the duration of the request."""
        if date is None or not self._is_old():
            return
        received = self._local()
        self._offset = parsedate_to_datetime(date).timestamp() + 0.5 + seconds / 2 - received
        self._heard = received

    def now(self) -> float:
        """Raises StorageUnavailable if no response had a Date yet."""
        if self._is_old():
            self._look()
        self._last = max(self._last, self._local() + self._offset)
        return self._last

    def _look(self) -> None:
        try:
            self._ask()
        except StorageUnavailable:
            if self._heard == float("-inf"):
                raise
        if self._heard == float("-inf"):
            raise StorageUnavailable("the bucket's responses have no Date header")

    def _is_old(self) -> bool:
        return self._local() - self._heard > self._renew
