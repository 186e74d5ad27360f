"""Contents of a store path's entries: bytes of files, targets of symlinks.

A name is opened relative to its open directory, and is an error if it was replaced since the walk:
a replacement cannot lead out of the store path.
"""

import os
from errno import EINVAL, ELOOP, ENOENT, ENOTDIR, ENXIO

from nixery.errors import StoreDamaged

# O_NONBLOCK: opening a pipe must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def target_of(path: bytes, directory: int | None = None) -> bytes:
    """The target of a symlink. ``directory``: a descriptor of its directory."""
    name = path if directory is None else path.rpartition(b"/")[2]
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno == EINVAL:  # not a symlink
            raise replaced(path) from error
        raise


def missing(path: bytes) -> StoreDamaged:
    return StoreDamaged(f"{os.fsdecode(path)} is not in the store")


def replaced(path: bytes) -> StoreDamaged:
    return StoreDamaged(f"{os.fsdecode(path)} was replaced while it was read")


def fill(descriptor: int, view: memoryview, path: bytes, *, last: bool) -> None:
    """Reads exactly as much as the view holds; ``last``: the file must end there.

    Raises StoreDamaged if the file is shorter or longer than its header says, or is a directory or
    a pipe: headers are written first, so a file that changes would corrupt the archive.
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
    """A descriptor for reading. Raises StoreDamaged if the file is missing or replaced.

    ``directory``: a descriptor of its directory, whatever has replaced that meanwhile.
    """
    name = path if directory is None else path.rpartition(b"/")[2]
    try:
        return os.open(name, _FILE, dir_fd=directory)
    except OSError as error:
        # The latter three: it was replaced by a symlink or a socket, or a directory above it by a
        # file.
        if error.errno in (ENOENT, ELOOP, ENXIO, ENOTDIR):
            raise StoreDamaged(f"{os.fsdecode(path)} is no longer in the store") from error
        raise
