"""Looks into the directories of store paths; the eyes of environment.merge."""

import os
from errno import EINVAL, ENOENT, ENOTDIR

from nixery.archive.environment import Child, Look
from nixery.errors import StoreDamaged
from nixery.threads import stop_if_cancelled

_STORE = [b"nix", b"store"]
_MAX_LINKS = 40  # the kernel's own limit on one path


def looking_below(root: bytes) -> Look:
    """``root``: where the store's files physically lie, without a slash at its end."""
    # Directories on whose way there is no link. To look for one at each step of a path again
    # takes the third power of its depth, with all that the kernel does.
    straight: set[bytes] = set()

    def look(path: bytes) -> tuple[Child, ...]:
        stop_if_cancelled()
        directory = path if path in straight else resolve(root, path)
        if directory is None:
            if not os.path.lexists(root + path):
                raise StoreDamaged(f"{os.fsdecode(path)} is not in the store")
            return ()
        try:
            with os.scandir(root + directory) as entries:
                children = tuple(_child(root, directory, entry) for entry in entries)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StoreDamaged(f"{os.fsdecode(directory)} is no directory any more") from error
        straight.update(child.directory for child in children if child.directory is not None)
        return children

    return look


def _child(root: bytes, parent: bytes, entry: os.DirEntry[bytes]) -> Child:
    path = parent + b"/" + entry.name
    if entry.is_symlink():
        return Child(entry.name, _follow(root, parent.split(b"/")[1:], entry.name))
    return Child(entry.name, path if entry.is_dir() else None)


def resolve(root: bytes, path: bytes) -> bytes | None:
    """The directory in the store that a logical path leads to, without links; None for others.

    Links are followed by hand: they say ``/nix/store`` where the store lies elsewhere, and one
    that leaves the store must not be followed into this machine's own files.
    """
    return _follow(root, [], path)


def _follow(root: bytes, done: list[bytes], path: bytes) -> bytes | None:
    """``resolve`` from a place on; ``done`` are the names on the way to it, none of them a link."""
    rest = path.split(b"/")[::-1]
    links = 0
    while rest:
        match rest.pop():
            case b"" | b".":
                continue
            case b"..":
                del done[-1:]
                continue
            case part:
                done.append(part)
        if done[:2] != _STORE[: len(done)]:
            return None
        if len(done) > 2 and (target := _readlink(root, done)) is not None:
            links += 1
            if links > _MAX_LINKS:
                return None
            done = [] if target.startswith(b"/") else done[:-1]
            rest += target.split(b"/")[::-1]
    found = b"/" + b"/".join(done)
    return found if len(done) > 2 and os.path.isdir(root + found) else None  # noqa: PTH112 - bytes


def _readlink(root: bytes, parts: list[bytes]) -> bytes | None:
    """Where the path leads if it is a link; None also where there is nothing."""
    try:
        return os.readlink(b"/".join((root, *parts)))  # noqa: PTH115 - a path of bytes
    except OSError as error:
        # Only these are answers. Taking a failing disk for one would be remembered for ever.
        if error.errno in (EINVAL, ENOENT, ENOTDIR):
            return None
        raise
