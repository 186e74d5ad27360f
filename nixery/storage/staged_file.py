"""Files of the file system storage: hashed while they are written, and verified."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from nixery.host.regular_files import open_regular
from nixery.oci import Digest, hexdigits
from nixery.storage import Blob, Buffer
from nixery.storage.durable import translated_errors, write_all


class StagedFile:
    """A file that is hashed while it is written; ``publish`` renames it to its digest."""

    def __init__(
        self, path: Path, descriptor: int, publish: Callable[["StagedFile", Digest], None]
    ) -> None:
        self.path = path
        self.descriptor = descriptor
        self._publish = publish
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, data: Buffer, /) -> None:
        with translated_errors():
            write_all(self.descriptor, data)
        self._sha256.update(data)
        self._size += len(data)

    def sync(self) -> None:
        with translated_errors():
            os.fsync(self.descriptor)

    def publish(self) -> Blob:
        digest = Digest("sha256:" + self._sha256.hexdigest())
        self.sync()
        with translated_errors():
            self._publish(self, digest)
        return Blob(digest, self._size)


def hashes_to(path: Path, digest: Digest) -> bool:
    """Whether the file has this content; False if it is not a regular file."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == hexdigits(digest)
    except FileNotFoundError:
        return False
