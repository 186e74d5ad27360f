"""Blobs through X-Accel-Redirect, by a real nginx with the configuration of docs/nginx.md."""

import logging
import re
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from support import nginx_server
from support.fake_images import FakeImages
from support.nginx_server import running_nginx
from support.serving import ABOUT, running

import nixery
from nixery.http.app import create_app
from nixery.oci import digest_of, hexdigits
from nixery.storage import Content, put
from nixery.storage.filesystem import FilesystemStorage
from nixery.storage.memory import MemoryStorage

BLOB = bytes(range(256)) * 4096
DIGEST = digest_of(BLOB)
PATH = f"/v2/hello/blobs/{DIGEST}"
PAGE = Path(nixery.__file__).parents[1] / "docs/nginx.md"

needs_nginx = pytest.mark.skipif(nginx_server.PROGRAM is None, reason="nginx is not installed")


def documented_server(backend, storage, prefix):
    """The server block of docs/nginx.md, without TLS, with the addresses of this test."""
    server = re.search(r"^```nginx\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]
    server = re.sub(r" *ssl_certificate.*\n", "", server)
    for text, value in {
        "listen 443 ssl;": "listen LISTEN;",
        "http://127.0.0.1:8080": backend,
        "/srv/nixery/": f"{storage}/",
        "/internal/layers/": f'"{prefix}layers/"',
    }.items():
        before = server
        # The leading space skips occurrences in comments, where the original may stay.
        server = server.replace(f" {text}", f" {value}")
        assert server != before, f"{text} is not on the page"
    return server


@pytest.fixture
def storage(tmp_path):
    storage = FilesystemStorage(tmp_path / "store")
    put(storage, BLOB)
    return storage


@pytest.fixture(params=["/internal/", "/by nginx/50%/"])
def prefix(request):
    return request.param


@pytest.fixture
def backend(storage, prefix):
    """The URL of the server behind nginx."""
    app = create_app(images=FakeImages({}), storage=storage, about=ABOUT, accel_prefix=prefix)
    with running(app) as url:
        yield url


@pytest.fixture
def client(backend, prefix, tmp_path):
    (tmp_path / "nginx").mkdir()
    configuration = documented_server(backend, tmp_path / "store", prefix)
    with (
        running_nginx(configuration, tmp_path / "nginx") as nginx,
        httpx.Client(base_url=nginx.url) as client,
    ):
        yield client


def test_answer(backend, prefix):
    """Without nginx in front: all headers and a percent-encoded X-Accel-Redirect, but no body."""
    response = httpx.get(backend + PATH, headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.content) == (200, b"")
    redirect = {"/internal/": "/internal/", "/by nginx/50%/": "/by%20nginx/50%25/"}[prefix]
    assert response.headers["x-accel-redirect"] == f"{redirect}layers/{hexdigits(DIGEST)}"
    assert response.headers["docker-content-digest"] == DIGEST


@pytest.mark.anyio
async def test_content_that_is_not_a_local_file(client_of):
    """Nginx cannot send a file that is not on its disk."""

    class Elsewhere(MemoryStorage):
        def locate(self, _digest):
            return Content(BLOB)

    app = create_app(
        images=FakeImages({}), storage=Elsewhere(), about=ABOUT, accel_prefix="/internal/"
    )
    async with client_of(app) as client:
        response = await client.get(PATH)
    assert response.content == BLOB
    assert "x-accel-redirect" not in response.headers


@needs_nginx
def test_whole(client, backend):
    """The bytes are nginx's, the headers are ours, and no trace of the redirect is left."""
    with capture_logs() as lines:
        response = client.get(PATH, headers={"X-Request-Id": "0123456789"})
        ours = httpx.head(backend + PATH).headers  # by now, the first request has been logged
    assert (response.status_code, response.content == BLOB) == (200, True)
    assert lines[0]["bytes"] == 0
    for name in (
        "content-type",
        "content-length",
        "docker-content-digest",
        "docker-distribution-api-version",
        "etag",
        "cache-control",
        "accept-ranges",
    ):
        assert response.headers.get_list(name) == ours.get_list(name), name
    assert response.headers["x-request-id"] == "0123456789"
    assert response.headers["server"].startswith("nginx")
    assert "x-accel-redirect" not in response.headers


@needs_nginx
@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-9", slice(10)),
        ("bytes=1000000-", slice(1_000_000, None)),
        ("bytes=-9", slice(-9, None)),
    ],
)
@pytest.mark.parametrize("if_range", [None, f'"{DIGEST}"'])
def test_part(client, value, part, if_range):
    """Nginx cuts out ranges, including those with If-Range and our ETag."""
    headers = {"Range": value} | ({"If-Range": if_range} if if_range else {})
    response = client.get(PATH, headers=headers)
    assert (response.status_code, response.content == BLOB[part]) == (206, True)
    assert response.headers["content-range"].endswith(f"/{len(BLOB)}")
    assert response.headers["docker-content-digest"] == DIGEST


@needs_nginx
@pytest.mark.parametrize(
    "headers",
    [{"Range": "bytes=0-1,4-5"}, {"Range": "bytes=0-1", "If-Range": '"another"'}],
    ids=["multiple ranges", "other etag"],
)
def test_ignored_range(client, headers):
    """As without nginx: the whole blob."""
    response = client.get(PATH, headers=headers)
    assert (response.status_code, response.content == BLOB) == (200, True)


@needs_nginx
def test_answers_without_a_file(client):
    """HEAD, a blob that the client has, ranges past the end, unknown blobs."""
    head = client.head(PATH)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(BLOB)))
    known = client.get(PATH, headers={"If-None-Match": f'"{DIGEST}"'})
    assert (known.status_code, known.content) == (304, b"")
    behind = client.get(PATH, headers={"Range": f"bytes={len(BLOB)}-"})
    assert behind.status_code == 416
    assert behind.json()["errors"][0]["code"] == "RANGE_INVALID"
    unknown = client.get(f"/v2/hello/blobs/sha256:{'0' * 64}")
    assert unknown.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


@needs_nginx
def test_encoded_address(client):
    """Encoded characters reach the registry unchanged."""
    response = client.get(f"/v2/%68ello/blobs/{DIGEST.replace(':', '%3A')}")
    assert (response.status_code, response.content == BLOB) == (200, True)


@needs_nginx
def test_internal(client, prefix):
    """Clients cannot request the files directly."""
    response = client.get(f"{prefix.replace('%', '%25')}layers/{hexdigits(DIGEST)}")
    assert response.status_code == 404


@needs_nginx
def test_nothing_is_logged_as_an_error(client, backend, caplog):
    """Nginx closes the connection when it sends the file: that is not a client that left."""
    with capture_logs() as lines, caplog.at_level(logging.INFO):
        for _ in range(3):
            assert client.get(PATH, headers={"User-Agent": "watched"}).status_code == 200
        assert httpx.get(f"{backend}/v2/").status_code == 200  # by now, the lines are written
    # Log lines of the requests before and after may or may not be captured.
    ours = [line for line in lines if line.get("user_agent") == "watched"]
    assert [line["log_level"] for line in ours] == ["info"] * 3
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    assert not any("aborted" in line for line in ours)
