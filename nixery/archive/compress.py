"""Compression of a tar stream, in independent members.

A gzip file may contain several members, and a zstd file several frames. So blocks are compressed
independently, by several threads, and joined in order. The result depends on the blocks, the kind,
the level, and the library's version if ``key`` contains it, but not on the number of workers,
timing or the CPU.
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
"""libdeflate's level: 2 % larger than gzip -6, in a quarter of the time."""
ZSTD_LEVEL = 3
"""zstd's default: level 4 gains 0.6 % of size for 6 % of time, 5 gains 2 % for 56 %."""


class Compression(Protocol):
    """A kind of compression with its parameters; frozen and comparable."""

    @property
    def kind(self) -> LayerCompression:
        """The kind, which decides the layer's media type."""

    @property
    def block(self) -> int:
        """Bytes of the tar stream per member. The ends of members affect the digest."""

    @property
    def key(self) -> str:
        """Identifies everything that affects the bytes, for caches."""

    def compress(self, block: memoryview) -> Buffer:
        """One member. Called by several threads at once; releases the GIL."""


@dataclass(frozen=True, slots=True)
class Gzip:
    """libdeflate. Its header has no time, no name, and the system 255 (RFC 1952).

    Larger blocks gain at most 0.3 % of size, and cost memory for every worker.
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
    """Compressors by level: one per thread; expensive to create."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}


_own = _Own()


@dataclass(frozen=True, slots=True)
class Zstd:
    """zstd. Each block is a frame that contains its size.

    A frame refers only to its own block, so unpacking needs 4 MiB at any level. There are no
    checksums, because clients verify the digests of blob and content anyway.

    Releases of zstd give different bytes (1.5.6 and 1.5.7 do, at all levels), so the release is
    part of the key: servers with different releases do not mix their layers.
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
    """No compression, for users who compress elsewhere: in a file system or on the network."""

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
