"""Directories that are filled in private, locked while their process lives."""

import ctypes
import errno
import os
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from anyio import CancelScope, sleep, to_thread

from nixery.host.file_locks import lockable, locked, try_lock

STAGED = ".staged-"
_POLL_SECONDS = 0.05  # how often a lock held by another process is tried


@asynccontextmanager
async def locked_long(directory: Path) -> AsyncIterator[None]:
    """Hold the directory's lock for as long as git works in it; waiting can be cancelled."""
    with lockable(directory) as held:
        while not try_lock(held):  # noqa: ASYNC110 - another process sends no event
            await sleep(_POLL_SECONDS)
        yield


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Path]:
    """A new directory inside ``directory``, removed in the end with what is still in it.

    It is locked while its process lives, so that ``sweep`` knows what a killed one left behind.
    """
    with ExitStack() as stack:
        with locked(directory):
            path = directory / f"{STAGED}{uuid.uuid4().hex}"
            path.mkdir(mode=0o700)
            try_lock(stack.enter_context(lockable(path)))
        try:
            yield path
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(remove, path)


def sweep(directory: Path) -> None:
    """Remove what processes that are no more left in the middle of their work."""
    for path in directory.glob(f"{STAGED}*"):
        with ExitStack() as stack, suppress(FileNotFoundError):
            with locked(directory):
                abandoned = try_lock(stack.enter_context(lockable(path)))
            if abandoned:
                remove(path)


def remove(path: Path) -> None:
    """Whole trees; what is gone already is no error."""
    shutil.rmtree(path, ignore_errors=True)


def flush(path: Path) -> None:
    """Make everything on the file system of ``path`` durable.

    One call instead of one fsync for each of 40,000 files; Python has no name for it.
    """
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(held) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(held)


def is_full(error: Exception) -> bool:
    """Said by the system, or by git, whose messages are in the C locale."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))
