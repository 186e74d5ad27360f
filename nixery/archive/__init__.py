"""The archive room: store paths become layers, byte for byte the same everywhere.

    paths ── tree.Walk ──► entries ── tar.header ──► Tape ── fixed blocks ────► Pipeline
                              │                       ▲                            │
                            twins: equal files        │          hashed (diff ID), compressed by
                            become hard links         │          Workers, written in order
                                                      │                            │
    packages ── environment.merge ──► tree of links ──┘                            ▼
                                                                                Staging

Nothing of the machine reaches the bytes: not its users, clocks, file systems or threads. Memory
does not grow with the number of files: what is too much for it waits on disk (spool). No link is
followed out of the image's store paths.
"""

from nixery.archive.compress import (
    Compression,
    Gzip,
    Uncompressed,
    Zstd,
    compression_of,
)
from nixery.archive.layer import pack, pack_environment
from nixery.archive.packer import LAYER_FORMAT, Environment, LayerContent, Packer, StorePaths
from nixery.archive.workers import Workers

__all__ = [
    "LAYER_FORMAT",
    "Compression",
    "Environment",
    "Gzip",
    "LayerContent",
    "Packer",
    "StorePaths",
    "Uncompressed",
    "Workers",
    "Zstd",
    "compression_of",
    "pack",
    "pack_environment",
]
