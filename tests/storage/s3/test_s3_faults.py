"""S3, when the way there fails."""

import pytest
from support.faulty_http import (
    Corrupt,
    LoseAnswer,
    Reset,
    Stall,
    Status,
    Truncate,
)
from support.storage.bucket_calls import SMALL, every_call
from support.storage.s3_way import GIVES_UP, LARGE

from nixery.errors import StorageFull, StorageUnavailable
from nixery.oci import digest_of
from nixery.storage import Condition, layer_key, put


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("POST .*uploads", id="start"),
        pytest.param("PUT .*partNumber", id="part"),
        pytest.param("POST .*uploadId", id="end"),
        pytest.param("PUT .*layers", id="copy"),
        pytest.param("DELETE", id="sweep"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [Status(503, "SlowDown"), Status(429, "TooManyRequests"), Reset(), LoseAnswer(), Stall()],
    ids=repr,
)
def test_an_upload_survives(hasty, way, content, line, fault):
    way.faults.add(line, fault)
    put(hasty, LARGE)
    assert content() == {layer_key(digest_of(LARGE)): LARGE}


def test_an_upload_that_ended_without_an_answer(storage, way, content):
    """AWS forgets a completed upload after a while."""
    way.faults.add("POST .*uploadId", LoseAnswer())
    way.faults.add("POST .*uploadId", Status(404, "NoSuchUpload"))
    put(storage, LARGE)
    assert content() == {layer_key(digest_of(LARGE)): LARGE}


@pytest.mark.parametrize(
    "fault",
    [Status(503, "SlowDown"), Reset(), Stall(), Stall(after=100), Truncate(100)],
    ids=repr,
)
def test_reading_survives(hasty, way, fault):
    hasty.write("builds/key", LARGE)
    way.faults.add("GET .*builds", fault, times=2)
    assert hasty.read("builds/key").data == LARGE


def test_a_bit_that_flips_in_an_upload(storage, way, content):
    """Content-MD5 makes the service refuse it, and it is sent again."""
    way.faults.add("PUT .*staging", Corrupt(5))
    blob = put(storage, SMALL)
    assert content() == {layer_key(blob.digest): SMALL}


def test_a_lost_response_does_not_lose_the_lease(storage, way):
    way.faults.add("PUT .*leases", LoseAnswer())
    taken = storage.write("leases/key", b"mine", Condition.ABSENT)
    assert taken == storage.stat("leases/key")
    way.faults.add("PUT .*leases", LoseAnswer())
    assert storage.write("leases/key", b"mine again", taken) is not None


@every_call
@pytest.mark.parametrize("fault", [Status(503, "SlowDown"), Reset(), Stall()], ids=repr)
def test_what_keeps_failing_ends(connect, way, call, fault):
    way.faults.add(".", fault, times=1000)
    with pytest.raises(StorageUnavailable) as caught:
        call(connect(GIVES_UP))
    assert caught.value.http_status("friendly") == 503
    assert caught.value.retry_after
    assert caught.value.log


@pytest.mark.parametrize("code", [(403, "QuotaExceeded"), (507, "XMinioStorageFull")])
def test_a_bucket_that_is_full(storage, way, code):
    way.faults.add("PUT", Status(*code))
    with pytest.raises(StorageFull):
        put(storage, SMALL)
