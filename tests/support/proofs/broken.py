"""Storages with one mistake each. A proof that does not notice it proves nothing."""

from contextlib import contextmanager
from unittest.mock import patch

from nixery.errors import StorageFull
from nixery.oci import Digest
from nixery.storage import LocalFile, layer_key
from nixery.storage import filesystem as module
from nixery.storage.filesystem import FilesystemStorage


class PlainWrite(FilesystemStorage):
    """Writes where readers look, and leaves it to the kernel when it reaches the disk."""

    def place(self, staging, key):
        target = self._directory / key
        target.parent.mkdir(parents=True, exist_ok=True)
        data = staging.path.read_bytes()
        with target.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            file.write(data[len(data) // 2 :])
        return self.stat(key)


class NoDirectorySync(FilesystemStorage):
    """Syncs the content, but not the name."""

    def place(self, staging, key):
        with patch.object(module, "sync_directory", lambda _: None):
            return super().place(staging, key)


class SwallowsFullDisk(FilesystemStorage):
    """Takes a write that failed for one that was short."""

    @contextmanager
    def stage(self):
        with super().stage() as staging:
            careful = staging.write

            def careless(data):
                try:
                    careful(data)
                except StorageFull:
                    # Counts and hashes are those of the given bytes, as after any other write.
                    staging._sha256.update(data)
                    staging._size += len(data)

            staging.write = careless
            yield staging


class NeverLooks(FilesystemStorage):
    """Trusts a name without checking the content."""

    def locate(self, digest: Digest):
        found = self.stat(layer_key(digest))
        return found and LocalFile(self._directory / found.key, found.size)

    verify = locate
