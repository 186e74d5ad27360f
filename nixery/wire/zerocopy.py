"""The ASGI extension "zero copy send": the application names a part of a file, the server sends it.

Adds it to a request of uvicorn. If it is not possible (TLS, another system, another server),
``scope["extensions"]`` lacks it, and the application sends bytes.

Source: https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send
"""

import os
import socket
from contextlib import suppress
from typing import Any

import anyio.to_thread
from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from nixery.wire import sendfile
from nixery.wire.sendfile import NotSendable, Transfer

ZERO_COPY = "http.response.zerocopysend"
"""The type of the message, and the name of the extension."""

LOADED_AT_ONCE = 16 * 1024 * 1024
"""Bytes that are loaded into the page cache before the first of them is sent."""
_SEND_BYTES = 1024 * 1024
# Non-ASGI attributes of uvicorn's cycle that are used here; all exist in uvicorn 0.29 to 0.54.
_USED = ("chunked_encoding", "disconnected", "expected_content_length", "flow", "transport")


def can_send(cycle: RequestResponseCycle) -> bool:
    """Whether the kernel can send files on this connection."""
    return (
        sendfile.IS_AVAILABLE
        and all(hasattr(cycle, name) for name in _USED)
        and cycle.transport.get_extra_info("sslcontext") is None
        and cycle.transport.get_extra_info("socket") is not None
    )


class ZeroCopySend:
    """``send`` of one request, with one more type of message.

    Unlike uvicorn's own messages, this one raises ConnectionResetError after a disconnect, as ASGI
    requires since 2.4: sending the rest of a file would be wasted.
    """

    def __init__(self, cycle: RequestResponseCycle, send: Send) -> None:
        self._cycle = cycle
        self._send = send
        self._transfer: Transfer | None = None
        self._is_corked = False

    async def __call__(self, message: Message) -> None:
        if message["type"] != ZERO_COPY:
            self._cork(is_on=False)
            await self._send(message)
            return
        more = message.get("more_body", False)
        file = message["file"]
        try:
            if self._cycle.scope["method"] != "HEAD":
                await self._send_part(file.fileno(), *_part(message))
        finally:
            if not more:
                file.close()
        if not more:
            self._cork(is_on=False)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def offset(self) -> int | None:
        """The offset that the client has received up to; None if no transfer is in progress."""
        return None if self._transfer is None else self._transfer.offset

    def disconnect(self) -> None:
        """Ends the transfer, because the connection is lost."""
        if self._transfer is not None:
            self._transfer.abandon()

    async def _send_part(self, file: int, offset: int, count: int) -> None:
        cycle = self._cycle
        if cycle.chunked_encoding is not False or count > cycle.expected_content_length:
            raise RuntimeError("no response was started whose Content-Length covers this")
        await self._flush()
        for start in range(offset, offset + count, LOADED_AT_ONCE):
            length = min(LOADED_AT_ONCE, offset + count - start)
            await sendfile.load(file, start, length)
            self._check_connection()
            self._cork(is_on=True)
            await self._transfer_part(file, start, length)

    async def _transfer_part(self, file: int, offset: int, count: int) -> None:
        cycle = self._cycle
        transfer = self._transfer = Transfer(file, offset, count)
        try:
            await transfer.run(cycle.transport.get_extra_info("socket").fileno())
        except ConnectionResetError:
            self._give_up()
            raise
        except NotSendable:
            cycle.expected_content_length -= transfer.offset - offset
            await self._copy(file, transfer.offset, transfer.stop)
        else:
            cycle.expected_content_length -= count
        finally:
            self._transfer = None

    def _cork(self, *, is_on: bool) -> None:
        """Sends only full segments from the first part of a file to the end of the last.

        Asyncio sets TCP_NODELAY, so each 64 KiB that sendfile moves would be flushed, which costs a
        fifth of the throughput. Uncorking between two parts costs half of that.
        """
        if is_on != self._is_corked:
            self._is_corked = is_on
            with suppress(OSError):  # a Unix socket has no segments, a lost one needs none
                connection = self._cycle.transport.get_extra_info("socket")
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, is_on)

    async def _flush(self) -> None:
        """Waits until all earlier data is written."""
        transport = self._cycle.transport
        if transport.get_write_buffer_size():
            # With a limit of 0, "writable" means that the buffer is empty.
            transport.set_write_buffer_limits(high=0)
            try:
                await self._cycle.flow.drain()
            finally:
                transport.set_write_buffer_limits()

    async def _copy(self, file: int, offset: int, stop: int) -> None:
        """Copies the part, for file systems whose files the kernel does not send."""
        while offset < stop:
            length = min(_SEND_BYTES, stop - offset)
            piece = await anyio.to_thread.run_sync(os.pread, file, length, offset)
            if not piece:
                raise EOFError(f"the file ends {stop - offset} bytes early")
            self._check_connection()
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            offset += len(piece)

    def _check_connection(self) -> None:
        if self._cycle.disconnected or self._cycle.transport.is_closing():
            self._give_up()
            raise ConnectionResetError("the client disconnected")

    def _give_up(self) -> None:
        # The socket may have failed before the transport noticed. Further data is discarded, and an
        # incomplete response is not an error of the application.
        self._cycle.disconnected = True
        if (
            not self._cycle.transport.is_closing()
        ):  # abort fails if the connection is closed already
            self._cycle.transport.abort()


def _part(message: Message) -> tuple[int, int]:
    """Offset and count; by default from the file's position to its end."""
    file: Any = message["file"]
    offset = message.get("offset")
    if offset is None:
        offset = file.tell()
    count = message.get("count")
    if count is None:
        count = os.fstat(file.fileno()).st_size - offset
    return offset, count
