"""Google Cloud Storage: credentials, redirects of clients, and errors of wrong settings."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from google.auth.credentials import Credentials
from google.auth.transport.requests import Request
from requests import Session
from requests.adapters import HTTPAdapter
from support.clock import Clock
from support.fake_gcs import FakeGcs
from support.fake_gcs.access import Access
from support.faulty_http import Status

from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.storage import Redirect, Streamed, gcs, layer_key, put
from nixery.storage.bucket import Patience
from nixery.storage.gcs.signing import (
    RETRY_SECONDS,
    REUSE_SECONDS,
    IamKey,
    RemoteLinks,
    SignedLinks,
)

IMPATIENT = Patience(deadline=0.5, stall=10, connect=5, pause=0.001)


@pytest.fixture
def server():
    """Closed to everybody without a token, and with a clock that tests move."""
    server = FakeGcs(Clock(time.time()))
    server.make_bucket("images")
    server.api.access.needs_token = True
    yield server
    server.stop()


@pytest.fixture
def key_file(server, tmp_path):
    file = tmp_path / "key.json"
    file.write_text(server.api.access.key_file(f"{server.url}/token"))
    return file


@pytest.fixture
def connect(server, key_file):
    def connect(bucket="images", credentials_file=key_file, **options):
        return gcs.connect(
            bucket,
            credentials_file=credentials_file,
            emulator=server.url,
            patience=IMPATIENT,
            **options,
        )

    return connect


@pytest.fixture
def storage(connect):
    return connect()


def get(url):
    """As a client does, which has no token."""
    return httpx.get(url)


def test_the_key_file_opens_the_bucket(storage, server):
    storage.check()
    blob = put(storage, b"data")
    assert storage.read(layer_key(blob.digest)).data == b"data"
    assert server.log.count("POST /token") == 1


def test_clients_are_sent_to_a_signed_address(storage):
    blob = put(storage, b"data")
    location = storage.locate(blob.digest)
    assert isinstance(location, Redirect)
    assert location.size == 4
    assert get(location.url).content == b"data"
    assert parse_qs(urlsplit(location.url).query)["X-Goog-Expires"] == ["300"]


def test_a_signed_address_holds_for_five_minutes(storage, server):
    url = storage.locate(put(storage, b"data").digest).url
    server.clock.forward(299)
    assert get(url).content == b"data"
    server.clock.forward(3)
    assert get(url).status_code == 400


def test_a_signed_address_is_for_one_blob(storage):
    url = storage.locate(put(storage, b"data").digest).url
    other = put(storage, b"other")
    forged = url.replace(urlsplit(url).path, f"/images/{layer_key(other.digest)}")
    assert get(forged).status_code == 403
    assert get(url.split("?")[0]).status_code == 403


def test_a_public_bucket_needs_no_signature(connect, server):
    storage = connect(public=True)
    blob = put(storage, b"data")
    server.api.access.needs_token = False
    url = storage.locate(blob.digest).url
    assert url == f"{server.url}/images/{layer_key(blob.digest)}"
    assert get(url).content == b"data"


def test_an_unknown_blob_has_no_address(connect):
    assert connect(public=True).locate("sha256:" + "0" * 64) is None


class MachineCredentials(Credentials):
    """As a metadata server gives them: the account's address comes with the first token."""

    def __init__(self, access):
        super().__init__()
        self.service_account_email = "default"
        self._access = access

    def refresh(self, _):
        self.token = "machine"
        self._access.tokens.add(self.token)
        self.service_account_email = self._access.email


class ToFake(HTTPAdapter):
    """Sends requests for IAM's address to the test server."""

    def __init__(self, url):
        super().__init__()
        self._url = url

    def send(self, request, **options):
        request.url = self._url + urlsplit(request.url).path
        return super().send(request, **options)


@pytest.fixture
def machine(storage, server, clock):
    """A storage without a key: IAM signs."""
    with Session() as session:
        session.mount("https://iamcredentials.googleapis.com/", ToFake(server.url))
        key = IamKey(Request(session), MachineCredentials(server.api.access))
        storage._links = RemoteLinks(SignedLinks(storage._bucket, key), clock)
        yield storage


def test_iam_signs_without_a_local_key(machine, server):
    blob = put(machine, b"data")
    location = machine.locate(blob.digest)
    assert get(location.url).content == b"data"
    assert server.api.access.email.replace("@", "%40") in location.url


