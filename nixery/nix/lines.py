"""Splits a stream of bytes into lines of bounded length.

asyncio's ``readline`` raises at its limit and loses the buffer; a build log may contain 10 MB
without a line end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_LINE = 64 * 1024  # bytes; Nix's own messages are much shorter


@dataclass(slots=True)
class LineSplitter:
    """Of a line longer than MAX_LINE it keeps the start."""

    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that end in this chunk, without line ends."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._keep(part)
            yield self._take()
        self._keep(rest)

    def end(self) -> Iterator[str]:
        """The last line, if it has no line end."""
        if self._pending:
            yield self._take()

    def _keep(self, part: bytes) -> None:
        self._pending += part[: MAX_LINE - len(self._pending)]

    def _take(self) -> str:
        line = self._pending.decode(errors="replace")
        self._pending.clear()
        return line
