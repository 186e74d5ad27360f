"""Google Cloud Storage: the requests to the bucket."""

import threading
from itertools import pairwise

import pytest
from support.storage.bucket_calls import SMALL
from support.storage.gcs_blobs import CHUNK, IMPATIENT, LARGE

from nixery.errors import StorageUnavailable
from nixery.oci import digest_of
from nixery.storage import Condition, Streamed, layer_key, put


def test_a_blob_is_staged_copied_and_swept(requests, storage, google):
    def write():
        with storage.stage() as upload:
            for start in range(0, len(LARGE), 1 << 20):
                upload.write(LARGE[start : start + (1 << 20)])
            upload.publish()

    assert requests(write) == [
        "POST uploadType=resumable",
        *["PUT uploadType=resumable"] * 3,
        "POST rewriteTo",
        "DELETE staging",
    ]
    (copied,) = [line for line in google.log if "rewriteTo" in line]
    assert "ifGenerationMatch=0" in copied


def test_objects_in_the_bucket(storage, bucket):
    blob = put(storage, LARGE)
    assert list(bucket) == [layer_key(blob.digest)]
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert bucket[layer_key(blob.digest)].fields["contentType"] == "application/octet-stream"
    storage.write("builds/key", b"{}")
    assert bucket["builds/key"].fields["contentType"] == "application/json"


def test_a_blob_that_is_given_up_is_cancelled(storage, bucket, google):
    before = dict(google.api.uploads.sessions)

    def fail_half_way():
        with storage.stage() as upload:
            upload.write(LARGE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert bucket == {}
    assert google.api.uploads.sessions == before


def test_a_copy_that_takes_several_calls(storage, bucket, google):
    google.api.rewrite_step = CHUNK
    try:
        blob = put(storage, LARGE)
    finally:
        google.api.rewrite_step = None
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert sum("rewriteToken" in line for line in google.log) >= 2


def test_a_blob_that_is_there_is_renewed_and_not_replaced(storage, bucket):
    """Another server may be reading it with its generation."""
    blob = put(storage, SMALL)
    first = bucket[layer_key(blob.digest)]
    generation, metageneration = first.generation, first.metageneration
    put(storage, SMALL)
    again = bucket[layer_key(blob.digest)]
    assert again.generation == generation
    assert again.metageneration > metageneration


@pytest.mark.parametrize(
    "damaged", [b"", SMALL[:-1], SMALL[:-1] + b"!"], ids=["empty", "torn", "rotten"]
)
def test_a_damaged_blob_is_replaced(storage, bucket, google, damaged):
    key = layer_key(digest_of(SMALL))
    there = bucket.put(key, damaged, {}, {})
    put(storage, SMALL)
    assert bucket[key].data == SMALL
    assert f"ifGenerationMatch={there.generation}" in "".join(google.log)


def test_one_of_many_writers_creates_the_object(connect):
    """Eight replicas request one lease at once."""
    storages = [connect(IMPATIENT) for _ in range(8)]
    start = threading.Barrier(8)
    won = []

    def take(storage):
        start.wait()
        won.append(storage.write("leases/key", b"mine", Condition.ABSENT) is not None)

    threads = [threading.Thread(target=take, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_list_of_several_pages(storage, google):
    google.api.page = 2
    try:
        for number in range(5):
            storage.write(f"builds/{number}", b"")
        assert sorted(stat.key for stat in storage.list("builds/")) == [
            f"builds/{number}" for number in range(5)
        ]
    finally:
        google.api.page = 1000


def test_streaming_ranges_of_one_generation(storage):
    blob = put(storage, LARGE)
    location = storage.locate(blob.digest)
    assert isinstance(location, Streamed)
    pieces = list(location.read(0, len(LARGE)))
    assert b"".join(pieces) == LARGE
    assert all(len(piece) >= 1 << 20 for piece, _ in pairwise(pieces))
    assert b"".join(location.read(CHUNK - 3, 7)) == LARGE[CHUNK - 3 : CHUNK + 4]
    assert list(location.read(5, 0)) == []


@pytest.mark.parametrize("sent", [0, 1], ids=["before", "within"])
def test_a_blob_that_is_replaced_while_it_is_streamed(storage, bucket, sent):
    """Half of the one and half of the other would be neither."""
    blob = put(storage, LARGE)
    location = storage.locate(blob.digest)
    pieces = location.read(0, len(LARGE))
    for _ in range(sent):
        next(pieces)
    bucket.put(layer_key(blob.digest), LARGE, {}, {})
    with pytest.raises(StorageUnavailable):
        list(pieces)
