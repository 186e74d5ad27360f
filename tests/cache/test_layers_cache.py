"""Store paths packed before."""

import json
from dataclasses import replace

import pytest

from nixery.cache.layers import LayerCache
from nixery.gc.removals import GRACE_PERIOD
from nixery.oci import Digest, PackedLayer
from nixery.storage import FRESH, layer_key, put

KEY = "0" * 64


@pytest.fixture
def layer(storage):
    blob = put(storage, b"packed")
    return PackedLayer(blob.digest, Digest("sha256:" + "d" * 64), blob.size, "zstd")


def test_a_kept_layer_is_found(storage, layer):
    """By another process as well."""
    cache = LayerCache(storage)
    cache.store(KEY, layer)
    assert cache.find(KEY) == layer
    assert LayerCache(storage).find(KEY) == layer


def test_a_remembered_layer_is_not_read_again(storage, layer):
    cache = LayerCache(storage)
    cache.store(KEY, layer)
    del storage.objects[f"builds/{KEY}"]
    assert cache.find(KEY) == layer


def test_an_unknown_layer_is_a_miss(storage):
    assert LayerCache(storage).find(KEY) is None


@pytest.mark.parametrize("fresh", [True, False], ids=["restarted", "same process"])
@pytest.mark.parametrize("damage", [None, b"pack"], ids=["deleted", "truncated"])
def test_a_lost_blob_is_a_miss(storage, layer, damage, fresh):
    cache = LayerCache(storage)
    cache.store(KEY, layer)
    if damage is None:
        del storage.objects[layer_key(layer.digest)]
    else:
        storage.objects[layer_key(layer.digest)] = damage
    assert (LayerCache(storage) if fresh else cache).find(KEY) is None


def test_finding_a_layer_touches_it(storage, layer, clock):
    """Another process that saw it unused must not delete it now."""
    LayerCache(storage).store(KEY, layer)
    seen = storage.stat(layer_key(layer.digest))
    clock.forward(FRESH)
    LayerCache(storage).find(KEY)
    assert not storage.delete(seen)


def test_a_layer_that_was_used_just_now_is_left_alone(storage, layer, clock):
    """Such a young blob is never deleted; touching it again would be wasted work."""
    LayerCache(storage).store(KEY, layer)
    seen = storage.stat(layer_key(layer.digest))
    clock.forward(FRESH - 1)
    assert LayerCache(storage).find(KEY)
    assert storage.stat(layer_key(layer.digest)) == seen
    assert FRESH < GRACE_PERIOD / 2


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="torn"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"\xff", id="binary"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            json.dumps({"digest": "sha256:x", "diffID": "sha256:y", "size": 1}).encode(),
            id="bad digest",
        ),
        pytest.param(
            json.dumps({"digest": "sha256:" + "a" * 64, "size": "1"}).encode(), id="wrong type"
        ),
        pytest.param(
            json.dumps(
                {
                    "digest": "sha256:" + "a" * 64,
                    "diffID": "sha256:" + "b" * 64,
                    "size": 1,
                    "compression": "lzma",
                }
            ).encode(),
            id="a compression of the future",
        ),
        pytest.param(
            json.dumps({"SHA256": "a" * 64, "TarHash": "sha256:" + "b" * 64}).encode(),
            id="Go server's",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_is_a_miss(storage, entry):
    storage.objects[f"builds/{KEY}"] = entry
    assert LayerCache(storage).find(KEY) is None


def test_an_entry_without_compression_is_gzip(storage, layer):
    """As those were that an earlier version wrote: layers need not be packed again."""
    entry = {"digest": layer.digest, "diffID": layer.diff_id, "size": layer.size}
    storage.objects[f"builds/{KEY}"] = json.dumps(entry).encode()
    assert LayerCache(storage).find(KEY) == replace(layer, compression="gzip")
