"""Store paths that are being packed are safe from the garbage collector, in a separate store."""

import subprocess

import pytest
from support.registry import Registry
from support.tiny_set import collect_garbage, nix_environment

from nixery.archive import Gzip, Packer
from nixery.nix import Nix

pytestmark = [pytest.mark.anyio, pytest.mark.nix]


class CollectingPacker:
    """Runs the garbage collector before each layer is packed."""

    def __init__(self, store, environment):
        self._packer = Packer(store, Gzip())
        self._environment = environment
        self.collected = 0
        self.describe = self._packer.describe

    def pack(self, content, storage):
        self.collect()
        return self._packer.pack(content, storage)

    def collect(self):
        collect_garbage(self._environment)
        self.collected += 1


@pytest.fixture
def store(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    yield store
    # Nix leaves read-only directories.
    subprocess.run(["chmod", "-R", "u+w", store], check=True)


async def test_collecting_while_packing_takes_nothing_away(tiny, store, tmp_path):
    """And afterwards the roots are gone: the image's blobs are stored, the paths may go."""
    environment = nix_environment(store, tmp_path)
    registry = Registry(tmp_path / "registry")
    registry.source.tree = tiny
    registry.nix = Nix(environment=environment)
    registry.packer = CollectingPacker(store, environment)
    async with registry.opened() as answers:
        image = await answers.image("hello", "latest")
    assert registry.packer.collected > 3
    assert any(name.endswith("/bin/hello") for name in registry.files(image))
    registry.packer.collect()
    left = [path.name for path in (store / "nix/store").iterdir() if not path.name.startswith(".")]
    assert not left


async def test_collecting_before_building_takes_nothing_away(tiny, store, tmp_path):
    """A derivation has no root while its image waits its turn."""
    environment = nix_environment(store, tmp_path)
    registry = Registry(tmp_path / "registry")
    registry.source.tree = tiny
    nix = registry.nix = Nix(environment=environment)
    registry.packer = Packer(store, Gzip())
    realise, steps = nix.realise, []

    async def collected(packages, root):
        if not steps:
            collect_garbage(environment)
        steps.append(packages)
        await realise(packages, root)

    nix.realise = collected
    async with registry.opened() as answers:
        image = await answers.image("hello", "latest")
    assert len(steps) == 2
    assert any(name.endswith("/bin/hello") for name in registry.files(image))
