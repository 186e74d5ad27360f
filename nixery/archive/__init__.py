"""Packing: store paths become layers, with equal bytes on every machine.

    paths ── tree.Walk ──► entries ── tar.header ──► BlockWriter ── full blocks ──► Pipeline
                              │                       ▲                               │
                         hard_links: equal            │          hashed (diff ID), compressed by
                         files become links           │          Workers, written in order
                                                      │                               │
    packages ── environment.merge ──► tree of links ──┘                               ▼
                                                                                   Staging

The bytes do not depend on users, clocks, file systems or threads of the machine. Memory does not
grow with the number of files: larger lists are on disk (spool). Links out of the image's store
paths are not followed.
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
