"""The packer's results for the builder."""

import pytest
from support.archive.store_trees import TREE, make_store, top_level

from nixery.archive import Environment, Gzip, Packer, StorePaths, pack, pack_environment
from nixery.storage.memory import MemoryStorage

PATHS = tuple(top_level(TREE))
CLOSURE = frozenset(PATHS)
PACKAGES = (PATHS[:1], PATHS[1:])


@pytest.fixture
def packer(store_root):
    return Packer(store_root, Gzip())


def test_store_paths_make_a_layer_of_store_paths(packer, store_root, storage):
    expected = pack(PATHS, store_root, MemoryStorage(), Gzip())
    assert packer.pack(StorePaths(PATHS), storage) == expected


def test_an_environment_makes_an_environment_layer(packer, store_root, storage):
    expected = pack_environment(PACKAGES, CLOSURE, store_root, MemoryStorage(), Gzip())
    assert packer.pack(Environment(PACKAGES, CLOSURE), storage) == expected


def test_what_gives_the_same_layer_is_described_the_same(packer):
    assert packer.describe(StorePaths(PATHS)) == packer.describe(StorePaths(PATHS[::-1] + PATHS))
    assert packer.describe(Environment(PACKAGES, CLOSURE)) == packer.describe(
        Environment((PATHS,), CLOSURE)
    )


def test_what_may_give_another_layer_is_described_otherwise(packer, store_root):
    descriptions = [
        packer.describe(StorePaths(PATHS)),
        packer.describe(StorePaths(PATHS[1:])),
        packer.describe(Environment(PACKAGES, CLOSURE)),
        packer.describe(Environment(PACKAGES[::-1], CLOSURE)),
        Packer(store_root, Gzip(9)).describe(StorePaths(PATHS)),
    ]
    assert all(one != other for one in descriptions for other in descriptions if one is not other)


def test_the_stores_location_is_not_part_of_the_description(packer, tmp_path):
    """Replicas with different stores share packed layers."""
    make_store(tmp_path / "other")
    other = Packer(tmp_path / "other", Gzip())
    assert other.describe(StorePaths(PATHS)) == packer.describe(StorePaths(PATHS))
