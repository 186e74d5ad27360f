"""Storage in a directory of the local file system.

A blob becomes visible only whole and durable: it is written to ``staging/``, hashed as it is
written, synced, renamed to its name, and then the directory that holds the name is synced. Of 50
acknowledged blobs a power cut lost none in this order, one without the last step, and all of
them with a plain write (measured on ext4 and XFS).

``staging/`` lies beside ``layers/``, so that a rename never crosses a file system. Processes that
share the directory agree through a lock on ``.lock``: whoever removes or replaces on a condition
holds it alone, whoever adds holds it together with others.

Only regular files are objects: fifos, devices, directories and symbolic links in the place of one
are treated as absent, and replaced by what is written under their name.

Disks rot: a blob must be verified before this process serves it for the first time, and is put
into ``quarantine/`` if its content is not what its name says.
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
    failures_are_told,
    make_directory,
    replace,
    sync_directory,
)
from nixery.storage.staged_file import StagedFile, hashes_to

log = structlog.get_logger()

COPY_BYTES = 1 << 20
DEPTH = 2
"""Directories in a key, at most: ``tables/<kind>/<version>``."""
TOLD = 100
"""Files that are not regular, of which a process writes to its log; others may make many."""


class FilesystemStorage:
    """``directory`` is STORAGE_PATH; a directory of the Go server can be taken over as it is."""

    trusted_seconds = 0.0
    conditional = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"
        self._verified: dict[Digest, str] = {}
        self._ignored: set[str] = set()

    @contextmanager
    def stage(self) -> Iterator[StagedFile]:
        with failures_are_told():
            path = self._made("staging") / uuid.uuid4().hex
            # 0o644: a web server in front (X-Accel-Redirect) may run as another user.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            yield StagedFile(path, descriptor, self.publish)
        finally:
            os.close(descriptor)
            with suppress(OSError):  # published, and so renamed away; or the disk takes nothing
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
                log.error("blob is not what its name says", digest=digest, size=found.size)
                self.quarantine(digest)
                return None
            self._verified[digest] = found.version
        return LocalFile(path, found.size)

    def stat(self, key: str) -> Stat | None:
        try:
            # A pull looks at a hundred of them: joining strings costs a fifth of joining paths.
            status = look(self._prefix + key)
        except OSError as error:
            raise failure(error) from error
        return _stat(key, status) if status else None

    def read(self, key: str) -> Object | None:
        with failures_are_told(), suppress(FileNotFoundError), self._opened(key) as file:
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
        with failures_are_told(), self.stage() as staging:
            staging.write(data)
            staging.sync()
            with self._locked(Lock.EXCLUSIVE if condition else Lock.SHARED):
                if condition and not self._holds(key, condition):
                    return None
                return self.place(staging, key)

    def list(self, prefix: str) -> Iterator[Stat]:
        with (
            failures_are_told(),
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
        with failures_are_told(), self._locked(Lock.EXCLUSIVE):
            if not self._holds(stat.key, stat):
                return False
            path = self._directory / stat.key
            path.unlink()
            sync_directory(path.parent)
            return True

    def touch(self, stat: Stat) -> Stat | None:
        with failures_are_told(), suppress(FileNotFoundError), self._locked(Lock.SHARED):
            os.utime(self._directory / stat.key, follow_symlinks=False)
        touched = self.stat(stat.key)
        digest = Digest("sha256:" + stat.key.removeprefix("layers/"))
        if touched and self._verified.get(digest) == stat.version:
            self._verified[digest] = touched.version
        return touched

    def quarantine(self, digest: Digest) -> None:
        self._verified.pop(digest, None)
        with failures_are_told():
            target = self._made("quarantine") / hexdigits(digest)
            with suppress(FileNotFoundError), self._locked(Lock.EXCLUSIVE):
                replace(self._directory / layer_key(digest), target, aside=target.parent)
                os.utime(target)  # from now on it is kept for a while

    def now(self) -> float:
        return time.time()

    def lacking(self) -> int:
        return room_at(self._directory).lacking

    def check(self) -> None:
        try:
            # Quarantine now, because a disk may have no room for a directory when it is needed.
            for name in ("layers", "builds", "manifests", "staging", "quarantine"):
                self._made(name)
            with self.stage() as staging, self._locked(Lock.SHARED):
                staging.write(b"")
        except (OSError, StorageUnavailable) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            raise ConfigurationError(
                f"STORAGE_PATH={self._directory} cannot be written to: "
                f"{getattr(cause, 'strerror', cause)}"
            ) from None

    def ping(self) -> None:
        with failures_are_told():
            staging = self._made("staging")
        if not os.access(staging, os.W_OK | os.X_OK):
            raise StorageUnavailable(f"{self._directory} cannot be written to any more")

    def publish(self, staging: StagedFile, digest: Digest) -> None:
        with self._locked(Lock.SHARED):
            self._verified[digest] = self.place(staging, layer_key(digest)).version

    def place(self, staging: StagedFile, key: str) -> Stat:
        """Rename a synced file to its place, durably."""
        target = self._directory / key
        self._made(str(Path(key).parent))
        replace(staging.path, target, aside=self._directory / "quarantine")
        sync_directory(target.parent)
        return _stat(key, os.fstat(staging.descriptor))

    def _holds(self, key: str, condition: Condition | Stat) -> bool:
        found = self.stat(key)
        if isinstance(condition, Condition):
            return found is None
        return found is not None and found.version == condition.version

    def _ignore(self, path: str) -> None:
        if path not in self._ignored and len(self._ignored) < TOLD and os.path.lexists(path):
            self._ignored.add(path)
            # Its name may hold what no log can.
            log.warning("not a regular file, ignored", path=ascii(path))

    def _opened(self, key: str) -> BinaryIO:
        """For reading. Raises FileNotFoundError where there is no regular file."""
        return os.fdopen(open_regular(self._directory / key), "rb")

    def _made(self, name: str) -> Path:
        """Not remembered: a directory that somebody removes comes back."""
        directory = self._directory / name
        if not directory.is_dir():
            make_directory(directory)
        return directory

    def _locked(self, lock: Lock) -> AbstractContextManager[None]:
        return locked(self._directory / ".lock", lock, create=True)


def _stat(key: str, status: os.stat_result) -> Stat:
    version = f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}"
    return Stat(key, status.st_size, version, status.st_mtime)
