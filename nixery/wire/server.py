"""Uvicorn, configured for a registry.

    with listen("127.0.0.1", 0) as listener:
        Server(app, on_start=print).run(sockets=[listener])      http://127.0.0.1:41235

The socket is bound first, so a port in use is reported at once, and port 0 can be queried. On
SIGTERM or SIGINT the server accepts nothing new, finishes transfers, cancels builds (drain.py) and
closes the lifespan.
"""

import asyncio
import errno
import math
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from nixery.errors import ConfigurationError, NixeryError
from nixery.wire.connections import Connections, descriptor_limit, raise_descriptor_limit
from nixery.wire.drain import TIMES, Times
from nixery.wire.protocol import RegistryProtocol

log = structlog.get_logger()

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

KEEP_ALIVE = 75
"""Seconds. Longer than nginx keeps its side open (60), else it would use closed connections."""
BACKLOG = 4096
"""Connections in the kernel's accept queue, at most the kernel's default limit. A client that finds
no room retries after one second, and later after longer."""
ACCEPTED_AT_ONCE = 32
"""Connections accepted per round of the event loop, so that existing ones get their turn, and each
new one is counted."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. No host: all addresses, IPv4 and IPv6. Port 0: any free port.

    Raises ConfigurationError if the address is in use or does not belong to this machine.
    """
    try:
        listener = _bind(host, port)
    except OSError as error:
        where = f"{host or 'all addresses'}, port {port}"
        raise ConfigurationError(f"cannot listen on {where}: {error.strerror or error}") from None
    # Connections inherit this. asyncio sets it only on sockets with an explicit protocol, unlike
    # those of create_server. Headers and body are two writes, and the second would wait 40 ms for
    # the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _bind(host: str, port: int) -> socket.socket:
    if host:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        )
    return socket.create_server(("", port), backlog=BACKLOG)


def url_of(listener: socket.socket) -> str:
    """The URL of the listener for clients on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _nothing() -> None: ...


class Server(uvicorn.Server):
    """``on_start`` is called with the URL once requests are answered, ``on_stop`` at shutdown."""

    def __init__(
        self,
        app: ASGIApp,
        on_start: Callable[[str], None] | None = None,
        on_stop: Callable[[], Coroutine[Any, Any, None]] = _nothing,
        times: Times = TIMES,
    ) -> None:
        self._connections = Connections(descriptor_limit())
        # uvicorn expects a class, but only calls it.
        protocol = cast("Any", partial(RegistryProtocol, connections=self._connections))
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,  # uvicorn's httptools protocol, extended
                loop="asyncio",
                lifespan="on",
                ws="none",
                log_config=None,  # nixery.logs.setup configures logging
                access_log=False,  # nixery.http.requests logs requests
                server_header=False,
                proxy_headers=False,  # client addresses and schemes are not used
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=math.ceil(times.grace + times.spare),
                backlog=ACCEPTED_AT_ONCE,  # asyncio's; see startup
            )
        )
        self._on_start = on_start
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._handle)
        await super().startup(sockets)
        if not self.started:
            return
        for listener in sockets or []:
            # asyncio uses one number for both the kernel's queue and the connections accepted per
            # round.
            listener.listen(BACKLOG)
            url = url_of(listener)
            log.info("listening", url=url)
            if self._on_start is not None:
                self._on_start(url)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handles errors of the event loop itself."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS and "socket" in context:
            # asyncio retries every second and would log a traceback each time.
            self._connections.on_accept_failed()
        else:
            loop.default_exception_handler(context)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Waits for requests twice.

        Drain ends those that would not end, then uvicorn sees them end.
        """
        stopping = asyncio.create_task(self._on_stop())
        try:
            await super().shutdown(sockets)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's, but does not raise the signal again, so that the exit code is 0."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python delivers signals to the main thread only: a test stops its server itself
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(  # noqa: PLR0913 - a server and its callbacks
    app: ASGIApp,
    host: str,
    port: int,
    *,
    on_start: Callable[[str], None] | None = None,
    on_stop: Callable[[], Coroutine[Any, Any, None]] = _nothing,
    times: Times = TIMES,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises ConfigurationError if it cannot listen, NixeryError if the lifespan fails.
    """
    raise_descriptor_limit()
    with listen(host, port) as listener:
        server = Server(app, on_start, on_stop, times)
        with suppress(SystemExit):  # newer versions of uvicorn report a failed lifespan like this
            server.run(sockets=[listener])
        if not server.started:
            raise NixeryError("the server did not start: see the log")