def test_an_address_that_iam_signed_is_kept_while_it_is_fresh(machine, server, clock):
    blob, other = put(machine, b"data"), put(machine, b"other")
    first = machine.locate(blob.digest).url
    machine.locate(other.digest)
    clock.forward(REUSE_SECONDS - 1)
    assert machine.locate(blob.digest).url == first
    assert server.api.access.signatures == 2
    clock.forward(2)
    machine.locate(blob.digest)
    assert server.api.access.signatures == 3
    assert len(machine._links._kept) == 1  # the other one was forgotten


def test_where_iam_does_not_sign_blobs_are_streamed(machine, server, clock):
    """And IAM is left alone for a while, instead of being asked by every pull."""
    blob = put(machine, b"data")
    server.api.access.denied.add("iam.serviceAccounts.signBlob")
    location = machine.locate(blob.digest)
    assert isinstance(location, Streamed)
    assert b"".join(location.read(0, 4)) == b"data"
    machine.locate(blob.digest)
    assert sum("signBlob" in line for line in server.log) == 1
    server.api.access.denied.clear()
    clock.forward(RETRY_SECONDS + 1)
    assert isinstance(machine.locate(blob.digest), Redirect)


def refused(storage):
    with pytest.raises(ConfigurationError) as caught:
        storage.check()
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_bucket_that_is_not_there(connect):
    assert refused(connect("other")) == "GCS_BUCKET=other: this bucket does not exist"


@pytest.mark.parametrize("permission", ["create", "get", "update", "list", "delete"])
def test_what_the_account_may_not_do_is_found_at_the_start(connect, server, permission):
    server.api.access.denied.add(f"storage.objects.{permission}")
    assert f"storage.objects.{permission}" in refused(connect())


def test_a_key_that_was_revoked(connect, server):
    server.faults.add("/token", Status(400, "invalid_grant"), times=1000)
    assert "credentials are rejected" in refused(connect())


def test_a_key_that_is_another_accounts(connect, server, key_file, tmp_path):
    content = json.loads(key_file.read_text())
    content["private_key"] = json.loads(Access(time.time).key_file(""))["private_key"]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    assert "credentials are rejected" in refused(connect(credentials_file=other))
    assert server.buckets["images"] == {}


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "{}", '{"type": "service_account"}', '{"type": "other"}'],
)
def test_invalid_credentials_files(connect, tmp_path, content):
    file = tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match="GOOGLE_APPLICATION_CREDENTIALS=") as caught:
        connect(credentials_file=file)
    assert "\n" not in caught.value.message


def test_no_credentials_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ConfigurationError, match="no credentials for GCS_BUCKET"):
        gcs.connect("images")


def test_a_name_that_no_bucket_has(connect):
    with pytest.raises(ConfigurationError, match="GCS_BUCKET=-images"):
        connect("-images")


@pytest.mark.parametrize(
    "emulator",
    [
        *("http://", "ftp://localhost", "http:/localhost", "localhost:port"),
        *("http://[::1", "http://localhost:x", "http://localhost:99999", "http://local host"),
    ],
)
def test_an_invalid_address_ends_the_start(emulator):
    with pytest.raises(ConfigurationError) as caught:
        gcs.connect("images", emulator=emulator, patience=IMPATIENT)
    assert caught.value.message == (
        f"STORAGE_EMULATOR_HOST={emulator} is not a URL, such as http://localhost:4443"
    )


def test_an_address_needs_no_scheme(bucket, google):
    """Google's library for Go takes it so, and with it the Go server."""
    storage = gcs.connect(bucket.name, emulator=google.url.removeprefix("http://"))
    storage.check()
    assert storage.stat("layers/none") is None


def test_an_address_that_nothing_can_be_sent_to_ends_the_start():
    """It looks valid; only the library that sends requests finds out."""
    storage = gcs.connect("images", emulator="http://a..b", patience=IMPATIENT)
    assert "no request can be sent: Failed to parse: 'a..b'" in refused(storage)


def test_an_invalid_token_url_ends_the_start(connect, server, tmp_path):
    file = tmp_path / "wrong.json"
    file.write_text(server.api.access.key_file("oauth2.googleapis.com/token"))
    assert "no request can be sent: Invalid URL" in refused(connect(credentials_file=file))


def test_a_bucket_that_does_not_answer_is_not_a_wrong_setting():
    """It is retried for a while; then the caller decides."""
    server = FakeGcs()
    server.stop()
    storage = gcs.connect("images", emulator=server.url, patience=IMPATIENT)
    with pytest.raises(StorageUnavailable):
        storage.check()


def test_the_time_is_the_buckets(connect, server):
    """Replicas whose own clocks are wrong must agree on the age of a lease."""
    server.clock.forward(3600)
    storage = connect()
    assert abs(storage.now() - server.clock()) < 2
