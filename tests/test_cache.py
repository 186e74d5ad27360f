"""The layer cache and the memory of failures."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.cache import Failures, LayerCache, layer_key
from nixery.errors import BuildFailed, DigestInvalid, TimedOut
from nixery.oci import Digest, PackedLayer
from nixery.storage import layer_key as blob_key
from nixery.storage import put
from nixery.storage.memory import MemoryStorage

KEY = layer_key({"paths": ["/nix/store/a"]})


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def layer(storage):
    blob = put(storage, b"packed")
    return PackedLayer(blob.digest, Digest("sha256:" + "d" * 64), blob.size)


def test_a_kept_layer_is_found(storage, layer):
    LayerCache(storage).keep(KEY, layer)
    assert LayerCache(storage).find(KEY) == layer


def test_an_unknown_layer_is_a_miss(storage):
    assert LayerCache(storage).find(KEY) is None


def test_a_deleted_blob_is_a_miss(storage, layer):
    LayerCache(storage).keep(KEY, layer)
    del storage.objects[blob_key(layer.digest)]
    assert LayerCache(storage).find(KEY) is None


def test_a_truncated_blob_is_a_miss(storage, layer):
    LayerCache(storage).keep(KEY, layer)
    storage.objects[blob_key(layer.digest)] = b"pack"
    assert LayerCache(storage).find(KEY) is None


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        json.dumps({"digest": "sha256:x", "diffID": "sha256:y", "size": 1}).encode(),
        json.dumps({"digest": "sha256:" + "a" * 64, "size": "1"}).encode(),
        json.dumps({"SHA256": "a" * 64, "TarHash": "sha256:" + "b" * 64}).encode(),
    ],
    ids=["empty", "torn", "null", "list", "binary", "bad digest", "wrong type", "Go server's"],
)
def test_an_entry_that_cannot_be_read_is_a_miss(storage, entry):
    storage.objects[KEY] = entry
    assert LayerCache(storage).find(KEY) is None


PATHS = st.lists(st.sampled_from(["/nix/store/a", "/nix/store/b", "/nix/store/ab"]), max_size=3)


@given(PATHS, PATHS)
def test_distinct_contents_have_distinct_keys(one, other):
    assert (layer_key({"paths": one}) == layer_key({"paths": other})) == (one == other)


def test_how_it_is_packed_is_part_of_the_key():
    assert layer_key({"paths": [], "level": 1}) != layer_key({"paths": [], "level": 2})


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_failure_is_remembered_for_as_long_as_it_says():
    clock = Clock()
    failures = Failures(clock)
    failure = BuildFailed("it broke")
    failures.remember("key", failure)
    clock.now += 59
    assert failures.recall("key") is failure
    clock.now += 1
    assert failures.recall("key") is None


def test_a_timeout_is_forgotten_sooner():
    clock = Clock()
    failures = Failures(clock)
    failures.remember("key", TimedOut("too long"))
    clock.now += 30
    assert failures.recall("key") is None


def test_other_requests_are_not_refused():
    failures = Failures(Clock())
    failures.remember("key", BuildFailed("it broke"))
    assert failures.recall("other") is None


def test_what_is_not_to_be_remembered_is_not():
    failures = Failures(Clock())
    failures.remember("key", DigestInvalid("no digest"))
    assert failures.recall("key") is None


def test_forgotten_failures_take_no_memory():
    clock = Clock()
    failures = Failures(clock)
    for number in range(100):
        failures.remember(number, BuildFailed("it broke"))
    clock.now += 61
    failures.recall("any")
    assert not failures._failures
