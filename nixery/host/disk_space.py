"""Free disk space for builds: of the storage and of the Nix store.

A completely full disk breaks more than builds: Nix cannot write to its database, and logging stops.
So new images are refused a little earlier, while stored images are served. The disks are checked
before each build, so builds continue as soon as there is space.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio.to_thread
import structlog

from nixery.errors import ConfigurationError, StorageFull
from nixery.human_units import size_text

log = structlog.get_logger()

RESERVE_SHARE = 0.05
"""Fraction of the disk; mke2fs reserves as much for root, for the same reason."""
RESERVED_BYTES = 1 << 30
"""Bytes; enough on a large disk, where a twentieth would be many images."""
RESERVED_FILES = 100_000
"""Files; a large image has about as many in its store paths."""


@dataclass(frozen=True, slots=True)
class Room:
    free: int
    """Bytes that this process may still write."""
    size: int
    free_files: int = 0
    files: int = 0
    """Total number of files that the file system can hold; 0 for no limit."""

    @property
    def is_low(self) -> bool:
        enough_files = min(RESERVED_FILES, self.files * RESERVE_SHARE)
        return self.free < self._reserve or self.free_files < enough_files

    @property
    def bytes_to_free(self) -> int:
        """Bytes to free: up to twice the reserve, so that not every image meets the limit."""
        return max(0, int(2 * self._reserve) - self.free)

    @property
    def _reserve(self) -> float:
        return min(RESERVED_BYTES, self.size * RESERVE_SHARE)

    def __str__(self) -> str:
        files = f" and {self.free_files} files" if self.files else ""
        return f"{size_text(self.free)}{files} free"


def provide_directory(setting: str, directory: Path, *, writable: bool) -> None:
    """Creates the directory if it is missing.

    Raises ConfigurationError, which names the setting, if it cannot be created, or is not writable
    although ``writable``.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        problem = None
    except OSError as error:
        problem = error.strerror or str(error)
    if writable and not problem and not os.access(directory, os.W_OK | os.X_OK):
        problem = "it is not writable"
    if problem:
        raise ConfigurationError(f"{setting}={directory} cannot be used: {problem}")


def room_at(path: Path) -> Room:
    """Of the file system that the path is on, or will be on. Raises OSError."""
    existing = next(place for place in (path, *path.parents) if place.exists())
    found = os.statvfs(existing)
    return Room(
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        free_files=found.f_favail,
        files=found.f_files,
    )


def _nobody() -> None: ...


class Disk:
    """The disks of these ``paths``; none if everything is in a bucket."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        on_full: Callable[[], None] = _nobody,
        look: Callable[[Path], Room] = room_at,
    ) -> None:
        """``on_full``: called in the event loop when something did not fit."""
        self._paths = tuple(paths)
        self._on_full = on_full
        self._look = look

    @asynccontextmanager
    async def with_room(self) -> AsyncIterator[None]:
        """Context of a build. Raises StorageFull first if a disk is almost full."""
        try:
            await self.check()
            yield
        except StorageFull:
            self._on_full()
            raise

    async def check(self) -> None:
        """Raises StorageFull if a disk is almost full."""
        await anyio.to_thread.run_sync(self._check)

    def _check(self) -> None:
        for path in self._paths:
            room = self._look(path)
            if room.is_low:
                log.warning("disk is almost full", path=str(path), **asdict(room))
                raise StorageFull(
                    f"the registry's disk is almost full ({room}), so it builds no "
                    "new images; stored images can still be pulled",
                    cause="low_disk",
                )
