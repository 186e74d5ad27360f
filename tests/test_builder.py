"""The way of a request, with a Nix and a source that answer from dicts, and real packing."""

import asyncio
import gzip
import hashlib
import json
from dataclasses import replace

import pytest
from fake_source import resolved
from registry import LIMITS, Registry

from nixery.errors import (
    BuildFailed,
    NameInvalid,
    PackageNotFound,
    ShuttingDown,
    SourceUnavailable,
    StorageFull,
    TagUnknown,
    TimedOut,
    TooBusy,
)
from nixery.image import parse
from nixery.lease import Leases
from nixery.oci import Format, hexdigits
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


async def pull(registry, name="hello", tag="latest", replica="one"):
    """By a process of its own."""
    async with registry.builder(replica).opened() as builder:
        return await builder.image(name, tag)


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


async def test_a_restarted_registry_gives_the_same_digest(registry):
    one = await pull(registry)
    registry.storage.objects.clear()
    other = await pull(registry)
    assert (other.manifests, other.cache) == (one.manifests, "none")


async def test_where_packages_came_from_does_not_reach_the_digest(registry):
    registry.source.answers["other"] = resolved("2" * 40)
    one, other = await pull(registry), await pull(registry, tag="other")
    assert one.manifests == other.manifests
    assert (one.source.revision, other.source.revision) == ("1" * 40, "2" * 40)


async def test_layers_packed_before_are_not_packed_again(registry):
    """Of the second image only what is its own is written."""
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


async def test_what_is_packed_is_rooted_until_it_is_stored(registry):
    gate = registry.nix.hold("closure")
    async with registry.builder().opened() as builder:
        pulling = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
        _, (_, root) = next(call for call in registry.nix.calls if call[0] == "realise")
        assert root.is_symlink()
        gate.release.set()
        await pulling
        assert not root.parent.exists()


async def test_the_same_process_remembers_a_pinned_image(registry):
    async with registry.builder().opened() as builder:
        first = await builder.image("hello", "latest")
        second = await builder.image("hello", "latest")
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
    assert second.cache == "bucket"
    assert second.manifests == first.manifests
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_what_is_not_pinned_is_found_by_its_outputs(registry):
    """A path has no revision: a new process evaluates, and builds nothing."""
    registry.source.answers["latest"] = resolved(identity="files")
    await pull(registry)
    assert (await pull(registry)).cache == "local"
    assert registry.nix.steps == ["evaluate", "realise", "closure", "evaluate"]


async def test_an_unchanged_path_needs_no_nix(registry):
    registry.source.answers["latest"] = resolved(identity="files")
    async with registry.builder().opened() as builder:
        await builder.image("hello", "latest")
        again = await builder.image("hello", "latest")
    assert again.cache == "local"
    assert registry.nix.steps == ["evaluate", "realise", "closure"]


async def test_a_changed_path_is_evaluated_again(registry):
    async with registry.builder().opened() as builder:
        for identity in ("files", "other files"):
            registry.source.answers["latest"] = resolved(identity=identity)
            await builder.image("hello", "latest")
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
async def test_what_is_kept_beside_the_blobs_may_be_lost_or_spoilt(registry, kind):
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
    """What was acknowledged keeps its digest, although it would be planned otherwise today."""
    first = await pull(registry)
    registry.limits = replace(LIMITS, layer_budget=1)
    for key in [key for key in registry.storage.objects if key.startswith("layers/")]:
        del registry.storage.objects[key]
    assert (await pull(registry)).manifests == first.manifests


async def test_two_tags_of_one_content_are_built_once(registry):
    registry.source.answers["other"] = resolved("2" * 40)
    gate = registry.nix.hold("realise")
    async with registry.builder().opened() as builder:
        pulling = [asyncio.create_task(builder.image("hello", t)) for t in ("latest", "other")]
        await gate.entered.wait()
        gate.release.set()
        one, other = await asyncio.gather(*pulling)
    assert registry.nix.steps.count("realise") == 1
    assert one.manifests == other.manifests


async def test_two_replicas_build_once(registry):
    """The second waits for the first one's manifest."""
    gate = registry.nix.hold("realise")
    async with registry.builder("1").opened() as one, registry.builder("2").opened() as two:
        first = asyncio.create_task(one.image("hello", "latest"))
        await gate.entered.wait()
        second = asyncio.create_task(two.image("hello", "latest"))
        await registry.clock.sleeping(2)  # the first one's heart, the second one's patience
        gate.release.set()
        made = await first
        registry.clock.forward(1)
        found = await second
    assert registry.nix.steps.count("realise") == 1
    assert found.manifests == made.manifests


async def test_a_dead_replicas_build_is_taken_over(registry):
    lease = await Leases(registry.storage, registry.clock.sleep).take(
        registry.recipe.outputs_key(
            [registry.nix.packages[name] for name in parse("hello").packages], parse("hello")
        )
    )
    assert lease
    async with registry.builder().opened() as builder:
        pulling = asyncio.create_task(builder.image("hello", "latest"))
        await registry.clock.sleeping()
        registry.clock.forward(31)
        await pulling


