"""Google Cloud Storage, when something fails."""

import time

import pytest
from support.faulty_http import Corrupt, LoseAnswer, Reset, Stall, Status, Truncate
from support.storage.bucket_calls import SMALL, every_call
from support.storage.gcs_blobs import CHUNK, GIVES_UP, LARGE

from nixery.errors import StorageFull, StorageUnavailable
from nixery.oci import digest_of
from nixery.storage import Blob, Condition, layer_key, put


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(r"POST /upload", id="start"),
        pytest.param(r"PUT /upload", id="chunk"),
        pytest.param(r"POST .*/rewriteTo/", id="copy"),
        pytest.param(r"DELETE .*/staging", id="sweep"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        Status(429),
        Status(503),
        Status(500),
        Reset(),
        Reset(after=CHUNK // 3),
        LoseAnswer(),
        Stall(),
    ],
    ids=repr,
)
def test_an_upload_survives(hasty, bucket, google, request_line, fault):
    google.faults.add(request_line, fault, times=2)
    blob = put(hasty, LARGE)
    assert bucket[layer_key(blob.digest)].data == LARGE
    assert list(bucket) == [layer_key(blob.digest)]


@pytest.mark.parametrize(
    "fault",
    [Status(429), Status(503), Reset(), Stall(), Stall(after=100), Truncate(100)],
    ids=repr,
)
@pytest.mark.parametrize("line", ["alt=media", "GET .*projection"], ids=["content", "metadata"])
def test_reading_survives(hasty, bucket, google, line, fault):
    blob = Blob(digest_of(LARGE), len(LARGE))
    bucket.put(layer_key(blob.digest), LARGE, {}, {})
    google.faults.add(line, fault, times=2)
    assert hasty.read(layer_key(blob.digest)).data == LARGE
    google.faults.clear()
    google.faults.add(line, fault, times=2)
    assert b"".join(hasty.locate(blob.digest).read(0, len(LARGE))) == LARGE


@pytest.mark.parametrize(
    ("line", "call"),
    [
        pytest.param("POST", lambda storage: storage.write("builds/key", b"value"), id="write"),
        pytest.param("GET", lambda storage: list(storage.list("layers/")), id="list"),
        pytest.param(
            "PATCH",
            lambda storage: storage.touch(storage.stat(layer_key(digest_of(SMALL)))),
            id="touch",
        ),
        pytest.param(
            "DELETE",
            lambda storage: storage.delete(storage.stat(layer_key(digest_of(SMALL)))),
            id="delete",
        ),
        pytest.param(
            "rewrite", lambda storage: storage.quarantine(digest_of(SMALL)), id="quarantine"
        ),
    ],
)
@pytest.mark.parametrize("fault", [Status(503), LoseAnswer(), Stall()], ids=repr)
def test_everything_else_survives(hasty, google, line, call, fault):
    put(hasty, SMALL)
    google.faults.add(line, fault)
    call(hasty)


def test_a_lost_response_does_not_lose_the_lease(storage, google):
    """The request is repeated, and finds what it wrote the first time."""
    google.faults.add("POST /upload", LoseAnswer())
    taken = storage.write("leases/key", b"mine", Condition.ABSENT)
    assert taken == storage.stat("leases/key")
    google.faults.add("POST /upload", LoseAnswer())
    assert storage.write("leases/key", b"mine again", taken) is not None
    assert storage.write("leases/key", b"yours", Condition.ABSENT) is None


@every_call
@pytest.mark.parametrize("fault", [Status(503), Reset(), Stall()], ids=repr)
def test_what_keeps_failing_ends(connect, google, call, fault):
    """With an answer that says when to retry, after a bounded number of attempts."""
    google.faults.add(".", fault, times=1000)
    begun = time.monotonic()
    with pytest.raises(StorageUnavailable) as caught:
        call(connect(GIVES_UP))
    assert time.monotonic() - begun < 20  # the library's own limits are 60 and 120 seconds
    assert caught.value.http_status("friendly") == 503
    assert caught.value.retry_after
    assert caught.value.log


def test_a_failed_upload_leaves_no_blob(connect, bucket, google):
    google.faults.add("PUT /upload", Status(503), times=1000)
    with pytest.raises(StorageUnavailable):
        put(connect(GIVES_UP), SMALL)
    google.faults.clear()
    assert bucket == {}


def test_a_quota_that_is_used_up(storage, google):
    google.faults.add("POST /upload", Status(403, "quotaExceeded"))
    with pytest.raises(StorageFull):
        put(storage, SMALL)


def test_a_bit_that_flips_in_an_upload(storage, bucket, google):
    """The bucket's checksum differs from ours: nothing is published."""
    google.faults.add("PUT /upload", Corrupt(5))
    with pytest.raises(StorageUnavailable):
        put(storage, SMALL)
    assert bucket == {}
    google.faults.add("uploadType=multipart", Corrupt(-60))
    with pytest.raises(StorageUnavailable):
        storage.write("builds/key", bytes(100))
    assert bucket == {}


def test_a_bit_that_flips_in_a_download(storage, google):
    """Small objects are read again."""
    storage.write("builds/key", b"value")
    google.faults.add("alt=media", Corrupt(2))
    assert storage.read("builds/key").data == b"value"
    google.faults.add("alt=media", Corrupt(2), times=1000)
    with pytest.raises(StorageUnavailable):
        storage.read("builds/key")


def test_a_copy_that_is_not_the_source(storage, bucket, monkeypatch):
    """A bucket that reports success without doing the work is not trusted."""
    place = bucket.put
    monkeypatch.setattr(
        bucket,
        "put",
        lambda name, data, *rest: place(
            name, data[1:] if name.startswith("layers/") else data, *rest
        ),
        raising=False,
    )
    with pytest.raises(StorageUnavailable, match="wrong checksum"):
        put(storage, SMALL)
    assert bucket == {}


def test_an_object_that_others_renew_is_renewed(connect, bucket, google):
    """GCS allows one change of an object per second.

    If another server made it, the object is in use.
    """
    storage = connect(GIVES_UP)
    seen = storage.write("builds/key", b"value")
    google.faults.add("PATCH", Status(429, "rateLimitExceeded"), times=1000)
    with pytest.raises(StorageUnavailable):
        storage.touch(seen)
    bucket["builds/key"].patch({}, google.clock())
    assert storage.touch(seen) == storage.stat("builds/key")
