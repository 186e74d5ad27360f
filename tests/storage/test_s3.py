"""S3: what is sent to moto's server, and what happens when the way there fails."""

import random
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from faulty_http import (
    Answer,
    Corrupt,
    FaultyServer,
    LoseAnswer,
    Reset,
    Stall,
    Status,
    Truncate,
    forward_to,
)

from nixery.errors import ConfigurationError, StorageFull, StorageUnavailable
from nixery.oci import digest_of
from nixery.storage import Condition, Redirect, Remote, Stat, layer_key, put, s3
from nixery.storage.patience import Patience
from nixery.storage.s3 import S3Storage, copying, staging
from nixery.storage.s3 import storage as operations
from nixery.storage.s3.client import open_client
from nixery.storage.s3.staging import md5

IMPATIENT = Patience(deadline=60, stall=10, connect=5, pause=0.001)
HASTY = Patience(deadline=60, stall=0.5, connect=2, pause=0.001)
GIVES_UP = Patience(deadline=0.05, stall=0.2, connect=2, pause=0.001)
SMALL = b"a small blob"
PART = 1 << 20
"""Bytes that a request sends or asks for in these tests: an eighth of what servers send."""
LARGE = random.Random(1).randbytes(2 * PART + 1)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    assert staging.PART == 8 << 20
    monkeypatch.setattr(staging, "PART", PART)
    monkeypatch.setattr(operations, "PIECE", PART)