async def test_a_build_goes_on_for_the_next_who_asks(registry):
    gate = registry.nix.hold("realise")
    async with registry.builder().opened() as builder:
        leaver = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        comer = asyncio.create_task(builder.image("hello", "latest"))
        gate.release.set()
        await comer
    assert registry.nix.steps.count("realise") == 1


async def test_what_waits_in_the_queue_for_nobody_is_dropped(registry):
    registry.limits = replace(LIMITS, builds=1)
    gate = registry.nix.hold("realise")
    async with registry.builder().opened() as builder:
        running = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
        waiting = asyncio.create_task(builder.image("git", "latest"))
        while registry.nix.steps.count("evaluate") < 2:  # noqa: ASYNC110 - nothing to wait for
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.release.set()
        await running
    assert registry.nix.steps.count("realise") == 1


async def test_whoever_waits_too_long_is_told_to_come_back(registry):
    """And cached pulls go on meanwhile."""
    await pull(registry, "git")
    registry.limits, registry.patience = replace(LIMITS, builds=1), 0.01
    gate = registry.nix.hold("realise")
    async with registry.builder().opened() as builder:
        running = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
        with pytest.raises(TooBusy):
            await builder.image("hello/git", "latest")
        assert (await builder.image("git", "latest")).cache == "local"
        gate.release.set()
        await running


async def test_many_who_ask_at_once_run_nix_once(registry):
    gate = registry.nix.hold("evaluate")
    async with registry.builder().opened() as builder:
        pulling = [asyncio.create_task(builder.image("hello", "latest")) for _ in range(20)]
        await gate.entered.wait()
        gate.release.set()
        images = await asyncio.gather(*pulling)
    assert registry.nix.steps == ["evaluate", "realise", "closure"]
    assert len({image.manifests[Format.OCI].digest for image in images}) == 1


async def test_a_failure_is_remembered_and_then_tried_again(registry):
    registry.nix.failures["realise"] = BuildFailed("hello-1.0 failed to build: no")
    async with registry.builder().opened() as builder:
        for _ in range(2):  # HEAD, then GET
            with pytest.raises(BuildFailed):
                await builder.image("hello", "latest")
        assert registry.nix.steps == ["evaluate", "realise"]
        registry.clock.forward(60)
        registry.nix.failures.clear()
        await builder.image("hello", "latest")


async def test_an_unknown_package_is_said_by_name(registry):
    with pytest.raises(PackageNotFound, match="gti"):
        await pull(registry, "gti")


async def test_a_source_that_does_not_answer_is_asked_again_at_once(registry):
    registry.source.answers["latest"] = SourceUnavailable("packages.test does not answer")
    async with registry.builder().opened() as builder:
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                await builder.image("hello", "latest")
    assert registry.source.asked == ["latest", "latest"]


@pytest.mark.parametrize(("name", "tag"), [("Hello", "latest"), ("hello", "a/b"), ("", "latest")])
async def test_what_is_no_name_never_reaches_nix(registry, name, tag):
    with pytest.raises(NameInvalid):
        await pull(registry, name, tag)
    assert not registry.nix.calls
    assert not registry.source.asked


async def test_an_unknown_tag_never_reaches_nix(registry):
    with pytest.raises(TagUnknown):
        await pull(registry, tag="none")
    assert not registry.nix.calls


@pytest.mark.parametrize("step", ["evaluate", "realise", "closure"])
async def test_the_time_limit_bounds_every_step(registry, step):
    registry.limits = replace(LIMITS, request_timeout=1)
    registry.nix.hold(step)
    with pytest.raises(TimedOut, match="1 seconds"):
        await pull(registry)
    assert registry.nix.cancelled == [step]


@pytest.mark.parametrize("step", ["evaluate", "realise", "closure"])
async def test_closing_ends_what_is_under_way(registry, step):
    gate = registry.nix.hold(step)
    async with registry.builder().opened() as builder:
        pulling = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
    assert registry.nix.cancelled == [step]
    with pytest.raises(ShuttingDown):
        await pulling


async def test_no_more_images_at_once_than_allowed(registry):
    registry.limits = replace(LIMITS, builds=1)
    gate = registry.nix.hold("realise")
    async with registry.builder().opened() as builder:
        first = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
        second = asyncio.create_task(builder.image("git", "latest"))
        await asyncio.sleep(0)
        assert registry.nix.steps.count("realise") == 1
        gate.release.set()
        await asyncio.gather(first, second)


async def test_a_full_disk_is_told_as_that(registry, monkeypatch):
    """Not as a group of failures, which packing several layers at once would give."""

    def full(*_):
        raise StorageFull("the disk is full")

    monkeypatch.setattr(MemoryStorage, "stage", full)
    with pytest.raises(StorageFull):
        await pull(registry)
