"""Hard-link deduplication within a store path: equal files become links to the first of them.

The Nix store may hard-link equal files across all paths (``nix-store --optimise``), or not. Which
files share an inode depends on the machine and must not affect the digest, so the content decides.
A file can have a duplicate only if another one has the same size and executable bit; all other
files are read only once, when they are written.

Memory is bounded. The tables of sizes and inodes may be incomplete: a missing entry only costs
another read. The table of first files decides what is linked, so it must be complete and continues
on disk (see spool).
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
"""Links to one file. ext4 allows 65,000 and ext3 allowed 32,000; layers may be unpacked on
either."""
MAX_SIZES = 10_000
"""Sizes that are counted; a file of another size is treated as a possible duplicate."""
MAX_INODES = 10_000
"""Inodes whose digest is cached."""


class HardLinks:
    """Finds the files to link in one store path; call ``link_target`` in walk order."""

    def __init__(
        self,
        entries: Iterable[Entry],
        buffer: memoryview,
        scratch: Path | None = None,
        open_entry: Callable[[File], int] = lambda file: open_file(file.path),
    ) -> None:
        """``buffer``: files are read into it; one that fits is not read again, see ``link_target``.

        ``scratch``: the directory for data on disk. ``open_entry`` returns a descriptor.
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
        self._open_entry = open_entry
        self._by_inode: dict[tuple[int, int], bytes] = {}
        self._firsts = Firsts(scratch, MAX_LINKS)

    def may_have_duplicate(self, file: File) -> bool:
        return file.size > 0 and self._repeated.get((file.size, file.executable), True)

    def link_target(self, file: File, name: bytes) -> tuple[bytes | None, memoryview | None]:
        """The entry to link to, or None; and the content if it was read.

        ``name``: the file's own, to which later files link if it is the first.
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
        """The digest, and the content if the buffer holds all of it."""
        digest = sha256()
        left = file.size
        descriptor = self._open_entry(file)
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
