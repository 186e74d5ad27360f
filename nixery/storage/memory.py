"""Storage in memory, for tests, under the same contract as the others."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nixery.oci import Digest, hexdigits
from nixery.storage import (
    LARGEST_READ,
    Blob,
    Buffer,
    Condition,
    Content,
    Location,
    Object,
    Stat,
    Unverified,
    layer_key,
)


class MemoryStorage:
    """``clock``: the source of ``now``."""

    trusted_seconds = 0.0
    conditional = True

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.objects: dict[str, bytes] = {}
        self._stats: dict[str, Stat] = {}
        self._verified: dict[Digest, bytes] = {}
        self._clock = clock
        self._versions = itertools.count()

    @contextmanager
    def stage(self) -> Iterator["_Staging"]:
        yield _Staging(self)

    def locate(self, digest: Digest) -> Location | Unverified | None:
        data = self.objects.get(layer_key(digest))
        if data is None:
            return None
        return Content(data) if self._verified.get(digest) is data else Unverified(len(data))

    def verify(self, digest: Digest) -> Location | None:
        data = self.objects.get(layer_key(digest))
        if data is None:
            return None
        if hashlib.sha256(data).hexdigest() != hexdigits(digest):
            self.quarantine(digest)
            return None
        self._verified[digest] = data
        return Content(data)

    def stat(self, key: str) -> Stat | None:
        data = self.objects.get(key)
        if data is None:
            return None
        known = self._stats.get(key)
        if known is None or known.size != len(data):  # a test changed ``objects`` directly
            known = self._renew(key)
        return known

    def read(self, key: str) -> Object | None:
        stat = self.stat(key)
        if stat is None:
            return None
        return Object(self.objects[key] if stat.size <= LARGEST_READ else b"", stat)

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        if stat.key not in self.objects:
            raise FileNotFoundError(stat.key)
        yield self.objects[stat.key]

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        if condition and not self._holds(key, condition):
            return None
        self.objects[key] = data
        return self._renew(key)

    def list(self, prefix: str) -> Iterator[Stat]:
        for key in [key for key in self.objects if key.startswith(prefix)]:
            if found := self.stat(key):
                yield found

    def delete(self, stat: Stat) -> bool:
        if not self._holds(stat.key, stat):
            return False
        del self.objects[stat.key]
        return True

    def touch(self, stat: Stat) -> Stat | None:
        return self._renew(stat.key) if stat.key in self.objects else None

    def quarantine(self, digest: Digest) -> None:
        data = self.objects.pop(layer_key(digest), None)
        if data is not None:
            self.write(f"quarantine/{hexdigits(digest)}", data)

    def publish(self, digest: Digest, data: bytes) -> None:
        self.write(layer_key(digest), data)
        self._verified[digest] = data

    def now(self) -> float:
        return self._clock()

    def bytes_to_free(self) -> int:
        return 0

    def check(self) -> None: ...

    def ping(self) -> None: ...

    def _holds(self, key: str, condition: Condition | Stat) -> bool:
        found = self.stat(key)
        if isinstance(condition, Condition):
            return found is None
        return found is not None and found.version == condition.version

    def _renew(self, key: str) -> Stat:
        stat = Stat(key, len(self.objects[key]), str(next(self._versions)), self._clock())
        self._stats[key] = stat
        return stat


class _Staging:
    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._data = bytearray()

    def write(self, data: Buffer, /) -> None:
        self._data += data

    def publish(self) -> Blob:
        data = bytes(self._data)
        digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        self._storage.publish(digest, data)
        return Blob(digest, len(data))
