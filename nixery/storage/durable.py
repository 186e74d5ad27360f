"""System calls that make files durable, with the failures that this takes seriously."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixery.errors import StorageFull, StorageUnavailable


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """``write`` may take less than it is given, for example when the disk fills up."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(directory: Path) -> None:
    """A name is durable only when its directory is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create it with its parents, each durable in the directory above it."""
    chain = [directory, *directory.parents]
    existing = next(index for index, path in enumerate(chain) if path.is_dir())
    directory.mkdir(parents=True, exist_ok=True)
    for parent in chain[1 : existing + 1]:
        sync_directory(parent)


def replace(source: Path, target: Path, *, aside: Path) -> None:
    """Rename a file over whatever has its name; a directory there is moved ``aside`` first."""
    try:
        source.rename(target)
    except IsADirectoryError:
        make_directory(aside)
        target.rename(aside / f"{target.name}.{uuid.uuid4().hex}")
        source.rename(target)


@contextmanager
def failures_are_told() -> Iterator[None]:
    """A full disk or an exhausted quota becomes StorageFull, any other failure StorageUnavailable.

    A disk may become read-only, vanish or break while the server runs. What the system said, with
    the file, is the cause: clients are not told where that lies.
    """
    try:
        yield
    except OSError as error:
        raise failure(error) from error


def failure(error: OSError) -> StorageFull | StorageUnavailable:
    """See ``failures_are_told``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            "the registry's disk is full; images that are stored can still be pulled"
        )
    return StorageUnavailable(f"the registry's disk cannot be used: {error.strerror}")
