"""Writer of a tar stream that cuts it into blocks of equal size."""

from typing import Protocol

from nixery.archive import tar
from nixery.archive.contents import fill


class BlockSink(Protocol):
    """The receiver of full blocks."""

    def exchange(self, block: memoryview, used: int) -> memoryview:
        """Takes the first ``used`` bytes of the block; returns another block to fill."""


class BlockWriter:
    """Collects headers and contents in a block; files are read directly into it."""

    def __init__(self, blocks: BlockSink, block: memoryview) -> None:
        self._blocks = blocks
        self._block = block
        self._used = 0

    def write(self, data: bytes | memoryview) -> None:
        end = self._used + len(data)
        if end < len(self._block):  # nearly always true
            self._block[self._used : end] = data
            self._used = end
            return
        rest = memoryview(data)
        while rest:
            piece = rest[: len(self._block) - self._used]
            self._block[self._used : self._used + len(piece)] = piece
            self._advance(len(piece))
            rest = rest[len(piece) :]

    def content(self, data: bytes | memoryview) -> None:
        """A file's content from memory."""
        self.write(data)
        self.write(tar.padding(len(data)))

    def copy(self, descriptor: int, path: bytes, size: int) -> None:
        """A file's content, ``size`` bytes. Raises StoreDamaged if the file has another size."""
        left = size
        while left:
            piece = min(left, len(self._block) - self._used)
            target = self._block[self._used : self._used + piece]
            fill(descriptor, target, path, last=piece == left)
            self._advance(piece)
            left -= piece
        self.write(tar.padding(size))

    def end(self) -> None:
        """Ends the archive and hands over the last block."""
        self.write(tar.END)
        if self._used:
            self._block = self._blocks.exchange(self._block, self._used)
            self._used = 0

    def _advance(self, count: int) -> None:
        self._used += count
        if self._used == len(self._block):
            self._block = self._blocks.exchange(self._block, self._used)
            self._used = 0
