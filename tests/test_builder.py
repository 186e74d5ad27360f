"""The way of a request, with a Nix and a source that answer from dicts, and real packing."""

import asyncio
import gzip
import hashlib
import io
import json
import tarfile

import pytest
from fake_nix import FakeNix
from fake_source import FakeSource, resolved

from nixery.archive import Gzip, Packer
from nixery.builder import Builder, Limits
from nixery.cache import Failures
from nixery.errors import (
    BuildFailed,
    NameInvalid,
    PackageNotFound,
    SourceUnavailable,
    StorageFull,
    TagUnknown,
    TimedOut,
)
from nixery.oci import Format, hexdigits
from nixery.roots import Roots
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Registry:
    """A builder with all that it talks to."""

    def __init__(self, directory):
        self.directory = directory
        self.storage = MemoryStorage()
        self.source = FakeSource({"latest": resolved(directory, "1" * 40)})
        self.nix = FakeNix(directory)
        self.clock = Clock()
        self.limits = Limits(request_timeout=60, builds=2, pack_workers=2, layer_budget=94)
        libc = self.nix.add("libc", {"lib/libc.so": b"libc" * 100})
        self.nix.add("cacert", {"etc/ssl/certs/ca-bundle.crt": b"CERTIFICATE"})
        self.nix.add("iana-etc", {"etc/services": b"https 443/tcp"})
        self.nix.add("hello", {"bin/hello": b"#!hello"}, references=[libc])
        self.nix.add("git", {"bin/git": b"#!git", "bin/env": b"#!env"}, references=[libc])

    def builder(self):
        return Builder(
            source=self.source,
            nix=self.nix,
            storage=self.storage,
            packer=Packer(self.nix.root, Gzip()),
            roots=Roots(self.directory / "roots"),
            failures=Failures(self.clock),
            limits=self.limits,
        )

    def blob(self, digest):
        return self.storage.objects[f"layers/{hexdigits(digest)}"]

    def files(self, image):
        """Names of everything in the image's layers."""
        manifest = json.loads(image.manifests[Format.OCI].data)
        names = set()
        for layer in manifest["layers"]:
            content = io.BytesIO(gzip.decompress(self.blob(layer["digest"])))
            with tarfile.open(fileobj=content) as archive:
                names |= set(archive.getnames())
        return names


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


async def pull(registry, name="hello", tag="latest"):
    async with registry.builder().opened() as builder:
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
    assert (await pull(registry)).manifests == one.manifests


async def test_where_packages_came_from_does_not_reach_the_digest(registry):
    registry.source.answers["other"] = resolved(registry.directory, "2" * 40)
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
        registry.clock.now += 60
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
    registry.limits = Limits(request_timeout=0.01, builds=1, pack_workers=1, layer_budget=94)
    registry.nix.hold(step)
    with pytest.raises(TimedOut, match=r"0\.01 seconds"):
        await pull(registry)
    assert registry.nix.cancelled == [step]


@pytest.mark.parametrize("step", ["evaluate", "realise", "closure"])
async def test_closing_ends_what_is_under_way(registry, step):
    gate = registry.nix.hold(step)
    async with registry.builder().opened() as builder:
        pulling = asyncio.create_task(builder.image("hello", "latest"))
        await gate.entered.wait()
    assert registry.nix.cancelled == [step]
    with pytest.raises(asyncio.CancelledError):
        await pulling


async def test_no_more_images_at_once_than_allowed(registry):
    registry.limits = Limits(request_timeout=60, builds=1, pack_workers=1, layer_budget=94)
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
