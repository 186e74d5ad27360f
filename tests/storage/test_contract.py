"""What every storage must do; one suite, run over each of them."""

import hashlib

import pytest

from nixery.oci import digest_of
from nixery.storage import Content, LocalFile, fetch, layer_key, put
from nixery.storage.filesystem import FilesystemStorage
from nixery.storage.memory import MemoryStorage


@pytest.fixture(params=["memory", "filesystem"])
def storage(request, tmp_path):
    if request.param == "memory":
        return MemoryStorage()
    return FilesystemStorage(tmp_path / "storage")


def content(location):
    match location:
        case Content(data):
            return data
        case LocalFile(path):
            return path.read_bytes()


def test_a_published_blob_is_found_by_its_digest(storage):
    with storage.stage() as staging:
        staging.write(b"one ")
        staging.write(memoryview(b"blob"))
        blob = staging.publish()
    assert blob.digest == "sha256:" + hashlib.sha256(b"one blob").hexdigest()
    assert blob.size == 8
    location = storage.locate(blob.digest)
    assert location.size == 8
    assert content(location) == b"one blob"


def test_the_buffer_may_be_used_again_after_writing(storage):
    buffer = bytearray(b"first")
    with storage.stage() as staging:
        staging.write(buffer)
        buffer[:] = b"other"
        blob = staging.publish()
    assert content(storage.locate(blob.digest)) == b"first"


def test_an_empty_blob(storage):
    assert content(storage.locate(put(storage, b"").digest)) == b""


def test_an_unknown_digest_has_no_location(storage):
    assert storage.locate(digest_of(b"never written")) is None


def test_what_is_not_published_is_not_there(storage):
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


def test_publishing_twice_is_no_error(storage):
    assert put(storage, b"same") == put(storage, b"same")
    assert content(storage.locate(digest_of(b"same"))) == b"same"


def test_two_blobs_at_once(storage):
    with storage.stage() as one, storage.stage() as other:
        one.write(b"1")
        other.write(b"2")
        blobs = [one.publish(), other.publish()]
    assert [content(storage.locate(blob.digest)) for blob in blobs] == [b"1", b"2"]


def test_small_objects_are_replaced_whole(storage):
    assert storage.read("builds/key") is None
    storage.write("builds/key", b"a long first value")
    storage.write("builds/key", b"second")
    assert storage.read("builds/key") == b"second"


def test_a_blob_is_an_object_of_the_layout(storage):
    """The Go server's name: its layers stay readable, and ours are to it."""
    blob = put(storage, b"data")
    assert layer_key(blob.digest) == "layers/" + blob.digest.removeprefix("sha256:")
    assert storage.read(layer_key(blob.digest)) == b"data"


def test_fetching_has_a_limit(storage):
    blob = put(storage, b"12345")
    assert fetch(storage, blob.digest, limit=5) == b"12345"
    assert fetch(storage, blob.digest, limit=4) is None
    assert fetch(storage, digest_of(b"none"), limit=4) is None


def test_a_usable_storage_passes_its_check(storage):
    storage.check()
