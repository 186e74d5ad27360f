"""What entries of a store path hold: bytes of files, targets of symlinks.

A name is looked at in its directory, which is open, and what has been replaced since the walk saw
it is an error: nothing that takes an entry's place is followed out of the store path.
"""

import os
from errno import EINVAL, ELOOP, ENOENT, ENOTDIR, ENXIO

from nixery.errors import StoreDamaged

# A pipe must not keep packing waiting for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def target_of(path: bytes, directory: int | None = None) -> bytes:
    """Where a symlink leads. ``directory``: a descriptor of what it is in."""
    name = path if directory is None else path.rpartition(b"/")[2]
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno == EINVAL:  # no symlink
            raise replaced(path) from error
        raise


def missing(path: bytes) -> StoreDamaged:
    return StoreDamaged(f"{os.fsdecode(path)} is not in the store")


def replaced(path: bytes) -> StoreDamaged:
    return StoreDamaged(f"{os.fsdecode(path)} was replaced while it was read")


def fill(descriptor: int, view: memoryview, path: bytes, *, last: bool) -> None:
    """Read exactly as much as the view holds; ``last``: the file must end there.

    Raises StoreDamaged where the file is shorter, or longer, than it was said to be, or is a
    directory or a pipe: headers are written before the content, so a file that changes would make
    a corrupt archive.
    """
    beyond = bytearray(1)
    try:
        done = os.readv(descriptor, (view, beyond) if last else (view,))
        while done < len(view):
            more = os.readv(descriptor, (view[done:], beyond) if last else (view[done:],))
            if not more:
                raise StoreDamaged(f"{os.fsdecode(path)} shrank while it was read")
            done += more
    except (IsADirectoryError, BlockingIOError) as error:  # which can be opened like a file
        kind = "a directory" if isinstance(error, IsADirectoryError) else "a pipe"
        raise StoreDamaged(f"{os.fsdecode(path)} was replaced by {kind}") from error
    if done > len(view):
        raise StoreDamaged(f"{os.fsdecode(path)} grew while it was read")


def open_file(path: bytes, directory: int | None = None) -> int:
    """A descriptor to read from; raises StoreDamaged where the file is gone or replaced.

    ``directory``: a descriptor of what it is in, whatever has taken the place of that by now.
    """
    name = path if directory is None else path.rpartition(b"/")[2]
    try:
        return os.open(name, _FILE, dir_fd=directory)
    except OSError as error:
        # The latter three: a symlink or a socket has taken its place, or a file that of a
        # directory above it.
        if error.errno in (ENOENT, ELOOP, ENXIO, ENOTDIR):
            raise StoreDamaged(f"{os.fsdecode(path)} is not in the store any more") from error
        raise
