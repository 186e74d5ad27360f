"""A server with its images in a bucket: pulls, and the work that a second replica saves."""

import httpx
import pytest
from support.fake_gcs import FakeGcs
from support.faulty_http import Status
from support.integration.unpacked import unpack
from support.served import serve

pytestmark = pytest.mark.nix


@pytest.fixture
def google():
    server = FakeGcs()
    server.make_bucket("images")
    yield server
    server.stop()


@pytest.fixture
def start(nix_environment, tiny, tmp_path, google):
    """``start("name")``: one of the replicas that share the bucket."""

    def start(name, **settings):
        bucket = {
            "NIXERY_PKGS_PATH": str(tiny),
            "NIXERY_STORAGE_BACKEND": "gcs",
            "GCS_BUCKET": "images",
            "STORAGE_EMULATOR_HOST": google.url,
        }
        return serve(nix_environment, tmp_path / name, **bucket | settings)

    return start


@pytest.fixture
def key_file(google, tmp_path):
    """Closes the bucket to requests without this key, or without an address signed with it."""
    google.api.access.needs_token = True
    file = tmp_path / "key.json"
    file.write_text(google.api.access.key_file(f"{google.url}/token"))
    return str(file)


def test_clients_fetch_blobs_from_the_bucket(start, google, key_file, tmp_path):
    with start("one", GOOGLE_APPLICATION_CREDENTIALS=key_file) as served:
        root = unpack(served, "hello", tmp_path / "image")
        (layer, *_) = served.manifest("hello").json()["layers"]
        answer = served.get(f"/v2/hello/blobs/{layer['digest']}")
        head = httpx.head(f"{served.url}/v2/hello/blobs/{layer['digest']}")
    assert (root / "bin/hello").is_symlink()
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"].startswith(google.url)
    assert (head.status_code, int(head.headers["content-length"])) == (200, layer["size"])


def test_where_nothing_signs_the_server_streams(start, tmp_path):
    with start("one") as served:
        root = unpack(served, "hello", tmp_path / "image")
        (layer, *_) = served.manifest("hello").json()["layers"]
        part = served.get(f"/v2/hello/blobs/{layer['digest']}", Range="bytes=2-5")
    assert (root / "bin/hello").is_symlink()
    assert part.status_code == 206
    assert len(part.content) == 4


def test_a_second_replica_packs_nothing(start, google):
    with start("one") as served:
        digest = served.digest("git")
    stored = {key: found.generation for key, found in google.buckets["images"].items()}
    with start("two") as served:
        assert served.digest("git") == digest
    now = {key: google.buckets["images"][key].generation for key in stored if "layers/" in key}
    assert now == {key: stored[key] for key in now}
    assert not [key for key in google.buckets["images"] if key.startswith("staging/")]


def test_a_failing_bucket_is_reported_and_recovers(start, google):
    """Requests that do not need the bucket are answered."""
    with start("one") as served:
        layer = served.manifest("hello").json()["layers"][0]["digest"]
        google.faults.add(".", Status(403), times=1000)  # at once, where a 503 would be repeated
        answer = served.get(f"/v2/hello/blobs/{layer}")
        assert served.get("/v2/").status_code == 200
        google.faults.clear()
        again = served.get(f"/v2/hello/blobs/{layer}")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["errors"][0]["code"] == "UNAVAILABLE"
    assert again.status_code == 200


def test_wrong_settings_stop_the_start(start):
    with (
        pytest.raises(AssertionError, match="GCS_BUCKET=other: this bucket does not exist"),
        start("one", GCS_BUCKET="other"),
    ):
        pass
