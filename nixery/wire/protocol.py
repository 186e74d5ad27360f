"""An HTTP/1.1 connection: uvicorn's protocol class, extended for a registry.

- The kernel sends files (``zerocopy.py``).
- Request headers have a deadline. Uvicorn has none, so some hundred connections that send half a
  request could use up all descriptors.
- When a client disconnects, all of its pipelined requests learn it. Uvicorn tells only the last.
- A client that stops reading its response is disconnected. Its system keeps acknowledging, so
  TCP's own timeouts never end the connection.
- Connections above the limit are closed (``connections.py``).
- The size of headers and the number of pipelined requests are limited. Uvicorn accepts any: parsing
  takes time quadratic in a header's length, and one packet may contain 10,000 requests.
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
"""From the connection, or the first byte of a later request, to the end of the headers."""
STALLED_SECONDS = 3600.0
"""Interval between two checks of a client's progress; it is disconnected if there was none.
Registry clients give up much earlier, but a proxy may not: nginx buffers up to 1 GiB in a file
and reads nothing more until its client, on a slow line, has received it."""
MAX_HEADERS = 64 * 1024
"""Bytes without the end of the headers or a part of a body. Proxies allow 8 to 64 KiB."""
MAX_WAITING = 100
"""Pipelined requests that may wait for an earlier one. Registry clients send one at a time."""


class TooManyRequests(Exception):
    """Raised in the parser callback. httptools then rejects the rest of the connection's input."""


class RegistryProtocol(HttpToolsProtocol):
    """One connection, for ``uvicorn.Config(http=…)``. ``connections``: all of the server."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - as in uvicorn
        connections: Connections,
        **kwargs: Any,  # noqa: ANN401 - as in uvicorn
    ) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
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
        # type ignored as in uvicorn: stream servers use no other transport
        super().connection_made(transport)
        if not self._connections.admit(self):
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
        # Any data stops uvicorn's keep-alive timer, even empty lines or the body of an answered
        # request. So the header deadline must start here.
        if self.cycle is None or self.cycle.response_complete:
            self._expect_headers()

    def send_400_response(self, msg: str) -> None:
        """Closes the connection if invalid data follows a request that is still being answered.

        Uvicorn's error response would appear inside the unfinished one, or wait for buffer space
        that a stalled client never frees.
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
            self._connections.mark_busy(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # the last request that was sent
            self._connections.mark_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
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
        """Runs the application, with the extensions that this connection supports."""
        scope.setdefault("extensions", {})[EXTENSION] = self._connections.body
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
        """Disconnects a client that received nothing since the last check."""
        unsent = self.progress()
        if unsent is not None and unsent == self._seen:
            self.transport.abort()
            return
        self._seen = unsent
        self._next_look = self.loop.call_later(STALLED_SECONDS, self._look)

    def progress(self) -> tuple[int, ...] | None:
        """Counters of which at least one changes when the client receives a byte.

        None if nothing is unsent. The number of resumes is one of them: a buffer that is full at
        two checks may have been drained in between.
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
    """Bytes in the kernel's send buffer; 0 if the kernel cannot say.

    The kernel accepts more only after a good part of its megabytes is received: minutes, on a slow
    line.
    """
    with suppress(OSError):
        connection = transport.get_extra_info("socket").fileno()
        (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
        return int(count)
    return 0
