"""S3: the requests to the service."""

import httpx
import pytest
from botocore.exceptions import ClientError
from support.storage.bucket_calls import SMALL
from support.storage.s3_way import IMPATIENT, LARGE, PART, requests_of

from nixery.errors import StorageUnavailable
from nixery.lease import Leases
from nixery.oci import digest_of
from nixery.storage import Redirect, Stat, Streamed, layer_key, put
from nixery.storage.s3 import copying


def test_a_small_blob_takes_three_requests(storage, way):
    assert requests_of(way, lambda: put(storage, SMALL)) == [
        "PUT staging",
        "PUT layers",
        "DELETE staging",
    ]


def test_a_large_blob_is_sent_in_parts(storage, way, content):
    made = [line.split()[0] for line in requests_of(way, lambda: put(storage, LARGE))]
    assert made == ["POST", "PUT", "PUT", "PUT", "POST", "PUT", "DELETE"]
    assert content() == {layer_key(digest_of(LARGE)): LARGE}


def test_a_blob_that_is_given_up_is_aborted(storage, s3_client, s3_bucket, content):
    def fail_half_way():
        with storage.stage() as upload:
            upload.write(LARGE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert content() == {}
    assert not s3_client.list_multipart_uploads(Bucket=s3_bucket).get("Uploads")


def test_a_blob_that_one_call_cannot_copy(storage, content, monkeypatch):
    """The real bound is half a gigabyte, so that a copy ends before its answer is missed."""
    monkeypatch.setattr(copying, "ONE_CALL", PART)
    blob = put(storage, LARGE)
    assert content() == {layer_key(blob.digest): LARGE}
    seen = storage.stat(layer_key(blob.digest))
    assert storage.touch(seen).version != seen.version


@pytest.mark.parametrize("damaged", [b"", SMALL[:-1] + b"!"], ids=["empty", "rotten"])
def test_a_damaged_blob_is_replaced(storage, content, damaged):
    key = layer_key(digest_of(SMALL))
    storage.write(key, damaged)
    put(storage, SMALL)
    assert content() == {key: SMALL}


def test_content_types(storage, s3_client, s3_bucket):
    blob = put(storage, SMALL)
    storage.write("builds/key", b"{}")
    storage.touch(storage.stat(layer_key(blob.digest)))
    types = {
        key: s3_client.head_object(Bucket=s3_bucket, Key=key)["ContentType"]
        for key in (layer_key(blob.digest), "builds/key")
    }
    assert list(types.values()) == ["application/octet-stream", "application/json"]


def test_clients_are_sent_to_a_signed_address(storage):
    location = storage.locate(put(storage, SMALL).digest)
    assert isinstance(location, Redirect)
    assert "X-Amz-Expires=300" in location.url
    assert "X-Amz-Signature=" in location.url
    assert httpx.get(location.url).content == SMALL


def test_without_links_blobs_are_streamed(connect):
    storage = connect(IMPATIENT, link_expiration=0)
    location = storage.locate(put(storage, LARGE).digest)
    assert isinstance(location, Streamed)
    assert b"".join(location.read(0, len(LARGE))) == LARGE
    assert b"".join(location.read(PART - 3, 7)) == LARGE[PART - 3 : PART + 4]
    assert list(location.read(5, 0)) == []


def test_a_blob_that_is_replaced_while_it_is_streamed(connect):
    storage = connect(IMPATIENT, link_expiration=0)
    location = storage.locate(put(storage, LARGE).digest)
    pieces = location.read(0, len(LARGE))
    next(pieces)
    storage.write(layer_key(digest_of(LARGE)), LARGE[::-1])
    with pytest.raises(StorageUnavailable):
        list(pieces)


def test_what_was_listed_can_be_deleted_if_it_is_still_that(storage):
    """A list shows when an object was last written, to the second, and not by which write."""
    storage.write("builds/key", b"value")
    (listed,) = storage.list("builds/")
    etag, _, second = listed.version.partition("/@")
    earlier = Stat(listed.key, listed.size, f"{etag}/@{int(second) - 1}", listed.modified - 1)
    assert not storage.delete(earlier)
    assert storage.delete(listed)


def test_the_same_content_written_again_is_another_version(storage):
    """Heartbeats may write the same bytes: an ETag alone would not tell them apart."""
    first = storage.write("leases/key", b"mine")
    storage.write("leases/key", b"mine")
    assert storage.write("leases/key", b"yours", first) is None
    assert not storage.delete(first)


def test_a_renewed_lease_is_not_taken_over(storage, s3_client, s3_bucket):
    """By the service itself, which compares ETags: also in the moment after our own look."""
    living = Leases(storage)
    seen = living._take("key")
    assert living._write("key", seen, released=False)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3_client.put_object(
            Bucket=s3_bucket, Key=seen.key, Body=b"{}", IfMatch=seen.version.split("/")[0]
        )


def test_what_others_wrote_has_a_version(storage, s3_client, s3_bucket):
    """The Go server's objects have no word of a write in their metadata."""
    s3_client.put_object(Bucket=s3_bucket, Key="layers/key", Body=SMALL)
    seen = storage.stat("layers/key")
    assert storage.stat("layers/key") == seen
    assert storage.touch(seen).version != seen.version
    assert not storage.delete(seen)


def test_a_list_of_several_pages(storage):
    def at_most_two(params, **_):
        params["MaxKeys"] = 2

    client = storage._client
    for number in range(5):
        storage.write(f"builds/{number}", b"")
    client.meta.events.register("provide-client-params.s3.ListObjectsV2", at_most_two)
    try:
        listed = sorted(stat.key for stat in storage.list("builds/"))
    finally:
        client.meta.events.unregister("provide-client-params.s3.ListObjectsV2", at_most_two)
    assert listed == [f"builds/{number}" for number in range(5)]
