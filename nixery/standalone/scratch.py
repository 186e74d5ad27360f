"""Scratch storage of the blobs while an image is built."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nixery.errors import ConfigurationError
from nixery.oci import Digest
from nixery.storage import layer_key
from nixery.storage.filesystem import FilesystemStorage


class Scratch:
    """A storage in a directory beside the destination."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage = FilesystemStorage(directory / "storage")

    def path(self, digest: Digest) -> Path:
        """The file of a blob, which the caller may move."""
        return self.directory / "storage" / layer_key(digest)


@contextmanager
def scratch_for(target: Path) -> Iterator[Scratch]:
    """On the file system of ``target``, so that its files can be renamed; removed at the end.

    Raises ConfigurationError if the target's directory does not exist.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        raise ConfigurationError(f"{target.parent} is not a directory: create it first")
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as directory:
        yield Scratch(Path(directory))
