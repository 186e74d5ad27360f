"""A file's bytes from the page cache into a socket, by the kernel, beside asyncio's transport.

``loop.sendfile`` does not do here. It stops reading from the socket, so that a client that leaves
is noticed late; and where the transport is closed under it, because the client sent rubbish
meanwhile, it waits for ever. A duplicate of the socket's descriptor can be watched for writing by
public means, while the transport goes on reading and notices whatever happens.
"""

import asyncio
import errno
import os
import sys
from contextlib import suppress

import anyio.to_thread

IS_AVAILABLE = sys.platform == "linux"
"""Elsewhere sendfile is another call, with other results."""

_READ_AHEAD = 128 * 1024

# What a socket says when its other end is gone, besides ConnectionError and TimeoutError.
_GONE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENOTCONN})
_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


DESCRIPTOR_RETRY = 0.1
"""Seconds between two looks for a free descriptor."""


class NotSendable(Exception):
    """The kernel cannot send this file; it can still be read."""


class Transfer:
    """A part of a file on its way into a socket that does not block."""

    def __init__(self, file: int, offset: int, count: int) -> None:
        """``file`` is an open descriptor; ``offset`` and ``count`` are bytes."""
        self._file = file
        self.offset = offset
        """Where the next byte is read: how far it has come."""
        self.stop = offset + count
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, connection: int) -> None:
        """Returns once the socket, whose descriptor is ``connection``, has taken everything.

        Raises ConnectionResetError where the client left, EOFError where the file ends early,
        NotSendable, and OSError where the file cannot be read.
        """
        # A small blob fits into the socket's buffer at once.
        self._push(connection)
        if self._ended.done():
            self._ended.result()
        else:
            await self._push_when_writable(connection)

    def abandon(self) -> None:
        """Ends ``run``: the connection is lost."""
        self._end(ConnectionResetError("the client left"))

    async def _push_when_writable(self, connection: int) -> None:
        loop = asyncio.get_running_loop()
        # The loop refuses to watch a descriptor that belongs to one of its transports.
        while (duplicate := _duplicate(connection)) is None:
            # What has begun is not cut: others end, and then there is a descriptor again.
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
            os.close(duplicate)  # before that, the client would not see the connection's end

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
    """None where the process has as many descriptors as it may."""
    try:
        return os.dup(connection)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return None
        raise


def _meaning(error: OSError) -> Exception:
    if isinstance(error, ConnectionError | TimeoutError) or error.errno in _GONE:
        return ConnectionResetError("the client left")
    if error.errno in _NO_SENDFILE:
        return NotSendable(error.strerror)
    return error


async def load(file: int, offset: int, count: int) -> None:
    """Bring a part of a file into the page cache, where it mostly is.

    sendfile waits for the disk; called in the event loop, every other client would wait as well.
    """
    if count and not is_cached(file, offset, count):
        await anyio.to_thread.run_sync(_read, file, offset, offset + count)


def is_cached(file: int, offset: int, count: int) -> bool:
    """Asks for the first and the last byte: files are read, and forgotten, in larger parts."""
    try:
        for place in (offset, offset + count - 1):
            os.preadv(file, [bytearray(1)], place, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # not every file system can say; sendfile will find out
    return True


def _read(file: int, offset: int, stop: int) -> None:
    buffer, length = bytearray(_READ_AHEAD), stop - offset
    with suppress(OSError):  # sendfile meets the same error, where it can be told
        while offset < stop and (count := os.preadv(file, [buffer], offset)):
            offset += count
        # Whoever wants this part wants the next: the disk reads on while this one is sent.
        os.posix_fadvise(file, offset, length, os.POSIX_FADV_WILLNEED)
