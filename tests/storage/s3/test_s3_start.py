"""S3: checks at the start, and services with fewer features."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from support.faulty_http import (
    Status,
)
from support.storage.bucket_calls import SMALL
from support.storage.s3_way import IMPATIENT

from nixery.errors import ConfigurationError
from nixery.storage import Condition, put, s3
from nixery.storage.s3 import S3Storage


def test_a_service_with_conditions_is_known_by_trying(connect):
    storage = connect(IMPATIENT)
    assert not storage.conditional  # not known yet
    storage.check()
    assert storage.conditional


@pytest.fixture(params=["forgotten", "refused"])
def old_service(request, connect, way):
    """One that ignores conditions, as AWS did until 2024; one that rejects them."""
    way.conditions = request.param
    return connect(IMPATIENT)


def test_a_service_without_conditions_is_reported(old_service):
    with capture_logs() as lines:
        old_service.check()
    assert not old_service.conditional
    assert any("has no conditional writes" in line["event"] for line in lines)


def test_without_conditions_a_look_must_do(old_service):
    old_service.check()
    seen = old_service.write("leases/key", b"mine", Condition.ABSENT)
    assert old_service.write("leases/key", b"yours", Condition.ABSENT) is None
    assert old_service.write("leases/key", b"mine again", seen)
    assert old_service.write("leases/key", b"mine again", seen) is None
    assert not old_service.delete(seen)
    assert old_service.delete(old_service.stat("leases/key"))


def test_an_unchecked_bucket(connect):
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
    assert refused(storage) == "S3_BUCKET=other: this bucket does not exist"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        pytest.param("PUT", Status(403, "AccessDenied"), "AccessDenied", id="write"),
        pytest.param("HEAD", Status(403, "Forbidden"), "no permission to read", id="read"),
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


def test_invalid_endpoints(s3_options):
    with pytest.raises(ConfigurationError, match="S3_BUCKET=images: Invalid endpoint"):
        s3.connect(replace(s3_options, bucket="images", endpoint="minio"), IMPATIENT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bucket": "X y"}, "S3_BUCKET=X y: Parameter validation failed: Invalid bucket name"),
        ({"bucket": "s3://images"}, "Invalid bucket name"),
        ({"endpoint": "ftp://minio"}, "`ftp://minio` was not a valid URI"),
        ({"endpoint": "http://minio:x"}, "`http://minio:x` was not a valid URI"),
        ({"endpoint": "http://minio:99999"}, "`http://minio:99999` was not a valid URI"),
    ],
)
def test_what_cannot_be_asked_at_all_ends_the_start(s3_options, wrong, said):
    """Time does not mend it, and the server would start without its bucket."""
    storage = s3.connect(replace(s3_options, **{"bucket": "images"} | wrong), IMPATIENT)
    assert said in refused(storage)
    storage._client.close()


def test_a_key_with_the_end_of_its_line(s3_options):
    with pytest.raises(ConfigurationError, match="S3_ACCESS_KEY contains a line break"):
        s3.connect(replace(s3_options, bucket="images", access_key="key\n"), IMPATIENT)


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
