"""Directories that are filled in private, and locks that die with their process."""

import ctypes
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from anyio import CancelScope, sleep, to_thread

STAGED = ".staged-"
_POLL_SECONDS = 0.05  # how often a lock held by another process is tried


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock for a few system calls, across processes."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@asynccontextmanager
async def locked_long(directory: Path) -> AsyncIterator[None]:
    """Hold the directory's lock for as long as git works in it; waiting can be cancelled."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not _try_lock(held):  # noqa: ASYNC110 - another process sends no event
            await sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(held)


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Path]:
    """A new directory inside ``directory``, removed in the end with what is still in it.

    It is locked while its process lives, so that ``sweep`` knows what a killed one left behind.
    """
    with locked(directory):
        path = directory / f"{STAGED}{uuid.uuid4().hex}"
        path.mkdir(mode=0o700)
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        _try_lock(held)
    try:
        yield path
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(remove, path)
        os.close(held)


def sweep(directory: Path) -> None:
    """Remove what processes that are no more left in the middle of their work."""
    for path in directory.glob(f"{STAGED}*"):
        with locked(directory):
            try:
                held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            abandoned = _try_lock(held)
        if abandoned:
            remove(path)
        os.close(held)


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


def _try_lock(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
