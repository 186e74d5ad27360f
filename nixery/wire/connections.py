"""The limit of open connections, and which connections are closed to stay below it.

The number of open descriptors of a process is limited (RLIMIT_NOFILE). Without a free one it cannot
accept a connection, read a file or start a program. So connections and the files sent on them may
use most of the descriptors, and the rest is reserved:

    a connection                                     1
    a file or bucket object sent on it               2    the file, and a duplicate of the socket
    RESERVED_DESCRIPTORS, or a quarter of the limit       pipes, buckets, files being packed

Where they are used up and one more client comes, connections are closed in this order:

    silent     has not sent a whole request yet; the oldest first
    idle       its requests are answered; the one that has been idle for longest first
    busy       a request is being answered: never closed, the newcomer is
"""

import resource
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
"""The limit is not raised above this: programs that this one starts inherit it, and some walk
through all descriptors that they may have."""
RESERVED_DESCRIPTORS = 1_024
PER_BODY = 2
EXTENSION = "nixery.body"
"""Under ``scope["extensions"]``: the connection's ``Connections.body``."""


class Connection(Protocol):
    def drop(self) -> None:
        """Closes it at once; it holds nothing that a client waits for."""


class Connections:
    """Those of one server; used in its event loop."""

    def __init__(self, limit: int, later: Later | None = None) -> None:
        """``limit``: descriptors of the whole process. ``later``: see Tally."""
        self._room = limit - min(RESERVED_DESCRIPTORS, limit // 4)
        self._silent: OrderedDict[Connection, None] = OrderedDict()
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._busy: set[Connection] = set()
        self._bodies = 0
        report: Callable[..., object] = self._report
        self._tally = LogThrottle(report, later) if later else LogThrottle(report)

    def opened(self, connection: Connection) -> bool:
        """Whether there is room for it; where there is not, it must be closed."""
        if not self._make_room(1):
            self._tally.note("refused")
            return False
        self._silent[connection] = None
        return True

    def is_busy(self, connection: Connection) -> None:
        """It has sent a whole request."""
        if self._is_known(connection):
            self.closed(connection)
            self._busy.add(connection)

    def is_idle(self, connection: Connection) -> None:
        """All of its requests are answered."""
        if self._is_known(connection):
            self.closed(connection)
            self._idle[connection] = None

    def closed(self, connection: Connection) -> None:
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)
        self._busy.discard(connection)

    @contextmanager
    def body(self) -> Iterator[None]:
        """Around a response that reads a file or a bucket. Raises TooBusy where it cannot."""
        if not self._make_room(PER_BODY):
            self._tally.note("files refused")
            raise TooBusy("too many files are being sent; try again in a moment")
        self._bodies += 1
        try:
            yield
        finally:
            self._bodies -= 1

    def not_accepted(self) -> None:
        """The system had no descriptor for a client, whatever took them."""
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
        return False

    def _taken(self) -> int:
        connections = len(self._silent) + len(self._idle) + len(self._busy)
        return connections + PER_BODY * self._bodies

    def _is_known(self, connection: Connection) -> bool:
        """False for those that were closed here, and whose last events are still to come."""
        return connection in self._busy or connection in self._silent or connection in self._idle

    def _report(self, counts: dict[str, int]) -> None:
        log.warning("too many connections", room=self._room, **counts)


def body_of(scope: Scope) -> AbstractContextManager[None]:
    """``Connections.body`` of the request's server; nothing under another server."""
    body = scope.get("extensions", {}).get(EXTENSION)
    return body() if body else nullcontext()


def descriptor_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """To what the system allows this process, within bounds. Shells and systemd give 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
