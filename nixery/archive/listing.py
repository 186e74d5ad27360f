"""Listing of directories in store paths, for environment.merge.

Links are resolved here, and only to store paths of the image. A link to any other path, in the
store or outside of it, is treated as dangling, as it would be in the image, even if the path exists
on this machine.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from errno import EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR

from nixery.archive.environment import Child, ListChildren
from nixery.archive.tree import MAX_PATH
from nixery.concurrency.threads import stop_if_cancelled
from nixery.errors import StoreDamaged

MAX_FILE = 1 << 20
"""Bytes of a file that is copied into an environment layer."""

_STORE = [b"nix", b"store"]
_MAX_LINKS = 40  # the kernel's limit for one path
_ANCHOR = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def child_lister(root: bytes, closure: Iterable[bytes]) -> ListChildren:
    """``root``: location of the store's files, without a slash at its end.

    ``closure``: the image's store paths, as in ``/nix/store/…``.
    """
    names = frozenset(path.rpartition(b"/")[2] for path in closure)

    def look(path: bytes) -> Iterator[Child]:
        stop_if_cancelled()
        with _opened(root, names) as store:
            # Only an output may be a link: paths found in a directory are resolved already.
            # Resolving them again would take cubic time in their depth.
            directory = path if path.count(b"/") > 3 else store.resolve([], path)
            if directory is not None:
                yield from store.children(directory)
            elif not store.has(path):
                raise StoreDamaged(f"{os.fsdecode(path)} is not in the store")

    return look


def resolve(root: bytes, closure: Iterable[bytes], path: bytes) -> bytes | None:
    """The directory in the store that a logical path leads to, without links; None if outside."""
    names = frozenset(path.rpartition(b"/")[2] for path in closure)
    with _opened(root, names) as store:
        return store.resolve([], path)


def read_file(root: bytes, closure: Iterable[bytes], path: bytes) -> bytes | None:
    """The content of a file by its logical path, up to MAX_FILE bytes.

    None if it is missing, outside of the image's store paths, or not a regular file.
    """
    names = frozenset(path.rpartition(b"/")[2] for path in closure)
    with _opened(root, names) as store:
        return store.read(path)


@contextmanager
def _opened(root: bytes, names: frozenset[bytes]) -> Iterator["_Store"]:
    descriptor = os.open(b"/".join((root, *_STORE)), _ANCHOR)
    try:
        yield _Store(descriptor, names)
    finally:
        os.close(descriptor)


class _Store:
    """The image's part of the store.

    Directories are opened name by name, so the length of the store's own path does not matter.
    """

    def __init__(self, descriptor: int, names: frozenset[bytes]) -> None:
        self._descriptor = descriptor
        self._names = names

    def has(self, path: bytes) -> bool:
        return self._status(_parts(path)[2:]) is not None

    def resolve(self, done: list[bytes], path: bytes) -> bytes | None:
        """Resolves ``path`` relative to the directory with the components ``done``.

        None of these may be a link. Modifies ``done``.
        """
        stop_if_cancelled()
        rest = path.split(b"/")[::-1]
        links = 0
        while rest:
            match rest.pop():
                case b"" | b".":
                    continue
                case b"..":
                    if len(done) > 2 and not self._is_directory(done):
                        return None
                    del done[-1:]
                    continue
                case part:
                    done.append(part)
            if not self._may_lead_into_image(done):
                return None
            if len(done) > 2:
                target = self._target(done)
                if target is None:
                    return None
                if target:
                    links += 1
                    if links > _MAX_LINKS:
                        return None
                    done = [] if target.startswith(b"/") else done[:-1]
                    rest += target.split(b"/")[::-1]
        return _joined(done) if len(done) > 2 and self._is_directory(done) else None

    def read(self, path: bytes) -> bytes | None:
        for _ in range(_MAX_LINKS):
            above, _, name = path.rpartition(b"/")
            directory = self.resolve([], above)
            if directory is None:
                return None
            parts = [*_parts(directory), name]
            target = self._target(parts)
            if target is None:
                return None
            if not target:
                return self._content(parts)
            path = target if target.startswith(b"/") else directory + b"/" + target
        return None

    def _content(self, parts: Sequence[bytes]) -> bytes | None:
        status = self._status(parts[2:])
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        descriptor = os.open(b"/".join(parts[2:]), _FILE, dir_fd=self._descriptor)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_FILE)

    def children(self, directory: bytes) -> Iterator[Child]:
        parts = _parts(directory)
        try:
            descriptor = self._open(parts[2:])
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR, ELOOP):
                raise StoreDamaged(f"{os.fsdecode(directory)} is no longer a directory") from error
            raise
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if entry.is_symlink():
                        yield Child(name, self.resolve([*parts], name))
                    else:
                        path = directory + b"/" + name
                        fits = len(path) <= MAX_PATH
                        yield Child(name, path if fits and entry.is_dir() else None)
        finally:
            os.close(descriptor)

    def _open(self, parts: Sequence[bytes]) -> int:
        """Opens name by name, without following a link that replaced a directory."""
        descriptor = os.dup(self._descriptor)
        for part in parts:
            try:
                inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    def _may_lead_into_image(self, parts: list[bytes]) -> bool:
        """Whether these components begin a path in one of the image's store paths."""
        if len(parts) > 2 and parts[2] not in self._names:
            return False
        return parts[:2] == _STORE[: len(parts)] and len(_joined(parts)) <= MAX_PATH

    def _is_directory(self, parts: list[bytes]) -> bool:
        status = self._status(parts[2:])
        return status is not None and stat.S_ISDIR(status.st_mode)

    def _status(self, parts: Sequence[bytes]) -> os.stat_result | None:
        try:
            name = b"/".join(parts)
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError as error:
            _check_absent(error)
            return None

    def _target(self, parts: Sequence[bytes]) -> bytes | None:
        """The target of a link; empty if it is not a link, None if it does not exist."""
        try:
            return os.readlink(b"/".join(parts[2:]), dir_fd=self._descriptor)
        except OSError as error:
            if error.errno == EINVAL:
                return b""
            _check_absent(error)
            return None


def _check_absent(error: OSError) -> None:
    """Raises the error again, unless it means that the path does not exist.

    If an I/O error were treated as absence, an image with missing files would be cached.
    """
    # The last: the name is too long for any file.
    if error.errno not in (ENOENT, ENOTDIR, ENAMETOOLONG):
        raise error


def _parts(path: bytes) -> list[bytes]:
    return path.split(b"/")[1:]


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"/" + b"/".join(parts)
