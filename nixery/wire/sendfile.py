"""sendfile(2): sends a file from the page cache into a socket, beside asyncio's transport.

``loop.sendfile`` is not usable here. It stops reading from the socket, so a disconnect is noticed
late. If the transport is closed during the call, because the client sent invalid data, it waits for
ever. A duplicate of the socket's descriptor can be watched for writing while the transport keeps
reading.
"""

import asyncio
import errno
import os
import sys
from contextlib import suppress

import anyio.to_thread

IS_AVAILABLE = sys.platform == "linux"
"""Other systems have a sendfile with other semantics."""

_READ_AHEAD = 128 * 1024

# Errors of a socket whose peer is gone, besides ConnectionError and TimeoutError.
_GONE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENOTCONN})
_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


DESCRIPTOR_RETRY = 0.1
"""Seconds between attempts to get a free descriptor."""


class NotSendable(Exception):
    """The kernel cannot send this file, but it can be read."""


class Transfer:
    """The transfer of a part of a file into a non-blocking socket."""

    def __init__(self, file: int, offset: int, count: int) -> None:
        """``file``: an open descriptor. ``offset``, ``count``: bytes."""
        self._file = file
        self.offset = offset
        """The next byte to send."""
        self.stop = offset + count
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, connection: int) -> None:
        """Returns once the socket with the descriptor ``connection`` has accepted everything.

        Raises ConnectionResetError if the client disconnected, EOFError if the file is too short,
        NotSendable, and OSError if the file cannot be read.
        """
        # A small blob fits into the socket's buffer at once.
        self._push(connection)
        if self._ended.done():
            self._ended.result()
        else:
            await self._push_when_writable(connection)

    def abandon(self) -> None:
        """Ends ``run``, because the connection is lost."""
        self._end(ConnectionResetError("the client disconnected"))

    async def _push_when_writable(self, connection: int) -> None:
        loop = asyncio.get_running_loop()
        # The loop refuses to watch a descriptor that belongs to one of its transports.
        while (duplicate := _duplicate(connection)) is None:
            # A started transfer is not broken: it waits until another one frees a descriptor.
            await asyncio.wait([self._ended], timeout=DESCRIPTOR_RETRY)
            if self._ended.done():
                return self._ended.result()
        try:
            loop.add_writer(duplicate, self._push, duplicate)
            try:
                await self._ended
            finally:
                loop.remove_writer(duplicate)
        finally:
            os.close(duplicate)  # otherwise the client would not see the end of the connection

    def _push(self, connection: int) -> None:
        try:
            sent = os.sendfile(connection, self._file, self.offset, self.stop - self.offset)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(_meaning(error))
            return
        self.offset += sent
        if self.offset == self.stop:
            self._end(None)
        elif not sent:
            self._end(EOFError(f"the file ends {self.stop - self.offset} bytes early"))

    def _end(self, failure: Exception | None) -> None:
        if self._ended.done():
            return
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)


def _duplicate(connection: int) -> int | None:
    """None if the process has no free descriptor."""
    try:
        return os.dup(connection)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return None
        raise


def _meaning(error: OSError) -> Exception:
    if isinstance(error, ConnectionError | TimeoutError) or error.errno in _GONE:
        return ConnectionResetError("the client disconnected")
    if error.errno in _NO_SENDFILE:
        return NotSendable(error.strerror)
    return error


async def load(file: int, offset: int, count: int) -> None:
    """Loads a part of a file into the page cache, where it mostly is already.

    sendfile blocks on the disk, and in the event loop it would delay every other client.
    """
    if count and not is_cached(file, offset, count):
        await anyio.to_thread.run_sync(_read, file, offset, offset + count)


def is_cached(file: int, offset: int, count: int) -> bool:
    """Checks the first and the last byte: files are cached in larger units."""
    try:
        for place in (offset, offset + count - 1):
            os.preadv(file, [bytearray(1)], place, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # not all file systems support this; then sendfile finds out
    return True


def _read(file: int, offset: int, stop: int) -> None:
    buffer, length = bytearray(_READ_AHEAD), stop - offset
    with suppress(OSError):  # sendfile meets the same error, and can report it
        while offset < stop and (count := os.preadv(file, [buffer], offset)):
            offset += count
        # The next part will be needed soon: lets the disk read ahead while this one is sent.
        os.posix_fadvise(file, offset, length, os.POSIX_FADV_WILLNEED)
