"""Locks on files and directories, among all processes of this machine.

Of flock's kind: held by whoever opened the file, and gone when its process ends, however it ends.
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
    """Waits for the lock of a directory, or of a file, which ``create`` makes where it is missing.

    Blocks: for what is held for a few system calls. Raises FileNotFoundError.
    """
    with lockable(path, create=create) as descriptor:
        fcntl.flock(descriptor, lock)
        yield


@contextmanager
def lockable(path: Path, *, create: bool = False) -> Iterator[int]:
    """An open descriptor; what is locked by it is free again after the block."""
    # Without waiting for a writer, should somebody have put a fifo there.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Whether the exclusive lock could be had without waiting."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
