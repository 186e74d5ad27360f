"""The connections to the bucket: how long they may take, and what its clock says."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from nixery.storage.patience import Patience

CONNECTIONS = 64
"""Kept open at once; the library's own pool of 10 would open and close them under load."""


class Adapter(HTTPAdapter):
    """Gives every request the same limits, also those that libraries send on their own."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(pool_maxsize=CONNECTIONS)
        self._limits = (patience.connect, patience.stall)

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:  # noqa: ANN401 - requests'
        return super().send(request, **{**options, "timeout": self._limits})


def limited(session: Session, adapter: HTTPAdapter) -> Session:
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


class ServerClock:
    """The bucket's time, known from the ``Date`` of its responses and kept on from there.

    A Date has whole seconds, so this is right to half a second and half a round trip; replicas
    that compare times must allow for two seconds.
    """

    def __init__(
        self,
        ask: Callable[[], object],
        renew: float = 600,
        local: Callable[[], float] | None = None,
    ) -> None:
        """``ask``: makes any request. ``renew``: seconds after which its answer is looked at.

        ``local``: a clock that never jumps.
        """
        self._ask = ask
        self._renew = renew
        self._local = local or time.monotonic
        self._offset = 0.0
        self._heard = float("-inf")
        self._last = float("-inf")

    def hear(self, response: Response, *_: object, **__: object) -> None:
        """A hook for requests: called with every response."""
        date = response.headers.get("Date")
        if date is None or not self._is_old():
            return
        received = self._local()
        sent = received - response.elapsed.total_seconds()
        self._offset = parsedate_to_datetime(date).timestamp() + 0.5 - (sent + received) / 2
        self._heard = received

    def now(self) -> float:
        if self._is_old():
            self._ask()
        self._last = max(self._last, self._local() + self._offset)
        return self._last

    def _is_old(self) -> bool:
        return self._local() - self._heard > self._renew
