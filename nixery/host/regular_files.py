"""Regular files: all else under a file's name is treated as if there were nothing.

In a directory that others may write to, a name may lead to a fifo, whose opening waits for a
writer; to a device; to a directory; or through a symbolic link to any file of the machine. Only
the last component must be regular: a directory on the way may be a link.
"""

import errno
import os
import stat
from pathlib import Path

# O_NONBLOCK: opening a fifo returns at once. O_NOCTTY: a terminal does not become ours.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def look(path: str | Path) -> os.stat_result | None:
    """The file's status; None where it is not a regular file. Raises other OSErrors."""
    try:
        # Without following links. Path.lstat would take half as long again.
        status = os.lstat(path)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def open_regular(path: Path) -> int:
    """A descriptor for reading. Raises FileNotFoundError where it is not a regular file."""
    # Opening a device may already do something; what is seen again below is only the rare race.
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
