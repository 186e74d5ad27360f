"""Files with equal content in one store path become hard links to the first of them.

The Nix store may hard-link identical files across all its paths (``nix-store --optimise``), or
not. Which files share an inode says something about the machine, and must not reach the digest;
so the content decides. A file can only have a twin where another has the same size and the same
executable bit: the contents of all others are read once, by whoever writes them.
"""

import os
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from nixery.archive.tree import Entry, File, fill, open_file
from nixery.threads import stop_if_cancelled

MAX_LINKS = 30_000
"""Links to one file; ext4 takes 65,000, ext3 took 32,000, and layers are unpacked on any."""


class Twins:
    """The files of one store path whose size occurs more than once, in walk order."""

    def __init__(self, entries: Iterable[Entry], scratch: memoryview) -> None:
        """``scratch`` holds the content of a file that fits in, see ``content``."""
        sizes = Counter((file.size, file.executable) for file in entries if isinstance(file, File))
        self._repeated = {key for key, count in sizes.items() if key[0] and count > 1}
        self._scratch = scratch
        self._by_inode: dict[tuple[int, int], bytes] = {}
        self._first: dict[tuple[bytes, bool], bytes] = {}
        self._links: Counter[bytes] = Counter()

    def possible(self, file: File) -> bool:
        return (file.size, file.executable) in self._repeated

    def first(self, file: File, name: bytes) -> tuple[bytes | None, memoryview | None]:
        """The name of the entry to link to, or None; and the content if it was read on the way.

        ``name`` is the file's own, for later files to link to where it is the first.
        """
        digest, content = self._by_inode.get(file.inode), None
        if digest is None:
            digest, content = self._read(file)
            self._by_inode[file.inode] = digest
        key = (digest, file.executable)
        first = self._first.setdefault(key, name)
        if first is name:
            return None, content
        self._links[first] += 1
        if self._links[first] == MAX_LINKS:
            del self._first[key]
        return first, content

    def _read(self, file: File) -> tuple[bytes, memoryview | None]:
        """The digest, and the content where the scratch memory holds all of it."""
        digest = sha256()
        left = file.size
        descriptor = open_file(file.path)
        try:
            while left:
                stop_if_cancelled()
                piece = self._scratch[: min(left, len(self._scratch))]
                left -= len(piece)
                fill(descriptor, piece, file.path, last=not left)
                digest.update(piece)
        finally:
            os.close(descriptor)
        return digest.digest(), piece if len(piece) == file.size else None
