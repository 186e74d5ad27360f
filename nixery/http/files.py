"""Response with a part of a local file: sent by the kernel if the server supports it, else read."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio.to_thread
from starlette.types import Receive, Scope, Send

from nixery.errors import BlobUnknown
from nixery.host.regular_files import open_regular
from nixery.http.leaving import ClientLeft
from nixery.http.streams import StreamResponse
from nixery.storage import LocalFile
from nixery.wire.connections import body_of
from nixery.wire.zerocopy import ZERO_COPY

READ_BYTES = 1024 * 1024
"""Bytes per read. Starlette's 64 KiB costs four times the CPU time."""
SENT_AT_ONCE = 64 * 1024 * 1024
"""Bytes per message to the server, and the resolution of the logged size of an aborted download. A
quarter of it takes one per cent more time."""


class FileResponse(StreamResponse):
    """Bytes ``start`` up to ``stop``.

    Raises BlobUnknown before the first header if the file was removed since it was located. Raises
    EOFError, which breaks the connection, if the file shrinks meanwhile.
    """

    def __init__(
        self, file: LocalFile, start: int, stop: int, status: int, headers: Mapping[str, str]
    ) -> None:
        self._file = file
        self._start, self._stop = start, stop
        # The file is opened when the response starts.
        read = pieces(file.path, file.size, start, stop)
        super().__init__(read, stop - start, status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if ZERO_COPY in scope.get("extensions", {}):
            with body_of(scope):
                await self._send_file(send)
        else:
            await super().__call__(scope, receive, send)

    async def _send_file(self, send: Send) -> None:
        path, size = self._file.path, self._file.size
        with os.fdopen(await anyio.to_thread.run_sync(_open, path, size), "rb") as file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            try:
                for offset in range(self._start, self._stop, SENT_AT_ONCE):
                    await send(
                        {
                            "type": ZERO_COPY,
                            "file": file,
                            "offset": offset,
                            "count": min(SENT_AT_ONCE, self._stop - offset),
                            "more_body": True,
                        }
                    )
            except ConnectionResetError:
                raise ClientLeft from None
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def pieces(path: Path, size: int, start: int, stop: int) -> Iterator[bytes]:
    """Bytes ``start`` up to ``stop`` of a file that must have ``size`` bytes; blocks.

    Raises BlobUnknown before the first piece if the file was removed since it was located.
    """
    descriptor = _open(path, size)
    try:
        offset = start
        # An empty read means that the file shrank; the caller counts the bytes.
        while offset < stop and (
            piece := os.pread(descriptor, min(READ_BYTES, stop - offset), offset)
        ):
            offset += len(piece)
            yield piece
    finally:
        os.close(descriptor)


def _open(path: Path, size: int) -> int:
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        raise BlobUnknown("the blob was removed a moment ago; pull again") from None
    if os.fstat(descriptor).st_size != size:
        os.close(descriptor)
        raise BlobUnknown("the blob was replaced a moment ago; pull again")
    return descriptor
