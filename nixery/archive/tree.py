"""Walk over a store path: its entries, in an order that does not depend on the file system.

The walk keeps one directory open and opens names relative to it, so a replaced directory cannot
lead it out of the store path. Before it goes back up, it checks that ``..`` is the directory that
it came from.

Memory is bounded: names of large directories are on disk, see spool.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from errno import ELOOP, ENOTDIR
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from nixery.archive.contents import missing, open_file, replaced, target_of
from nixery.archive.spool import Names
from nixery.concurrency.threads import stop_if_cancelled
from nixery.errors import PackingFailed, StoreDamaged
from nixery.oci import WHITEOUT

MAX_PATH = 4_095
"""Maximum bytes of a path: PATH_MAX without the zero at its end."""
MAX_NAMES = 10_000
"""Names in memory, of all open directories; those of further directories are on disk."""

# O_PATH for these: the store itself may be unreadable, and a directory above was read already.
_PARENT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Tuples rather than dataclasses: a large path has a hundred thousand of them.


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
    """Device and inode number: another file system may be mounted in a store path."""


class Whiteout(NamedTuple):
    """Cannot be part of a layer, nor can anything below it: see ``nixery.oci.WHITEOUT``."""

    path: bytes


Entry = Directory | Symlink | File | Whiteout


@dataclass(slots=True)
class _Level:
    """A directory on the way to the current entry."""

    path: bytes
    """With a slash at its end."""
    inode: tuple[int, int]
    names: Iterator[bytes]
    """The remaining names, sorted."""
    held: int = 0
    """Names in memory."""


class Walk:
    """``root + path`` and everything below it, parents first, names sorted by bytes.

    Can be iterated once. Raises StoreDamaged if something is missing, changes its type meanwhile,
    or is of a type that Nix never stores; PackingFailed if a path, without ``root``, is longer than
    MAX_PATH.
    """

    def __init__(self, root: bytes, path: bytes, scratch: Path | None = None) -> None:
        """``scratch``: directory for the names of large directories, see spool."""
        self._root = root
        self._path = path
        self._longest = len(root) + MAX_PATH
        self._names = Names(scratch)
        self._held = 0
        parent, _, name = (root + path).rpartition(b"/")
        try:
            self._directory = os.open(parent or b"/", _PARENT)
        except FileNotFoundError as error:
            raise missing(parent) from error
        self._levels = [_Level(parent + b"/", self._inode(), iter((name,)))]

    def __iter__(self) -> Iterator[Entry]:
        while self._levels:
            level = self._levels[-1]
            for name in level.names:
                path = level.path + name
                entry = self._entry(path, name)
                yield entry
                if isinstance(entry, Directory):
                    self._enter(path, name)
                    break
            else:
                self._leave()

    def open(self, file: File) -> int:
        """A descriptor of the last returned file, for reading.

        Raises StoreDamaged if the file is missing or replaced.
        """
        return open_file(file.path, self._directory)

    def close(self) -> None:
        os.close(self._directory)
        self._names.close()

    def _entry(self, path: bytes, name: bytes) -> Entry:
        if name.startswith(WHITEOUT):
            return Whiteout(path)
        if len(path) > self._longest:
            raise PackingFailed(
                f"{os.fsdecode(self._path)} cannot be part of an image: "
                f"it contains a path of more than {MAX_PATH} bytes"
            )
        try:
            status = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError as error:
            raise missing(path) from error
        mode = status.st_mode
        if stat.S_ISREG(mode):
            # Only the owner's bit counts, as in a NAR.
            inode = status.st_dev, status.st_ino
            return File(path, status.st_size, bool(mode & stat.S_IXUSR), inode)
        if stat.S_ISLNK(mode):
            return Symlink(path, target_of(path, self._directory))
        if stat.S_ISDIR(mode):
            return Directory(path)
        raise StoreDamaged(f"{os.fsdecode(path)} is neither a file, a directory nor a symlink")

    def _enter(self, path: bytes, name: bytes) -> None:
        try:
            self._move(os.open(name, _DIRECTORY, dir_fd=self._directory))
        except FileNotFoundError as error:
            raise missing(path) from error
        except OSError as error:
            if error.errno in (ENOTDIR, ELOOP):  # it was a directory
                raise replaced(path) from error
            raise
        room = MAX_NAMES - self._held
        path += b"/"
        with os.scandir(self._directory) as found:
            parts = _parts(os.fsencode(child.name) for child in found)
            names = next(parts)
            if len(names) < room:  # which holds for all others too
                names.sort()
                level = _Level(path, self._inode(), iter(names), len(names))
            else:
                number = self._names.add(chain((names,), parts))
                level = _Level(path, self._inode(), self._names.of(number))
        self._held += level.held
        self._levels.append(level)

    def _leave(self) -> None:
        left = self._levels.pop()
        self._held -= left.held
        if self._levels:
            self._move(os.open("..", _PARENT, dir_fd=self._directory))
            if self._inode() != self._levels[-1].inode:
                raise replaced(left.path[:-1])

    def _move(self, directory: int) -> None:
        os.close(self._directory)
        self._directory = directory

    def _inode(self) -> tuple[int, int]:
        status = os.fstat(self._directory)
        return status.st_dev, status.st_ino


def _parts(names: Iterator[bytes]) -> Iterator[list[bytes]]:
    """At least one part; all but the last have MAX_NAMES."""
    while True:
        stop_if_cancelled()
        part = list(islice(names, MAX_NAMES))
        yield part
        if len(part) < MAX_NAMES:
            return
