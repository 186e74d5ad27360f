"""Durable file operations: system calls that sync files and directories."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixery.errors import StorageFull, StorageUnavailable


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Writes everything: ``write`` may accept less, for example when the disk fills up."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(directory: Path) -> None:
    """Syncs a directory: a new or renamed entry is durable only after this."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Creates a directory and its parents, each durable in its parent."""
    chain = [directory, *directory.parents]
    existing = next(index for index, path in enumerate(chain) if path.is_dir())
    directory.mkdir(parents=True, exist_ok=True)
    for parent in chain[1 : existing + 1]:
        sync_directory(parent)


def replace(source: Path, target: Path, *, aside: Path) -> None:
    """Renames a file over an existing one. Moves a directory of that name ``aside`` first."""
    try:
        source.rename(target)
    except IsADirectoryError:
        make_directory(aside)
        target.rename(aside / f"{target.name}.{uuid.uuid4().hex}")
        source.rename(target)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns a full disk or exhausted quota into StorageFull, other errors into StorageUnavailable.

    A disk may become read-only, vanish or break while the server runs. The OSError, whose
    message names the file, is kept as ``__cause__``: clients do not see it.
    """
    try:
        yield
    except OSError as error:
        raise failure(error) from error


def failure(error: OSError) -> StorageFull | StorageUnavailable:
    """The error of nixery.errors for ``error``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("the registry's disk is full; stored images can still be pulled")
    return StorageUnavailable(f"the registry's disk cannot be used: {error.strerror}")
