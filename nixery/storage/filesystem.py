"""Storage in a directory of the local file system.

A blob becomes visible only when it is complete and durable: it is written to ``staging/`` and
hashed, synced, renamed to its name, and then the directory of the name is synced. In a power-cut
test with 50 acknowledged blobs (ext4 and XFS), this order lost none, leaving out the last step lost
one, and a plain write lost all.

``staging/`` is beside ``layers/``, so a rename never crosses file systems. Processes that share the
directory lock ``.lock``: exclusively for deletes and conditional writes, shared for additions.

Only regular files are objects. A fifo, device, directory or symbolic link in the place of one is
treated as absent, and replaced when something is written under its name.

Disks rot: a blob is verified before this process serves it for the first time, and moved to
``quarantine/`` if its content does not match its digest.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import structlog

from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.host.disk_space import room_at
from nixery.host.file_locks import Lock, locked
from nixery.host.regular_files import look, open_regular
from nixery.oci import Digest, hexdigits
from nixery.storage import (
    LARGEST_READ,
    Condition,
    LocalFile,
    Location,
    Object,
    Stat,
    Unverified,
    layer_key,
)
from nixery.storage.durable import (
    failure,
    make_directory,
    replace,
    sync_directory,
    translated_errors,
)
from nixery.storage.staged_file import StagedFile, hashes_to

log = structlog.get_logger()

COPY_BYTES = 1 << 20
DEPTH = 2
"""Maximum number of directories in a key: ``tables/<kind>/<version>``."""
MAX_LOGGED = 100
"""Number of irregular files that a process logs; other programs may create many."""


class FilesystemStorage:
    """``directory``: STORAGE_PATH. A directory of the Go server can be used as it is."""

    trusted_seconds = 0.0
    conditional = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"
        self._verified: dict[Digest, str] = {}
        self._ignored: set[str] = set()

    @contextmanager
    def stage(self) -> Iterator[StagedFile]:
        with translated_errors():
            path = self._ensure_directory("staging") / uuid.uuid4().hex
            # 0o644, because a web server in front (X-Accel-Redirect) may run as another user.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            yield StagedFile(path, descriptor, self.publish)
        finally:
            os.close(descriptor)
            with suppress(OSError):  # renamed by publish, or the disk is broken
                path.unlink()

    def locate(self, digest: Digest) -> Location | Unverified | None:
        found = self.stat(layer_key(digest))
        if found is None:
            return None
        if self._verified.get(digest) != found.version:
            return Unverified(found.size)
        return LocalFile(self._directory / found.key, found.size)

    def verify(self, digest: Digest) -> Location | None:
        found = self.stat(layer_key(digest))
        if found is None:
            return None
        path = self._directory / found.key
        if self._verified.get(digest) != found.version:
            if not hashes_to(path, digest):
                log.error("blob does not match its digest", digest=digest, size=found.size)
                self.quarantine(digest)
                return None
            self._verified[digest] = found.version
        return LocalFile(path, found.size)

    def stat(self, key: str) -> Stat | None:
        try:
            # Called a hundred times per pull: joining strings costs a fifth of joining paths.
            status = look(self._prefix + key)
        except OSError as error:
            raise failure(error) from error
        return _stat(key, status) if status else None

    def read(self, key: str) -> Object | None:
        with translated_errors(), suppress(FileNotFoundError), self._opened(key) as file:
            found = _stat(key, os.fstat(file.fileno()))
            return Object(file.read() if found.size <= LARGEST_READ else b"", found)
        return None

    def pieces(self, stat: Stat) -> Iterator[bytes]:
        with self._opened(stat.key) as file:
            while piece := file.read(COPY_BYTES):
                yield piece

    def write(
        self, key: str, data: bytes, condition: Condition | Stat | None = None
    ) -> Stat | None:
        with translated_errors(), self.stage() as staging:
            staging.write(data)
            staging.sync()
            with self._locked(Lock.EXCLUSIVE if condition else Lock.SHARED):
                if condition and not self._condition_holds(key, condition):
                    return None
                return self.place(staging, key)

    def list(self, prefix: str) -> Iterator[Stat]:
        with (
            translated_errors(),
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._directory / prefix) as entries,
        ):
            for entry in entries:
                if found := self.stat(prefix + entry.name):
                    yield found
                elif entry.is_dir(follow_symlinks=False) and prefix.count("/") < DEPTH:
                    yield from self.list(f"{prefix}{entry.name}/")
                else:
                    self._ignore(entry.path)

    def delete(self, stat: Stat) -> bool:
        with translated_errors(), self._locked(Lock.EXCLUSIVE):
            if not self._condition_holds(stat.key, stat):
                return False
            path = self._directory / stat.key
            path.unlink()
            sync_directory(path.parent)
            return True

    def touch(self, stat: Stat) -> Stat | None:
        with translated_errors(), suppress(FileNotFoundError), self._locked(Lock.SHARED):
            os.utime(self._directory / stat.key, follow_symlinks=False)
        touched = self.stat(stat.key)
        digest = Digest("sha256:" + stat.key.removeprefix("layers/"))
        if touched and self._verified.get(digest) == stat.version:
            self._verified[digest] = touched.version
        return touched

    def quarantine(self, digest: Digest) -> None:
        self._verified.pop(digest, None)
        with translated_errors():
            target = self._ensure_directory("quarantine") / hexdigits(digest)
            with suppress(FileNotFoundError), self._locked(Lock.EXCLUSIVE):
                replace(self._directory / layer_key(digest), target, aside=target.parent)
                os.utime(target)  # from now on gc keeps it for a while

    def now(self) -> float:
        return time.time()

    def bytes_to_free(self) -> int:
        return room_at(self._directory).bytes_to_free

    def check(self) -> None:
        try:
            # Created now: when it is needed, the disk may have no room for a directory.
            for name in ("layers", "builds", "manifests", "staging", "quarantine"):
                self._ensure_directory(name)
            with self.stage() as staging, self._locked(Lock.SHARED):
                staging.write(b"")
        except (OSError, StorageUnavailable) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            raise ConfigurationError(
                f"STORAGE_PATH={self._directory} is not writable: "
                f"{getattr(cause, 'strerror', cause)}"
            ) from None

    def ping(self) -> None:
        with translated_errors():
            staging = self._ensure_directory("staging")
        if not os.access(staging, os.W_OK | os.X_OK):
            raise StorageUnavailable(f"{self._directory} is no longer writable")

    def publish(self, staging: StagedFile, digest: Digest) -> None:
        with self._locked(Lock.SHARED):
            self._verified[digest] = self.place(staging, layer_key(digest)).version

    def place(self, staging: StagedFile, key: str) -> Stat:
        """Renames a synced file to its place, durably."""
        target = self._directory / key
        self._ensure_directory(str(Path(key).parent))
        replace(staging.path, target, aside=self._directory / "quarantine")
        sync_directory(target.parent)
        return _stat(key, os.fstat(staging.descriptor))

    def _condition_holds(self, key: str, condition: Condition | Stat) -> bool:
        found = self.stat(key)
        if isinstance(condition, Condition):
            return found is None
        return found is not None and found.version == condition.version

    def _ignore(self, path: str) -> None:
        if path not in self._ignored and len(self._ignored) < MAX_LOGGED and os.path.lexists(path):
            self._ignored.add(path)
            # The name may contain characters that must not reach a log.
            log.warning("not a regular file, ignored", path=ascii(path))

    def _opened(self, key: str) -> BinaryIO:
        """Opens for reading. Raises FileNotFoundError if it is not a regular file."""
        return os.fdopen(open_regular(self._directory / key), "rb")

    def _ensure_directory(self, name: str) -> Path:
        """Creates it if it is missing: it may have been removed."""
        directory = self._directory / name
        if not directory.is_dir():
            make_directory(directory)
        return directory

    def _locked(self, lock: Lock) -> AbstractContextManager[None]:
        return locked(self._directory / ".lock", lock, create=True)


def _stat(key: str, status: os.stat_result) -> Stat:
    version = f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}"
    return Stat(key, status.st_size, version, status.st_mtime)
