"""An almost full disk: nothing new is built, stored images can be pulled."""

import pytest
from support.fake_source import resolved
from support.registry import Registry

from nixery.errors import StorageFull
from nixery.host.disk_space import Disk, Room
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path)
    registry.free = 50 << 30
    registry.noticed = []
    registry.disk = Disk(
        [tmp_path],
        on_full=lambda: registry.noticed.append(True),
        look=lambda _: Room(registry.free, 100 << 30),
    )
    return registry


async def test_nothing_is_built_until_there_is_room_again(registry):
    async with registry.opened() as answers:
        made = await answers.image("git", "latest")
        registry.free = 1000
        for _ in range(2):
            with pytest.raises(StorageFull, match="can still be pulled"):
                await answers.image("hello", "latest")
        assert registry.nix.steps.count("realise") == 1
        assert (await answers.image("git", "latest")).manifests == made.manifests
        assert len(registry.noticed) == 2
        registry.free = 50 << 30
        await answers.image("hello", "latest")


async def test_what_another_replica_stored_can_be_pulled(registry):
    async with registry.opened("one") as answers:
        await answers.image("git", "latest")
    registry.free = 1000
    async with registry.opened("two") as answers:
        assert (await answers.image("git", "latest")).cache == "storage"


async def test_a_stored_image_needs_no_room_for_another_name(registry, monkeypatch):
    """It is found by its outputs, under a revision that it was not built for."""
    async with registry.opened("one") as answers:
        made = await answers.image("git", "latest")
    registry.source.answers["next"] = resolved("2" * 40)

    def full(*_):
        raise StorageFull("no space")

    async with registry.opened("two") as answers:
        monkeypatch.setattr(MemoryStorage, "write", full)
        assert (await answers.image("git", "next")).manifests == made.manifests
