"""The connections to the bucket, and how long they may take."""

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
