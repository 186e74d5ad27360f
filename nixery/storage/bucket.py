"""What the bucket storages share: limits of requests, and uploads to ``staging/``."""

from dataclasses import dataclass
from typing import Self

import structlog

from nixery.errors import NixeryError

log = structlog.get_logger()

BLOB_TYPE = "application/octet-stream"
POOL_SIZE = 64
"""Connections kept open; the client libraries keep 10, and would reconnect under load."""
RANGE_BYTES = 4 << 20
"""Bytes per request when a blob is streamed through this server."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of requests, in seconds. A request ends after at most ``deadline + stall``."""

    deadline: float = 60
    """A request is not repeated after this time."""
    stall: float = 20
    """An attempt fails after this time without a byte."""
    connect: float = 5
    """Time to open a connection."""
    pause: float = 0.5
    """Upper bound of the first pause between attempts; doubled for each further pause."""


PATIENT = Patience()
"""For servers: short enough that the client still waits when a pull fails."""


class StagedUpload:
    """Base class of an upload: leaving the block removes what is in ``staging/``."""

    def __init__(self, key: str) -> None:
        """``key``: of the staged object."""
        self.key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._discard()
        except NixeryError as failure:  # it is swept later
            log.warning("staged object not removed", key=self.key, error=failure.message)

    def _discard(self) -> None:
        """Removes the staged object, or ends its upload. Raises NixeryError."""
        raise NotImplementedError
