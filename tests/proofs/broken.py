"""Storages with one mistake each. A proof that does not notice it proves nothing."""

import os
from unittest.mock import patch

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

    def stage(self):
        return patch_writes(super().stage())


def patch_writes(stage):
    def careless(descriptor, data):
        try:
            os.write(descriptor, data)
        except OSError:
            return

    patched = patch.object(module, "write_all", careless)
    return _Both(stage, patched)


class _Both:
    def __init__(self, stage, patched):
        self._stage, self._patched = stage, patched

    def __enter__(self):
        self._patched.__enter__()
        return self._stage.__enter__()

    def __exit__(self, *error):
        try:
            return self._stage.__exit__(*error)
        finally:
            self._patched.__exit__(*error)


class NeverLooks(FilesystemStorage):
    """Takes a name for a promise that somebody else keeps."""

    def locate(self, digest: Digest):
        found = self.stat(layer_key(digest))
        return found and LocalFile(self._directory / found.key, found.size)
