"""Locks on files and directories, shared by all processes of this machine.

Uses flock(2): the lock belongs to the opened file, and is released when its process ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class Lock(IntEnum):
    SHARED = fcntl.LOCK_SH
    EXCLUSIVE = fcntl.LOCK_EX


@contextmanager
def locked(path: Path, lock: Lock = Lock.EXCLUSIVE, *, create: bool = False) -> Iterator[None]:
    """Waits for the lock of a directory, or of a file, which ``create`` creates if it is missing.

    Blocks, so hold it only for a few system calls. Raises FileNotFoundError.
    """
    with lockable(path, create=create) as descriptor:
        fcntl.flock(descriptor, lock)
        yield


@contextmanager
def lockable(path: Path, *, create: bool = False) -> Iterator[int]:
    """An open descriptor; leaving the block releases its locks."""
    # Does not wait for a writer if the path is a fifo.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Takes the exclusive lock without waiting; False if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