def refuse(fault):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses."""
    body = f"<Error><Code>{fault.reason}</Code><Message>injected</Message></Error>"
    return Answer(fault.code, {"Content-Type": "application/xml"}, body.encode())


class Way(FaultyServer):
    """To moto, with things that go wrong, and what S3 checks and moto does not."""

    def __init__(self, moto):
        self.conditions = "kept"  # or "forgotten", or "refused"
        self._forward = forward_to(moto)
        super().__init__(self.pass_on, refuse)

    def pass_on(self, request):
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: Content-MD5
        given = request.headers.get("content-md5")
        if given and not request.broken and given != md5(request.body):
            return refuse(Status(400, "BadDigest"))
        if request.method in ("PUT", "DELETE"):
            for name in ("if-match", "if-none-match"):
                if name in request.headers and self.conditions == "refused":
                    return refuse(Status(501, "NotImplemented"))
                if self.conditions == "forgotten":
                    request.headers.pop(name, None)
        return self._forward(request)


@pytest.fixture(scope="module")
def way(moto):
    server = Way(moto)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def clients(s3_options, way):
    """One for each patience, over the faulty way."""
    made = {}

    def client(patience):
        if patience not in made:
            made[patience] = open_client(replace(s3_options, endpoint=way.url), patience)
        return made[patience]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture
def connect(clients, s3_bucket, way):
    def connect(patience=HASTY, link_expiration=300):
        return S3Storage(clients(patience), s3_bucket, link_expiration, patience)

    yield connect
    way.faults.clear()
    way.conditions = "kept"


@pytest.fixture
def storage(connect):
    storage = connect(IMPATIENT)
    storage.check()
    return storage


@pytest.fixture
def hasty(connect, storage):
    hasty = connect(HASTY)
    hasty._conditions = storage._conditions
    return hasty


@pytest.fixture
def content(s3_client, s3_bucket):
    """What lies in the bucket, by key."""

    def content():
        found = s3_client.list_objects_v2(Bucket=s3_bucket).get("Contents", [])
        return {
            each["Key"]: s3_client.get_object(Bucket=s3_bucket, Key=each["Key"])["Body"].read()
            for each in found
        }

    return content


def requests_of(way, call):
    way.log.clear()
    call()
    return [re.sub(r" /[^/]+/(\w*).*?(\?\w+)?.*", r" \1\2", line) for line in way.log]


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
def test_a_blob_that_is_not_what_its_name_says_is_replaced(storage, content, damaged):
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
    assert isinstance(location, Remote)
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


def test_a_lost_answer_is_no_lost_lease(storage, way):
    way.faults.add("PUT .*leases", LoseAnswer())
    taken = storage.write("leases/key", b"mine", Condition.ABSENT)
    assert taken == storage.stat("leases/key")
    way.faults.add("PUT .*leases", LoseAnswer())
    assert storage.write("leases/key", b"mine again", taken) is not None


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda storage: put(storage, SMALL), id="put"),
        pytest.param(lambda storage: storage.locate(digest_of(SMALL)), id="locate"),
        pytest.param(lambda storage: storage.read("builds/key"), id="read"),
        pytest.param(lambda storage: storage.write("builds/key", b""), id="write"),
        pytest.param(lambda storage: list(storage.list("builds/")), id="list"),
        pytest.param(lambda storage: storage.check(), id="check"),
    ],
)
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


def test_a_service_with_conditions_is_known_by_trying(connect):
    storage = connect(IMPATIENT)
    assert not storage.conditional  # nobody knows yet
    storage.check()
    assert storage.conditional


@pytest.fixture(params=["forgotten", "refused"])
def old_service(request, connect, way):
    """One that writes whatever the conditions say, as AWS did until 2024; one that says no."""
    way.conditions = request.param
    return connect(IMPATIENT)


def test_a_service_without_conditions_is_told(old_service, capsys):
    old_service.check()
    assert not old_service.conditional
    assert "does not keep conditions" in capsys.readouterr().out


def test_without_conditions_a_look_must_do(old_service):
    old_service.check()
    seen = old_service.write("leases/key", b"mine", Condition.ABSENT)
    assert old_service.write("leases/key", b"yours", Condition.ABSENT) is None
    assert old_service.write("leases/key", b"mine again", seen)
    assert old_service.write("leases/key", b"mine again", seen) is None
    assert not old_service.delete(seen)
    assert old_service.delete(old_service.stat("leases/key"))


def test_a_bucket_that_nobody_checked(connect):
    """Commands use it as it is; a condition is tried out before anything rests on it."""
    storage = connect(IMPATIENT)
    seen = storage.write("builds/key", b"value")
    assert storage.write("builds/key", b"other", seen)
    assert storage.conditional
    assert not storage.delete(seen)


def refused(storage):
    with pytest.raises(ConfigurationError) as caught:
        storage.check()
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_bucket_that_is_not_there(clients):
    storage = S3Storage(clients(IMPATIENT), "other", 300, IMPATIENT)
    assert refused(storage) == "S3_BUCKET=other: there is no such bucket"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        pytest.param("PUT", Status(403, "AccessDenied"), "AccessDenied", id="write"),
        pytest.param("HEAD", Status(403, "Forbidden"), "may not read", id="read"),
        pytest.param("GET .*list-type", Status(403, "AccessDenied"), "AccessDenied", id="list"),
        pytest.param("DELETE", Status(403, "AccessDenied"), "AccessDenied", id="delete"),
        pytest.param("PUT", Status(403, "InvalidAccessKeyId"), "InvalidAccessKeyId", id="key"),
        pytest.param("PUT", Status(400, "AuthorizationHeaderMalformed"), "AWS_REGION", id="region"),
    ],
)
def test_what_the_account_may_not_do_is_found_at_the_start(connect, way, line, status, said):
    way.faults.add(line, status, times=1000)
    assert said in refused(connect(IMPATIENT))


def test_settings_reach_the_service(s3_options, s3_bucket):
    storage = s3.connect(replace(s3_options, bucket=s3_bucket), IMPATIENT)
    storage.check()
    assert storage.locate(put(storage, SMALL).digest).url.startswith(
        f"{s3_options.endpoint}/{s3_bucket}/"
    )
    storage._client.close()


def test_an_endpoint_that_is_no_address(s3_options):
    with pytest.raises(ConfigurationError, match="S3_BUCKET=images: Invalid endpoint"):
        s3.connect(replace(s3_options, bucket="images", endpoint="minio"), IMPATIENT)


def test_no_credentials_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="S3_ACCESS_KEY"):
        s3.connect(s3.S3Options(bucket="images"))


def test_the_time_is_the_buckets(connect, way):
    storage = connect(IMPATIENT)
    clock = way.clock
    way.clock = lambda: clock() + timedelta(hours=1).total_seconds()
    try:
        assert abs(storage.now() - way.clock()) < 2
    finally:
        way.clock = clock
