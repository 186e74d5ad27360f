"""How a tar stream becomes a blob: members, each the compressed form of one block.

Members of gzip may follow each other in one file, as may frames of zstd, so blocks are compressed
independently, by several threads, and joined in order. The result depends on the blocks, the kind
and the level, and on the library's version where ``key`` names it: not on the number of workers,
on timing or on the CPU.
"""

import threading
from dataclasses import dataclass
from typing import Protocol

import zstandard
from deflate import gzip_compress

from nixery.oci import LayerCompression
from nixery.storage import Buffer

MIB = 1 << 20

# Both by measurement, see docs/performance.md.
GZIP_LEVEL = 4
"""libdeflate's: a little larger than gzip -6 (2 %), in a quarter of its time."""
ZSTD_LEVEL = 3
"""zstd's own default: level 4 gains 0.6 % of size for 6 % of time, 5 gains 2 % for 56 %."""


class Compression(Protocol):
    """A kind with its parameters, as a value: frozen, comparable."""

    @property
    def kind(self) -> LayerCompression:
        """What the layer's media type says."""

    @property
    def block(self) -> int:
        """Bytes of tar stream in each member. It decides where members end, and so the digest."""

    @property
    def key(self) -> str:
        """Names all that decides the bytes, wherever results are remembered."""

    def compress(self, block: memoryview) -> Buffer:
        """One member. Called by several threads at once; releases the interpreter's lock."""


@dataclass(frozen=True, slots=True)
class Gzip:
    """libdeflate, whose header has no time, no name, and 255 for the system (RFC 1952).

    Larger blocks gain 0.3 % of size at most, and cost memory for every worker.
    """

    level: int = GZIP_LEVEL

    @property
    def kind(self) -> LayerCompression:
        return "gzip"

    @property
    def block(self) -> int:
        return MIB

    @property
    def key(self) -> str:
        return f"gzip-{self.level}"

    def compress(self, block: memoryview) -> Buffer:
        return gzip_compress(block, self.level)


class _Own(threading.local):
    """Each thread's compressors, by level: one serves a single thread, and is dear to make."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}


_own = _Own()


@dataclass(frozen=True, slots=True)
class Zstd:
    """zstd, each block a frame of its own that says how long its content is.

    No frame looks back further than its block, so unpacking needs 4 MiB, whatever the level. There
    are no checksums: a client compares the digests of the blob and of its content anyway.

    Releases of zstd differ in the bytes they give (1.5.6 and 1.5.7 do, at all levels), so the
    release is a part of the key: servers with different ones never take each other's layers for
    their own.
    """

    level: int = ZSTD_LEVEL

    @property
    def kind(self) -> LayerCompression:
        return "zstd"

    @property
    def block(self) -> int:
        return 4 * MIB

    @property
    def key(self) -> str:
        return f"zstd-{self.level}-{'.'.join(map(str, zstandard.ZSTD_VERSION))}"

    def compress(self, block: memoryview) -> Buffer:
        compressor = _own.compressors.get(self.level)
        if compressor is None:
            compressor = zstandard.ZstdCompressor(
                self.level, write_content_size=True, write_checksum=False, write_dict_id=False
            )
            _own.compressors[self.level] = compressor
        return compressor.compress(block)


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """The tar itself, for whoever compresses elsewhere: a file system, or on the way."""

    @property
    def kind(self) -> LayerCompression:
        return "none"

    @property
    def block(self) -> int:
        return MIB

    @property
    def key(self) -> str:
        return "none"

    def compress(self, block: memoryview) -> Buffer:
        return block


def compression_of(kind: LayerCompression, level: int | None = None) -> Compression:
    """``level``: one of oci.COMPRESSION_LEVELS; None for the default of the kind."""
    match kind:
        case "gzip":
            return Gzip() if level is None else Gzip(level)
        case "zstd":
            return Zstd() if level is None else Zstd(level)
        case "none":
            return Uncompressed()
