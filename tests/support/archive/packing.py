"""Packs the tests' store paths."""

from contextlib import closing

import pytest

from nixery.archive import pack
from nixery.archive.tree import Walk
from nixery.storage.memory import MemoryStorage
from support.archive import golden
from support.archive.store_trees import (
    top_level,
)

every_kind = pytest.mark.parametrize("compression", golden.KINDS, ids=lambda it: it.kind)


def packed(root, workers=None, paths=None, compression=golden.KINDS[0]):
    return pack(paths or top_level(), root, MemoryStorage(), compression, workers)


def walk(top):
    """The entries of the files at a path, in order."""
    with closing(Walk(b"", top)) as entries:
        yield from entries
