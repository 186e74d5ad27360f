"""Sending a part of a local file: the one place that moves a blob's bytes."""

import os
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nixery.errors import BlobUnknown
from nixery.http.ranges import Part

PIECE = 1024 * 1024
"""Bytes read at once. 64 KiB, Starlette's own choice, costs four times the CPU time."""


class FileResponse(Response):
    """The file is opened before the first header goes out, so that its loss is still a 404."""

    def __init__(
        self, path: Path, size: int, part: Part | None, status: int, headers: Mapping[str, str]
    ) -> None:
        """``size``: what the file must have, in bytes. ``part``: None for all of it."""
        self._path = path
        self._size = size
        self._start, self._stop = (part.start, part.stop) if part else (0, size)
        length = {"Content-Length": str(self._stop - self._start)}
        super().__init__(status_code=status, headers={**headers, **length})

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        descriptor = await anyio.to_thread.run_sync(_open, self._path, self._size)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
                await self._send_all(descriptor, send)
                tasks.cancel_scope.cancel()
        finally:
            os.close(descriptor)

    async def _send_all(self, descriptor: int, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        offset = self._start
        while offset < self._stop:
            count = min(PIECE, self._stop - offset)
            piece = await anyio.to_thread.run_sync(os.pread, descriptor, count, offset)
            if not piece:
                raise EOFError(f"{self._path} ends at {offset}, expected {self._stop} bytes")
            offset += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _open(path: Path, size: int) -> int:
    """A descriptor; raises BlobUnknown where the file went away since it was located."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BlobUnknown("the blob was removed a moment ago") from None
    if os.fstat(descriptor).st_size != size:
        os.close(descriptor)
        raise BlobUnknown("the blob was replaced a moment ago")
    return descriptor


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    """Ends a download whose client left.

    Uvicorn swallows what is sent to nobody: without this, the blob is read to its end.
    """
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
