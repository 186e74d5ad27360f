"""The archive room: store paths become layers, byte for byte the same everywhere.

    paths ── tree.walk ──► entries ── tar.header ──► Tape ── fixed blocks ────► Pipeline
                              │                       ▲                            │
                            twins: equal files        │          hashed (diff ID), compressed by
                            become hard links         │          Workers, written in order
                                                      │                            │
    packages ── environment.merge ──► tree of links ──┘                            ▼
                                                                                Staging

Nothing of the machine reaches the bytes: not its users, clocks, file systems or threads.
"""

from nixery.archive.compress import (
    Compression,
    Gzip,
    Uncompressed,
    Zstd,
    compression_of,
)
from nixery.archive.layer import pack, pack_environment
from nixery.archive.packer import FORMAT, Content, Environment, Packer, StorePaths
from nixery.archive.workers import Workers

__all__ = [
    "FORMAT",
    "Compression",
    "Content",
    "Environment",
    "Gzip",
    "Packer",
    "StorePaths",
    "Uncompressed",
    "Workers",
    "Zstd",
    "compression_of",
    "pack",
    "pack_environment",
]
