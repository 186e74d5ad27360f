"""Garbage collector roots for the store paths that are being packed.

Without a root, a store path can be collected while its files are read. Roots are in a directory of
this process, which holds a lock while it runs. Directories without a held lock belong to processes
that died, and are removed. (A lock and not a process id: ids repeat, and containers that share a
state directory do not share them.)
"""

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixery.host.file_locks import lockable, locked, try_lock

# The form of uuid4().hex: anything else in the directory is not removed.
_OURS = re.compile(r"[0-9a-f]{32}")


class Roots:
    """``directory``: where Nix may create links, on a file system that outlives a build."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own: Path | None = None

    @contextmanager
    def opened(self) -> Iterator["Roots"]:
        """Holds the lock, and removes directories of dead processes."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Locked before it gets a name that others check.
        hidden = self._directory / f".{uuid.uuid4().hex}"
        hidden.mkdir()
        with locked(hidden):
            own = hidden.rename(self._directory / hidden.name.removeprefix("."))
            self._own = own
            self._sweep()
            try:
                yield self
            finally:
                self._own = None
                shutil.rmtree(own, ignore_errors=True)

    @contextmanager
    def reserve(self) -> Iterator[Path]:
        """A path for ``--add-root``; its links are removed at the end of the block."""
        assert self._own is not None, "roots are reserved while they are open"
        place = self._own / uuid.uuid4().hex
        place.mkdir()
        try:
            yield place / "root"
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _sweep(self) -> None:
        for left in self._directory.iterdir():
            if left == self._own or not _OURS.fullmatch(left.name) or not left.is_dir():
                continue
            with lockable(left) as descriptor:
                if try_lock(descriptor):  # otherwise its process is running
                    shutil.rmtree(left, ignore_errors=True)
