"""Whether all that a manifest promises is there."""

import pytest

from nixery.cache import Presence
from nixery.cache.presence import BlobFaults
from nixery.oci import Descriptor
from nixery.storage import layer_key, put
from nixery.storage.memory import MemoryStorage

FINE = BlobFaults(missing=(), unverified=())


class Counted(MemoryStorage):
    """Records how often it is called."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def stat(self, key):
        self.asked += 1
        return super().stat(key)


class Bucket(Counted):
    trusted_seconds = 60.0


def stored(storage, data=b"data"):
    blob = put(storage, data)
    return Descriptor("application/octet-stream", blob.digest, blob.size)


def test_existing_blobs_are_not_missing(clock):
    storage = MemoryStorage()
    assert Presence(storage, clock).check([stored(storage)]) == FINE


@pytest.mark.parametrize("seen_before", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda objects, key: objects.pop(key), id="deleted"),
        pytest.param(lambda objects, key: objects.update({key: b"dat"}), id="truncated"),
    ],
)
def test_removed_blobs_are_missing(clock, damage, seen_before):
    storage = MemoryStorage()
    blob, other = stored(storage), stored(storage, b"other")
    presence = Presence(storage, clock)
    if seen_before:
        presence.check([blob, other])
    damage(storage.objects, layer_key(blob.digest))
    assert presence.check([blob, other]).missing == (blob,)


def test_what_was_written_over_is_looked_at_again(clock):
    """Same size, other content: a change reported by the store causes another look."""
    storage = MemoryStorage()
    blob = stored(storage)
    presence = Presence(storage, clock)
    presence.check([blob])
    storage.write(layer_key(blob.digest), b"DATA")
    assert presence.check([blob]) == BlobFaults(missing=(), unverified=(blob,))
    assert storage.verify(blob.digest) is None
    assert presence.check([blob]) == BlobFaults(missing=(blob,), unverified=())


def test_what_was_renewed_is_still_there(clock):
    storage = MemoryStorage()
    blob = stored(storage)
    presence = Presence(storage, clock)
    presence.check([blob])
    storage.touch(storage.stat(layer_key(blob.digest)))
    assert presence.check([blob]) == FINE


def test_a_bucket_is_not_asked_at_every_pull(clock):
    storage = Bucket()
    blob = stored(storage)
    presence = Presence(storage, clock)
    storage.asked = 0
    presence.check([blob])
    clock.forward(59)
    presence.check([blob])
    assert storage.asked == 1
    clock.forward(1)
    presence.check([blob])
    assert storage.asked == 2


def test_a_client_that_did_not_find_it_makes_us_look(clock):
    storage = Bucket()
    blob = stored(storage)
    presence = Presence(storage, clock)
    presence.check([blob])
    storage.objects.clear()
    presence.forget(blob.digest)
    assert presence.check([blob]).missing == (blob,)
