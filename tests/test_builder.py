"""The way of a request, with a Nix and a source that answer from dicts, and real packing."""

import asyncio
import gzip
import hashlib
import json

import pytest
from support.fake_source import resolved
from support.registry import pull

from nixery.errors import DerivationCollected, StorageFull
from nixery.oci import Format
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio


async def test_the_steps_come_in_their_order(registry):
    await pull(registry)
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_the_image_holds_the_closure_and_links_into_it(registry):
    image = await pull(registry, "hello/git")
    names = registry.files(image)
    assert {"bin/hello", "bin/git", "etc/ssl", "tmp"} <= names
    assert any(name.endswith("lib/libc.so") for name in names)


async def test_all_that_the_manifests_name_is_stored(registry):
    image = await pull(registry)
    for form, manifest in image.manifests.items():
        assert manifest.media_type == form.value.manifest
        assert registry.blob(manifest.digest) == manifest.data
        content = json.loads(manifest.data)
        for blob in [content["config"], *content["layers"]]:
            assert len(registry.blob(blob["digest"])) == blob["size"]


async def test_the_config_lists_what_the_layers_unpack_to(registry):
    image = await pull(registry)
    manifest = json.loads(image.manifests[Format.OCI].data)
    config = json.loads(registry.blob(manifest["config"]["digest"]))
    unpacked = [gzip.decompress(registry.blob(layer["digest"])) for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [
        "sha256:" + hashlib.sha256(tar).hexdigest() for tar in unpacked
    ]


async def test_order_of_names_does_not_matter(registry):
    one, other = await pull(registry, "hello/git"), await pull(registry, "git/hello")
    assert one.manifests == other.manifests


async def test_where_packages_came_from_does_not_reach_the_digest(registry):
    registry.source.answers["other"] = resolved("2" * 40)
    one, other = await pull(registry), await pull(registry, tag="other")
    assert one.manifests == other.manifests
    assert (one.source.revision, other.source.revision) == ("1" * 40, "2" * 40)


async def test_store_paths_are_rooted_until_they_are_stored(registry):
    gate = registry.nix.hold("closure")
    async with registry.opened() as answers:
        pulling = asyncio.create_task(answers.image("hello", "latest"))
        await gate.entered.wait()
        _, (_, root) = next(call for call in registry.nix.calls if call[0] == "realise")
        assert root.is_symlink()
        gate.release.set()
        await pulling
        assert not root.parent.exists()


async def test_a_full_disk_is_reported(registry, monkeypatch):
    """Not as a group of failures, which packing several layers at once would give."""

    def full(*_):
        raise StorageFull("the disk is full")

    monkeypatch.setattr(MemoryStorage, "stage", full)
    with pytest.raises(StorageFull):
        await pull(registry)


async def test_a_derivation_that_was_collected_is_evaluated_again(registry):
    collected = DerivationCollected("pull again")
    realise, failures = registry.nix.realise, [collected]

    async def once(packages, root):
        registry.nix.failures["realise"] = failures.pop() if failures else None
        await realise(packages, root)

    registry.nix.realise = once
    await pull(registry)
    assert registry.nix.steps == ["evaluate", "realise", "evaluate", "realise", "closure"]


async def test_a_collector_that_is_always_faster_is_reported(registry):
    registry.nix.failures["realise"] = DerivationCollected("pull again")
    with pytest.raises(DerivationCollected):
        await pull(registry)
    assert registry.nix.steps == ["evaluate", "realise", "evaluate", "realise"]
