"""Where blobs lie while an image is being made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nixery.errors import ConfigurationError
from nixery.oci import Digest
from nixery.storage import layer_key
from nixery.storage.filesystem import FilesystemStorage


class Scratch:
    """A storage in a directory of its own, beside what is made out of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage = FilesystemStorage(directory / "storage")

    def path(self, digest: Digest) -> Path:
        """The file of a blob, which may be moved away."""
        return self.directory / "storage" / layer_key(digest)


@contextmanager
def scratch_for(target: Path) -> Iterator[Scratch]:
    """On the file system of ``target``, so that a rename reaches it; gone afterwards.

    Raises ConfigurationError where the target's directory is not there.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        raise ConfigurationError(f"{target.parent} is no directory: make it first")
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as directory:
        yield Scratch(Path(directory))
