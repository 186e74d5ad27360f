"""A store with one entry of each type, and a storage for layers."""

import pytest
from support.archive.store_trees import make_store

from nixery.storage.memory import MemoryStorage


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def store_root(tmp_path):
    root = tmp_path / "root"
    make_store(root)
    return root
