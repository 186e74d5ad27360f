"""The limit of open connections, and which connections are closed to stay below it.

The number of open descriptors of a process is limited (RLIMIT_NOFILE). Without a free one it cannot
accept a connection, read a file or start a program. So RESERVED_DESCRIPTORS, or a quarter of the
limit if that is less, are reserved for pipes, buckets and files being packed. Clients may use the
rest:

    a connection                           1
    a file or bucket object sent on it     2    the file, and a duplicate of the socket

If all are used and another client connects, connections are closed in this order:

    silent     has not sent a whole request yet; the oldest first
    idle       its requests are answered; the longest idle first
    stalled    the client has received nothing of its response for STALLED_UNDER_PRESSURE seconds;
               the longest first
    busy       a request is being answered: never closed; the new connection is refused instead

Files and bucket objects may use only half of the descriptors that are not reserved, so that other
requests are answered even if clients request many blobs and do not read them.
"""

import resource
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import structlog
from starlette.types import Scope

from nixery.errors import TooBusy
from nixery.logs.throttle import Later, LogThrottle

log = structlog.get_logger()

MOST_DESCRIPTORS = 65_536
"""Upper bound of the raised limit: child processes inherit it, and some scan all possible
descriptors."""
RESERVED_DESCRIPTORS = 1_024
PER_BODY = 2
STALLED_UNDER_PRESSURE = 30.0
"""Seconds without progress after which a response may be interrupted to make room."""
CHECK_INTERVAL = 1.0
"""Seconds between checks of the progress of all busy connections."""
EXTENSION = "nixery.body"
"""Key in ``scope["extensions"]`` of the connection's ``Connections.body``."""


class Connection(Protocol):
    def drop(self) -> None:
        """Closes the connection at once."""

    def progress(self) -> object | None:
        """Changes whenever the client receives a byte; None if everything has been sent."""


class Connections:
    """The connections of one server. Call it only from its event loop's thread."""

    def __init__(
        self, limit: int, later: Later | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``limit``: descriptors of the whole process. ``later``: see LogThrottle."""
        self._clock = clock
        self._checked = -CHECK_INTERVAL
        self._last_progress: dict[Connection, tuple[object, float]] = {}
        self._room = limit - min(RESERVED_DESCRIPTORS, limit // 4)
        self._silent: OrderedDict[Connection, None] = OrderedDict()
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._busy: OrderedDict[Connection, None] = OrderedDict()
        self._bodies = 0
        report: Callable[..., object] = self._report
        self._tally = LogThrottle(report, later) if later else LogThrottle(report)

    def admit(self, connection: Connection) -> bool:
        """Adds the connection if there is room. If this returns False, the caller must close it."""
        if not self._make_room(1):
            self._tally.note("refused")
            return False
        self._silent[connection] = None
        return True

    def mark_busy(self, connection: Connection) -> None:
        """Records that a whole request arrived."""
        if self._is_known(connection):
            self.remove(connection)
            self._busy[connection] = None

    def mark_idle(self, connection: Connection) -> None:
        """Records that all requests are answered."""
        if self._is_known(connection):
            self.remove(connection)
            self._idle[connection] = None

    def remove(self, connection: Connection) -> None:
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)
        self._last_progress.pop(connection, None)

    @contextmanager
    def body(self) -> Iterator[None]:
        """Reserves the descriptors of a response body that is read from a file or a bucket.

        Raises TooBusy if the limit is reached.
        """
        if PER_BODY * (self._bodies + 1) > self._room // 2 or not self._make_room(PER_BODY):
            self._tally.note("files refused")
            raise TooBusy("too many files are being sent; try again in a moment")
        self._bodies += 1
        try:
            yield
        finally:
            self._bodies -= 1

    def on_accept_failed(self) -> None:
        """Records that accept(2) found no free descriptor."""
        self._tally.note("not accepted")
        self._close_one()

    def _make_room(self, count: int) -> bool:
        while self._taken() + count > self._room:
            if not self._close_one():
                return False
        return True

    def _close_one(self) -> bool:
        for connections in (self._silent, self._idle):
            if connections:
                connection, _ = connections.popitem(last=False)
                connection.drop()
                self._tally.note("closed")
                return True
        return self._close_stalled()

    def _close_stalled(self) -> bool:
        now = self._clock()
        if now - self._checked >= CHECK_INTERVAL:
            self._checked = now
            self._record_progress(now)
        if not self._last_progress:
            return False
        stalled = min(
            self._last_progress, key=lambda connection: self._last_progress[connection][1]
        )
        progress, since = self._last_progress[stalled]
        if now - since < STALLED_UNDER_PRESSURE or stalled.progress() != progress:
            return False
        self.remove(stalled)
        stalled.drop()
        self._tally.note("stalled")
        return True

    def _record_progress(self, now: float) -> None:
        for connection in self._busy:
            progress = connection.progress()
            if progress is None:
                self._last_progress.pop(connection, None)
            elif (
                connection not in self._last_progress
                or self._last_progress[connection][0] != progress
            ):
                self._last_progress[connection] = progress, now

    def _taken(self) -> int:
        connections = len(self._silent) + len(self._idle) + len(self._busy)
        return connections + PER_BODY * self._bodies

    def _is_known(self, connection: Connection) -> bool:
        """False for connections that were closed here and still have events to come."""
        return connection in self._busy or connection in self._silent or connection in self._idle

    def _report(self, counts: dict[str, int]) -> None:
        log.warning("too many connections", room=self._room, **counts)


def body_of(scope: Scope) -> AbstractContextManager[None]:
    """``Connections.body`` of the request's server; a null context under other servers."""
    body = scope.get("extensions", {}).get(EXTENSION)
    return body() if body else nullcontext()


def descriptor_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Raises the limit as far as the system allows, up to a bound. Shells and systemd set 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
