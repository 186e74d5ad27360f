"""Garbage collector roots for what is being packed.

A store path without a root can be collected while its files are read. Roots live in a
directory of this process, which holds a lock as long as it lives; directories whose lock is free
belong to processes that died, and are removed. (A lock, not a process number: numbers repeat,
and containers that share a state directory do not share them.)
"""

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixery.host.file_locks import lockable, locked, try_lock

# What uuid4().hex gives: whatever else lies there is not ours to remove.
_OURS = re.compile(r"[0-9a-f]{32}")


class Roots:
    """``directory``: where Nix may make links, on a file system that outlives a build."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own: Path | None = None

    @contextmanager
    def opened(self) -> Iterator["Roots"]:
        """Holds the lock, and sweeps what dead processes left."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Locked before it gets a name that sweeping looks at.
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
        """A path for ``--add-root``; the links made there are removed with the block."""
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
                if try_lock(descriptor):  # else its process lives
                    shutil.rmtree(left, ignore_errors=True)
