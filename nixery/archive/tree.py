"""What lies below a store path, in an order that no file system can change."""

import os
import stat
from collections.abc import Iterator
from errno import EINVAL, ELOOP, ENOENT, ENOTDIR
from typing import NamedTuple

from nixery.errors import StoreDamaged
from nixery.oci import WHITEOUT
from nixery.threads import stop_if_cancelled

# Tuples rather than dataclasses: a large path makes a hundred thousand of them.


class Directory(NamedTuple):
    path: bytes


class Symlink(NamedTuple):
    path: bytes
    target: bytes


class File(NamedTuple):
    path: bytes
    size: int
    executable: bool
    inode: tuple[int, int]
    """The device and its number there: a store path may have something else mounted in it."""


class Whiteout(NamedTuple):
    """Has no place in a layer, nor has what lies below it: see ``nixery.oci.WHITEOUT``."""

    path: bytes


Entry = Directory | Symlink | File | Whiteout


def walk(top: bytes) -> Iterator[Entry]:
    """The path itself and everything below it, parents first, names sorted by their bytes.

    Raises StoreDamaged where something is missing, becomes something else on the way, or is of a
    kind that Nix never stores.
    """
    try:
        pending = [_entry(top, os.lstat(top))]
        while pending:
            entry = pending.pop()
            yield entry
            if isinstance(entry, Directory):
                pending += _children(entry.path)
    except FileNotFoundError as error:
        raise StoreDamaged(f"{os.fsdecode(error.filename)} is not in the store") from error
    except NotADirectoryError as error:  # it was one, or what it lies in was
        raise _replaced(error.filename) from error


def _children(path: bytes) -> list[Entry]:
    """Last name first: the caller takes them from the end."""
    stop_if_cancelled()
    with os.scandir(path) as found:
        ordered = sorted(found, key=lambda child: child.name, reverse=True)
    return [_child(child) for child in ordered]


def _child(child: os.DirEntry[bytes]) -> Entry:
    if child.name.startswith(WHITEOUT):
        return Whiteout(child.path)
    # What is a directory is known from its parent; only the others need a system call.
    if child.is_dir(follow_symlinks=False):
        return Directory(child.path)
    return _entry(child.path, child.stat(follow_symlinks=False))


def _entry(path: bytes, status: os.stat_result) -> Entry:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        # The owner's bit alone decides, as in a NAR.
        inode = status.st_dev, status.st_ino
        return File(path, status.st_size, bool(mode & stat.S_IXUSR), inode)
    if stat.S_ISLNK(mode):
        return Symlink(path, _target(path))
    if stat.S_ISDIR(mode):
        return Directory(path)
    raise StoreDamaged(f"{os.fsdecode(path)} is neither a file, a directory nor a symlink")


def _target(path: bytes) -> bytes:
    try:
        return os.readlink(path)  # noqa: PTH115 - a path of bytes
    except OSError as error:
        if error.errno == EINVAL:  # no symlink
            raise _replaced(path) from error
        raise


def _replaced(path: bytes) -> StoreDamaged:
    return StoreDamaged(f"{os.fsdecode(path)} was replaced while it was read")


def fill(descriptor: int, view: memoryview, path: bytes, *, last: bool) -> None:
    """Read exactly as much as the view holds; ``last``: the file must end there.

    Raises StoreDamaged where the file is shorter, or longer, than it was said to be, or is a
    directory: headers are written before the content, so a file that changes would make a corrupt
    archive.
    """
    beyond = bytearray(1)
    try:
        done = os.readv(descriptor, (view, beyond) if last else (view,))
    except IsADirectoryError as error:  # which can be opened like a file
        raise StoreDamaged(f"{os.fsdecode(path)} was replaced by a directory") from error
    while done < len(view):
        more = os.readv(descriptor, (view[done:], beyond) if last else (view[done:],))
        if not more:
            raise StoreDamaged(f"{os.fsdecode(path)} shrank while it was read")
        done += more
    if done > len(view):
        raise StoreDamaged(f"{os.fsdecode(path)} grew while it was read")


def open_file(path: bytes) -> int:
    """A descriptor to read from; raises StoreDamaged where the file is gone or replaced."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        # The latter two: a symlink has taken its place, or a file that of a directory above it.
        if error.errno in (ENOENT, ELOOP, ENOTDIR):
            raise StoreDamaged(f"{os.fsdecode(path)} is not in the store any more") from error
        raise
