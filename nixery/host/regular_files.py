"""Regular files: opens them, and treats everything else as missing.

In a directory that others may write to, a name may be a fifo, whose opening waits for a writer, a
device, a directory, or a symbolic link to any file of the machine. Only the last component must be
regular; a directory above it may be a link.
"""

import errno
import os
import stat
from pathlib import Path

# O_NONBLOCK: opening a fifo returns at once. O_NOCTTY: a terminal does not become the controlling
# one.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def look(path: str | Path) -> os.stat_result | None:
    """The file's status; None if it is not a regular file. Raises other OSErrors."""
    try:
        # Does not follow links. Path.lstat takes half as long again.
        status = os.lstat(path)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def open_regular(path: Path) -> int:
    """A descriptor for reading. Raises FileNotFoundError if it is not a regular file."""
    # Opening a device may have effects, so the type is checked before, and again below.
    if look(path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _ABSENT or error.errno == errno.ENXIO:  # a link, or a socket
            raise FileNotFoundError(errno.ENOENT, error.strerror, str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return descriptor
