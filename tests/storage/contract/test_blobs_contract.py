"""What every storage must do with blobs."""

import hashlib
import json

import httpx
import pytest

from nixery.cache.layers import LayerCache
from nixery.oci import digest_of, hexdigits
from nixery.storage import (
    Blob,
    Content,
    LocalFile,
    Redirect,
    Streamed,
    Unverified,
    fetch,
    layer_key,
    put,
)


def content(location):
    match location:
        case Content(data):
            return data
        case LocalFile(path):
            return path.read_bytes()
        case Redirect(url):
            return httpx.get(url).raise_for_status().content
        case Streamed(read, size):
            return b"".join(read(0, size))


def test_a_published_blob_is_found_by_its_digest(storage):
    with storage.stage() as staging:
        staging.write(b"one ")
        staging.write(memoryview(b"blob"))
        blob = staging.publish()
    assert blob.digest == "sha256:" + hashlib.sha256(b"one blob").hexdigest()
    assert blob.size == 8
    location = storage.locate(blob.digest)
    assert location.size == 8
    assert content(location) == b"one blob"  # its writer need not read it again


def test_the_buffer_may_be_used_again_after_writing(storage):
    buffer = bytearray(b"first")
    with storage.stage() as staging:
        staging.write(buffer)
        buffer[:] = b"other"
        blob = staging.publish()
    assert content(storage.verify(blob.digest)) == b"first"


def test_an_empty_blob(storage):
    assert content(storage.verify(put(storage, b"").digest)) == b""


def test_an_unknown_digest_has_no_location(storage):
    assert storage.locate(digest_of(b"never written")) is None
    assert storage.verify(digest_of(b"never written")) is None


def test_unpublished_blobs_are_invisible(storage):
    with storage.stage() as staging:
        staging.write(b"half")
    assert storage.locate(digest_of(b"half")) is None


def test_a_failure_while_writing_leaves_nothing(storage):
    def fail_half_way():
        with storage.stage() as staging:
            staging.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert storage.locate(digest_of(b"half")) is None


def test_publishing_twice_is_allowed(storage):
    assert put(storage, b"same") == put(storage, b"same")
    assert content(storage.verify(digest_of(b"same"))) == b"same"


@pytest.mark.parametrize(
    "damaged", [b"", b"what it shoul", b"what it should"], ids=["empty", "torn", "rotten"]
)
def test_publishing_mends(storage, damaged):
    """A blob that does not match its digest is replaced, also one of the right size."""
    blob = Blob(digest_of(b"what it shoulD"), 14)
    storage.write(layer_key(blob.digest), damaged)
    assert put(storage, b"what it shoulD") == blob
    assert storage.read(layer_key(blob.digest)).data == b"what it shoulD"
    assert content(storage.verify(blob.digest)) == b"what it shoulD"


def test_two_blobs_at_once(storage):
    with storage.stage() as one, storage.stage() as other:
        one.write(b"1")
        other.write(b"2")
        blobs = [one.publish(), other.publish()]
    assert [content(storage.verify(blob.digest)) for blob in blobs] == [b"1", b"2"]


def test_a_blob_is_an_object_of_the_layout(storage):
    """The Go server's name: its layers stay readable, and ours are to it."""
    blob = put(storage, b"data")
    assert layer_key(blob.digest) == "layers/" + blob.digest.removeprefix("sha256:")
    assert storage.read(layer_key(blob.digest)).data == b"data"


def test_fetching_has_a_limit(storage):
    blob = put(storage, b"12345")
    assert fetch(storage, blob.digest, limit=5) == b"12345"
    assert fetch(storage, blob.digest, limit=4) is None
    assert fetch(storage, digest_of(b"none"), limit=4) is None


def test_fetched_blobs_match_their_digest(storage):
    digest = digest_of(b"12345")
    storage.write(layer_key(digest), b"54321")
    assert fetch(storage, digest, limit=5) is None


def test_what_somebody_else_wrote(storage):
    """Its size is known at once; its content may have to be read before it is served."""
    digest = digest_of(b"data")
    storage.write(layer_key(digest), b"data")
    assert storage.locate(digest).size == 4
    assert content(storage.verify(digest)) == b"data"
    assert content(storage.locate(digest)) == b"data"


def test_what_must_be_verified_and_is_damaged(storage):
    """Where a storage does not verify content itself, a damaged blob is removed."""
    digest = digest_of(b"data")
    storage.write(layer_key(digest), b"DATA")
    if isinstance(storage.locate(digest), Unverified):
        assert storage.verify(digest) is None
        assert storage.locate(digest) is None
        assert keys(storage.list("quarantine/")) == ["quarantine/" + hexdigits(digest)]


def test_touched_objects_are_not_deleted(storage):
    blob = put(storage, b"data")
    seen = storage.stat(layer_key(blob.digest))
    touched = storage.touch(seen)
    assert storage.stat(seen.key).version == touched.version
    assert not storage.delete(seen)
    assert touched.modified >= seen.modified
    assert content(storage.verify(blob.digest)) == b"data"


def test_what_the_go_server_left_is_served(storage):
    """Its digests stay pullable, and gc sees them; its ``builds/`` directory is ignored."""
    layer = b"a layer of the Go server"
    digest = digest_of(layer)
    entry = json.dumps({"size": len(layer), "digest": digest, "mediaType": "x", "Size": 9})
    storage.write(layer_key(digest), layer)
    storage.write("builds/sha1-of-store-paths", entry.encode())
    assert content(storage.verify(digest)) == layer
    assert storage.locate(digest).size == len(layer)
    assert keys(storage.list("layers/")) == [layer_key(digest)]
    cache = LayerCache(storage)
    assert cache.find("sha1-of-store-paths") is None
    assert cache.find("0" * 64) is None
    put(storage, layer)  # packed again: the same blob
    assert keys(storage.list("layers/")) == [layer_key(digest)]


def test_publishing_again_renews(storage):
    """A packer of the same layer relies on it: the old version must not be deleted then."""
    blob = put(storage, b"data")
    seen = storage.stat(layer_key(blob.digest))
    put(storage, b"data")
    assert not storage.delete(seen)


def test_a_blob_in_quarantine_is_not_served(storage):
    blob = put(storage, b"data")
    storage.quarantine(blob.digest)
    assert storage.locate(blob.digest) is None
    assert keys(storage.list("quarantine/")) == ["quarantine/" + blob.digest.split(":")[1]]
    storage.quarantine(blob.digest)  # gone already: no error
    put(storage, b"data")
    assert content(storage.verify(blob.digest)) == b"data"


def keys(found):
    return sorted(stat.key for stat in found)
