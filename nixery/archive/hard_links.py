"""Files with equal content in one store path become hard links to the first of them.

The Nix store may hard-link identical files across all its paths (``nix-store --optimise``), or
not. Which files share an inode says something about the machine, and must not reach the digest;
so the content decides. A file can only have a twin where another has the same size and the same
executable bit: the contents of all others are read once, by whoever writes them.

Memory has a bound. Of two tables a part is enough, because what they leave out is only read once
more than needed; the third, which decides what is a link, continues on disk (see spool).
"""

import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

from nixery.archive.contents import fill, open_file
from nixery.archive.spool import Firsts
from nixery.archive.tree import Entry, File
from nixery.concurrency.threads import stop_if_cancelled

MAX_LINKS = 30_000
"""Links to one file; ext4 takes 65,000, ext3 took 32,000, and layers are unpacked on any."""
MAX_SIZES = 10_000
"""Sizes that are told apart; files of any other may have a twin."""
MAX_INODES = 10_000
"""Inodes whose digest is remembered."""


class HardLinks:
    """The files of one store path whose size occurs more than once, in walk order."""

    def __init__(
        self,
        entries: Iterable[Entry],
        buffer: memoryview,
        scratch: Path | None = None,
        opened: Callable[[File], int] = lambda file: open_file(file.path),
    ) -> None:
        """``buffer`` holds the content of a file that fits in, see ``first``.

        ``scratch``: the directory for what is kept on disk. ``opened`` gives a descriptor.
        """
        self._repeated = repeated = dict[tuple[int, bool], bool]()
        for entry in entries:
            if isinstance(entry, File):
                key = entry.size, entry.executable
                if key in repeated:
                    repeated[key] = True
                elif len(repeated) < MAX_SIZES:
                    repeated[key] = False
        self._buffer = buffer
        self._opened = opened
        self._by_inode: dict[tuple[int, int], bytes] = {}
        self._firsts = Firsts(scratch, MAX_LINKS)

    def possible(self, file: File) -> bool:
        return file.size > 0 and self._repeated.get((file.size, file.executable), True)

    def first(self, file: File, name: bytes) -> tuple[bytes | None, memoryview | None]:
        """The name of the entry to link to, or None; and the content if it was read on the way.

        ``name`` is the file's own, for later files to link to where it is the first.
        """
        digest, content = self._by_inode.get(file.inode), None
        if digest is None:
            digest, content = self._read(file)
            if len(self._by_inode) == MAX_INODES:
                self._by_inode.clear()
            self._by_inode[file.inode] = digest
        key = digest + (b"x" if file.executable else b"-")
        return self._firsts.claim(key, name), content

    def close(self) -> None:
        self._firsts.close()

    def _read(self, file: File) -> tuple[bytes, memoryview | None]:
        """The digest, and the content where the buffer holds all of it."""
        digest = sha256()
        left = file.size
        descriptor = self._opened(file)
        try:
            while left:
                stop_if_cancelled()
                piece = self._buffer[: min(left, len(self._buffer))]
                left -= len(piece)
                fill(descriptor, piece, file.path, last=not left)
                digest.update(piece)
        finally:
            os.close(descriptor)
        return digest.digest(), piece if len(piece) == file.size else None
