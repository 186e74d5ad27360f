"""Directories that are filled privately, and locked while their process runs."""

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
_POLL_SECONDS = 0.05  # seconds between attempts to get a lock of another process


@asynccontextmanager
async def locked_long(directory: Path) -> AsyncIterator[None]:
    """Holds the directory's lock while git works in it. Waiting can be cancelled."""
    with lockable(directory) as held:
        while not try_lock(held):  # noqa: ASYNC110 - another process sends no event
            await sleep(_POLL_SECONDS)
        yield


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Path]:
    """A new directory inside ``directory``, removed at the end with what is still in it.

    Locked while its process runs, so that ``sweep`` finds what a killed process left.
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
    """Removes directories that killed processes left."""
    for path in directory.glob(f"{STAGED}*"):
        with ExitStack() as stack, suppress(FileNotFoundError):
            with locked(directory):
                abandoned = try_lock(stack.enter_context(lockable(path)))
            if abandoned:
                remove(path)


def remove(path: Path) -> None:
    """Removes whole trees; no error if one is missing."""
    shutil.rmtree(path, ignore_errors=True)


def flush(path: Path) -> None:
    """Syncs the whole file system of ``path``.

    One call instead of one fsync for each of 40,000 files; Python does not offer it.
    """
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(held) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(held)


def is_full(error: Exception) -> bool:
    """Whether the message, of the system or of git in the C locale, reports a full disk."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))
