"""Cached manifests: three places to look, and misses."""

import os
from dataclasses import replace

import pytest

from nixery import image_name, manifest
from nixery.cache.manifests import ManifestCache, decode, encode, image_of
from nixery.oci import Digest, Format, PackedLayer

KEY = "0" * 64
LAYER = PackedLayer(Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64), 10, "gzip")


def made(name="git", kind="gzip"):
    config = manifest.config([LAYER], image_name.parse(name), (), ())
    return image_of(manifest.in_all_formats([replace(LAYER, compression=kind)], config), "1" * 64)


@pytest.fixture
def cache(storage, tmp_path):
    return ManifestCache(storage, tmp_path / "manifests")


@pytest.mark.parametrize(("kind", "forms"), [("gzip", set(Format)), ("zstd", {Format.OCI})])
def test_an_image_is_read_back_as_it_was(kind, forms):
    image = made(kind=kind)
    assert decode(encode(image)) == image
    assert image.manifests.keys() == forms


def test_an_image_without_an_oci_manifest_is_a_miss():
    only = {Format.DOCKER: made().manifests[Format.DOCKER]}
    assert decode(encode(image_of(only, "1" * 64))) is None


def test_an_image_knows_all_blobs_that_a_pull_needs():
    blobs = {blob.digest for blob in made().blobs}
    assert LAYER.digest in blobs
    assert {m.digest for m in made().manifests.values()} <= blobs
    assert len(blobs) == 4  # and the config


def test_what_was_kept_is_in_memory(cache):
    cache.store(KEY, made())
    assert cache.get_from_memory(KEY) == made()


def test_after_a_restart_the_state_directory_has_it(cache, storage, tmp_path):
    cache.store(KEY, made())
    storage.objects.clear()
    assert ManifestCache(storage, tmp_path / "manifests").find(KEY) == (made(), "local")


def test_another_replica_finds_it_in_the_storage_and_keeps_it(cache, storage, tmp_path):
    cache.store(KEY, made())
    replica = ManifestCache(storage, tmp_path / "other")
    assert replica.get_from_memory(KEY) is None
    assert replica.find(KEY) == (made(), "storage")
    assert replica.get_from_memory(KEY) == made()
    storage.objects.clear()
    assert ManifestCache(storage, tmp_path / "other").find(KEY) == (made(), "local")


def test_an_unknown_image_is_a_miss(cache):
    assert cache.get_from_memory(KEY) is None
    assert cache.find(KEY) is None


def test_a_torn_local_copy_is_ignored(cache, storage, tmp_path):
    cache.store(KEY, made())
    (tmp_path / "manifests" / KEY).write_bytes(encode(made())[:-5])
    assert ManifestCache(storage, tmp_path / "manifests").find(KEY) == (made(), "storage")


def test_a_forgotten_image_is_only_in_the_storage(cache):
    cache.store(KEY, made())
    cache.drop_local(KEY)
    assert cache.get_from_memory(KEY) is None
    assert cache.find(KEY) == (made(), "storage")


def test_a_full_state_directory_does_not_fail_the_pull(storage, tmp_path):
    cache = ManifestCache(storage, tmp_path / "manifests")
    (tmp_path / "manifests").rmdir()
    cache.store(KEY, made())
    assert cache.get_from_memory(KEY) == made()


def test_leftovers_of_a_killed_process_are_swept(storage, tmp_path):
    ManifestCache(storage, tmp_path).store(KEY, made())
    (tmp_path / ".half").write_bytes(b"half")
    ManifestCache(storage, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_the_number_of_copies_is_limited(storage, tmp_path):
    """Neither while it runs nor after a restart.

    The oldest are removed, the one being written stays.
    """
    cache = ManifestCache(storage, tmp_path, max_files=20)
    (tmp_path / ".half").write_bytes(b"another thread's")
    for number in range(100):
        cache.store(f"{number}", made())
        os.utime(tmp_path / f"{number}", (number, number))
        assert len(list(tmp_path.iterdir())) <= 1 + 20 + 2
    assert {path.name for path in tmp_path.iterdir()} == {".half", *map(str, range(80, 100))}
    ManifestCache(storage, tmp_path, max_files=10)
    assert {path.name for path in tmp_path.iterdir()} == set(map(str, range(90, 100)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b"[1]", id="list"),
        pytest.param(b'{"outputs":"x","manifests":{"OCI":"{}","DOCKER":"{}"}}', id="no layers"),
        pytest.param(b'{"outputs":"x","manifests":{"OCI":"{"}}', id="torn inside"),
        pytest.param(b'{"schemaVersion":2,"layers":[]}', id="Go server's"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_what_cannot_be_read_is_a_miss(cache, storage, data):
    storage.objects[f"manifests/{KEY}"] = data
    assert cache.find(KEY) is None
