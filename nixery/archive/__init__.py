"""The archive room: store paths become layers, byte for byte the same everywhere.

    paths ── tree.walk ──► entries ── tar.header ──► Tape ── blocks of 1 MiB ──► Pipeline
                              │                       ▲                            │
                            twins: equal files        │          hashed (diff ID), compressed by
                            become hard links         │          Workers, written in order
                                                      │                            │
    packages ── environment.merge ──► tree of links ──┘                            ▼
                                                                                Staging

Nothing of the machine reaches the bytes: not its users, clocks, file systems or threads.
"""

from nixery.archive.compress import Compression, Gzip
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
    "Workers",
    "pack",
    "pack_environment",
]
