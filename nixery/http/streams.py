"""Response whose body comes in pieces from a blocking reader: a file or a bucket."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import cast

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nixery.http.leaving import while_connected
from nixery.wire.connections import body_of


class StreamResponse(Response):
    """Reads each piece in a worker thread, and stops when the client disconnects.

    Reads the first piece before it sends the headers, so that an unreadable blob gets a normal
    error response. A later error or a missing byte breaks the connection.
    """

    def __init__(
        self, pieces: Iterator[bytes], length: int, status: int, headers: Mapping[str, str]
    ) -> None:
        """``length``: bytes, the sum of the pieces, which are never empty."""
        self._pieces = pieces
        self._length = length
        super().__init__(status_code=status, headers={**headers, "Content-Length": str(length)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with body_of(scope):
            await self._send_all(receive, send)

    async def _send_all(self, receive: Receive, send: Send) -> None:
        try:
            piece = await self._next()
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            # Uvicorn discards what is sent after a disconnect, so the blob would be read to its
            # end.
            await while_connected(receive, partial(self._send_body, piece, send))
        finally:
            if close := getattr(self._pieces, "close", None):  # of a generator; closes its file
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(close)

    async def _send_body(self, piece: bytes, send: Send) -> None:
        left = self._length
        while piece:
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._next()
        if left:
            raise EOFError(f"{left} of {self._length} bytes could not be read")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> bytes:
        """The next piece; empty at the end."""
        return cast("bytes", await anyio.to_thread.run_sync(next, self._pieces, b""))
