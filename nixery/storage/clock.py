"""A bucket's clock, which all who share the bucket agree on."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from nixery.errors import StorageUnavailable


class ServerClock:
    """The bucket's time, known from the ``Date`` of its responses and kept on from there.

    A Date has whole seconds, so this is right to half a second and half a round trip; replicas
    that compare times must allow for two seconds.
    """

    def __init__(
        self,
        ask: Callable[[], object],
        renew: float = 600,
        local: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask``: makes any request. ``renew``: seconds after which its answer is looked at.

        ``local``: a clock that never jumps.
        """
        self._ask = ask
        self._renew = renew
        self._local = local
        self._offset = 0.0
        self._heard = float("-inf")
        self._last = float("-inf")

    def hear(self, date: str | None, seconds: float = 0) -> None:
        """To be told of every response: its ``Date``, and how long the request took."""
        if date is None or not self._is_old():
            return
        received = self._local()
        self._offset = parsedate_to_datetime(date).timestamp() + 0.5 + seconds / 2 - received
        self._heard = received

    def now(self) -> float:
        """Raises StorageUnavailable where the bucket has never told its time."""
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
            raise StorageUnavailable("the bucket does not say what time it is")

    def _is_old(self) -> bool:
        return self._local() - self._heard > self._renew
