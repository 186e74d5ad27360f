"""Uvicorn's HTTP connection, and what a registry needs beyond it.

- Files go out by the kernel (``zerocopy.py``).
- Request headers have a deadline. Uvicorn has none: some hundred connections that send half a
  request and then nothing would take all descriptors, and shut everybody else out.
- Of several requests in a row on one connection (pipelining), uvicorn tells only the last that the
  client left; here all learn it, and none sends to nobody.
- A client that takes nothing of its answer any more is cut off. Its system goes on saying that it
  is there, so TCP's own limits never end it, and it would hold a connection and a file for ever.
- Where there are too many connections, some are closed (``connections.py``).
- Headers, and requests in a row, are limited. Uvicorn takes what comes: the parser's work grows
  with the square of a header's length, and one packet may hold 10,000 requests, all remembered.
"""

import asyncio
import fcntl
import struct
import termios
from contextlib import suppress
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nixery.wire.connections import EXTENSION, Connections
from nixery.wire.zerocopy import ZERO_COPY, ZeroCopySend, can_send

HEADER_SECONDS = 30.0
"""From the connection, or from the first byte of a later request, to the end of the headers."""
STALLED_SECONDS = 3600.0
"""Between two looks at what a client has still to take; where both see the same, it is cut off.
Clients of a registry give up far earlier. A proxy may not: nginx keeps up to 1 GiB in a file, and
takes nothing more until the client, on however slow a line, has all of that."""
MAX_HEADERS = 64 * 1024
"""Bytes that bring neither the end of headers nor a part of a body; proxies allow 8 to 64 KiB."""
MAX_WAITING = 100
"""Requests that wait for an earlier one of their connection. No client of a registry sends two."""


class TooManyRequests(Exception):
    """Raised in the parser, which then takes the rest for rubbish."""


class RegistryProtocol(HttpToolsProtocol):
    """One connection; for ``uvicorn.Config(http=…)``, with all ``connections`` of the server."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's own
        connections: Connections,
        **kwargs: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*args, **kwargs)
        self._all = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._seen: tuple[int, ...] | None = None
        self._times_resumed = 0
        self._unfinished = 0
        self._cycles: list[RequestResponseCycle] = []
        self._senders: list[ZeroCopySend] = []
        self._app = self.app
        self.app = cast("Any", self._answer)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # ignored as in uvicorn: servers of streams get no other transport
        super().connection_made(transport)
        if not self._all.opened(self):
            self.drop()
            return
        self._expect_headers()
        self._next_look = self.loop.call_later(STALLED_SECONDS, self._look)

    def drop(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > MAX_HEADERS and not self.transport.is_closing():
            self.send_400_response(f"Request headers may have {MAX_HEADERS} bytes.")
        # Data ends uvicorn's keep-alive timer, whatever it is: the body of a request that has been
        # answered, or empty lines. So something else must run from here on.
        if self.cycle is None or self.cycle.response_complete:
            self._expect_headers()

    def send_400_response(self, msg: str) -> None:
        """Rubbish after a request that is still being answered ends the connection at once.

        What uvicorn writes would land within that answer, or wait for room in a buffer which a
        reader that has stopped never makes, and the transfer with it.
        """
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        self._times_resumed += 1
        super().resume_writing()

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._unfinished = 0
        if len(self.pipeline) >= MAX_WAITING:
            raise TooManyRequests
        before = self.cycle
        super().on_headers_complete()
        self._stop_deadline()
        if self.cycle is not before:
            self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
            self._cycles.append(self.cycle)
            self._all.is_busy(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # the last one that was asked for
            self._all.is_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.closed(self)
        self._stop_deadline()
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)
        for cycle in self._cycles:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        for sender in self._senders:
            sender.disconnect()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, with the extensions that can be had."""
        scope.setdefault("extensions", {})[EXTENSION] = self._all.body
        cycle = next((cycle for cycle in self._cycles if cycle.scope is scope), None)
        if cycle is None or not can_send(cycle):
            await self._app(scope, receive, send)
            return
        scope["extensions"][ZERO_COPY] = {}
        sender = ZeroCopySend(cycle, send)
        self._senders.append(sender)
        try:
            await self._app(scope, receive, sender)
        finally:
            self._senders.remove(sender)

    def _look(self) -> None:
        """Cuts off a client that took nothing since the last time."""
        unsent = self._unsent()
        if unsent is not None and unsent == self._seen:
            self.transport.abort()
            return
        self._seen = unsent
        self._next_look = self.loop.call_later(STALLED_SECONDS, self._look)

    def _unsent(self) -> tuple[int, ...] | None:
        """Numbers of which one changes whenever the client takes a byte; None: it has them all.

        A buffer that is full again was empty enough to resume meanwhile.
        """
        offsets = [sender.offset for sender in self._senders if sender.offset is not None]
        waiting = self.transport.get_write_buffer_size()
        if not offsets and not waiting:
            return None
        return (*offsets, waiting, self._times_resumed, _queued(self.transport))

    def _expect_headers(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _queued(transport: asyncio.Transport) -> int:
    """Bytes in the kernel that the client has not taken; 0 where it cannot say.

    It takes more from us only once a good part of its megabytes is gone: minutes, on a slow line.
    """
    with suppress(OSError):
        connection = transport.get_extra_info("socket").fileno()
        (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
        return int(count)
    return 0
