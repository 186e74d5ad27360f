"""Work that is done only once, and work that is repeated because its result was lost."""

import json
from dataclasses import replace

import pytest
from support.fake_source import resolved
from support.registry import LIMITS, pull

from nixery.oci import Format, hexdigits

pytestmark = pytest.mark.anyio


async def test_the_same_process_remembers_a_pinned_image(registry):
    async with registry.opened() as answers:
        first = await answers.image("hello", "latest")
        second = await answers.image("hello", "latest")
    assert (first.cache, second.cache) == ("none", "local")
    assert second.manifests == first.manifests
    assert registry.nix.steps == ["evaluate", "realise", "closure"]
    assert len(registry.source.reads) == 1  # its files are not needed either


async def test_a_restarted_process_remembers_it_too(registry):
    await pull(registry)
    assert (await pull(registry)).cache == "local"
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_another_replica_finds_it_in_the_bucket(registry):
    first = await pull(registry, replica="one")
    second = await pull(registry, replica="two")
    assert second.cache == "storage"
    assert second.manifests == first.manifests
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_an_unpinned_image_is_found_by_its_outputs(registry):
    """A path has no revision: a new process evaluates, and builds nothing."""
    registry.source.answers["latest"] = resolved(identity="files")
    await pull(registry)
    assert (await pull(registry)).cache == "local"
    assert registry.nix.steps == ["evaluate", "realise", "closure", "evaluate"]


async def test_an_unchanged_path_needs_no_nix(registry):
    registry.source.answers["latest"] = resolved(identity="files")
    async with registry.opened() as answers:
        await answers.image("hello", "latest")
        again = await answers.image("hello", "latest")
    assert again.cache == "local"
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_a_changed_path_is_evaluated_again(registry):
    async with registry.opened() as answers:
        for identity in ("files", "other files"):
            registry.source.answers["latest"] = resolved(identity=identity)
            await answers.image("hello", "latest")
    assert registry.nix.steps == ["evaluate", "realise", "closure", "evaluate"]


async def test_a_revision_pins_nothing_where_evaluation_reads_elsewhere(registry):
    registry.recipe = replace(registry.recipe, self_contained=False)
    await pull(registry)
    await pull(registry)
    assert registry.nix.steps == ["evaluate", "realise", "closure", "evaluate"]


@pytest.mark.parametrize("part", ["evaluation", "image"])
async def test_another_recipe_is_another_image(registry, part):
    await pull(registry)
    registry.recipe = replace(registry.recipe, **{part: {"other": 1}})
    await pull(registry)
    assert registry.nix.steps.count("evaluate") == 2


async def test_layers_packed_before_are_not_packed_again(registry):
    """Of the second image only its own layers are written."""
    await pull(registry, "hello")
    before = set(registry.storage.objects)
    await pull(registry, "hello/git")
    new = {key for key in set(registry.storage.objects) - before if key.startswith("layers/")}
    # git, the environment, the config and two manifests
    assert len(new) == 5


async def test_a_lost_layer_is_packed_again(registry):
    image = await pull(registry)
    digest = json.loads(image.manifests[Format.OCI].data)["layers"][0]["digest"]
    packed = registry.blob(digest)
    del registry.storage.objects[f"layers/{hexdigits(digest)}"]
    await pull(registry)
    assert registry.blob(digest) == packed


async def test_any_lost_blob_is_made_again_within_the_request(registry):
    """Layers, config and manifests alike; the digest stays."""
    first = await pull(registry)
    whole = dict(registry.storage.objects)
    for key in [key for key in whole if key.startswith("layers/")]:
        del registry.storage.objects[key]
        again = await pull(registry)
        assert again.manifests == first.manifests
        assert registry.storage.objects[key] == whole[key]


@pytest.mark.parametrize("kind", ["manifests/", "plans/", "builds/"])
async def test_entries_beside_the_blobs_may_be_lost_or_damaged(registry, kind):
    first = await pull(registry)
    keys = [key for key in registry.storage.objects if key.startswith(kind)]
    assert keys
    for damage in (None, b"", b"{"):
        for key in keys:
            registry.storage.objects.pop(key, None)
            if damage is not None:
                registry.storage.objects[key] = damage
        assert (await pull(registry, replica=repr(damage))).manifests == first.manifests


async def test_a_plan_is_replayed(registry):
    """An acknowledged manifest keeps its digest, although it would be planned differently today."""
    first = await pull(registry)
    registry.limits = replace(LIMITS, layer_budget=1)
    for key in [key for key in registry.storage.objects if key.startswith("layers/")]:
        del registry.storage.objects[key]
    assert (await pull(registry)).manifests == first.manifests


async def test_a_restarted_registry_gives_the_same_digest(registry):
    one = await pull(registry)
    registry.storage.objects.clear()
    other = await pull(registry)
    assert (other.manifests, other.cache) == (one.manifests, "none")
