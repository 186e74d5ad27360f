"""Storage in memory: for tests, under the same contract as the durable ones."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from nixery.oci import Digest
from nixery.storage import Blob, Buffer, Content, Location, layer_key


class MemoryStorage:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    @contextmanager
    def stage(self) -> Iterator["_Staging"]:
        yield _Staging(self.objects)

    def locate(self, digest: Digest) -> Location | None:
        data = self.objects.get(layer_key(digest))
        return None if data is None else Content(data)

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def write(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def check(self) -> None: ...


class _Staging:
    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects
        self._data = bytearray()

    def write(self, data: Buffer, /) -> None:
        self._data += data

    def publish(self) -> Blob:
        data = bytes(self._data)
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        self._objects[layer_key(digest)] = data
        return Blob(digest, len(data))
