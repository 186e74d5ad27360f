"""Blobs by digest: whole, in part, or elsewhere."""

import threading

import anyio
import pytest
from support.serving import ABOUT, LAYER

from nixery.http.app import create_app
from nixery.oci import digest_of
from nixery.storage import Content, LocalFile, Redirect, Streamed, put
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.anyio

DIGEST = digest_of(LAYER)
PATH = f"/v2/hello/blobs/{DIGEST}"


class Elsewhere(MemoryStorage):
    """Keeps its blobs at a fixed place; ``locate`` may be delayed."""

    def __init__(self, location, gate=None):
        super().__init__()
        self.location = location
        self.gate = gate

    def locate(self, _digest):
        if self.gate is not None:
            assert self.gate.wait(10)
        return self.location


def read_remote(start, length):
    """A bucket chooses the size of the chunks."""
    for offset in range(start, start + length, 100):
        yield LAYER[offset : min(offset + 100, start + length)]


@pytest.fixture
def client_at(images, client_of):
    """A client of a registry whose blobs are all at this location."""

    def make(location, gate=None):
        storage = Elsewhere(location, gate)
        return client_of(create_app(images=images, storage=storage, about=ABOUT))

    return make


@pytest.fixture(params=["memory", "file", "bucket"])
async def any_client(request, client_at, tmp_path):
    """The same blob from every place that we serve ourselves."""
    path = tmp_path / "blob"
    path.write_bytes(LAYER)
    locations = {
        "memory": Content(LAYER),
        "file": LocalFile(path, len(LAYER)),
        "bucket": Streamed(read_remote, len(LAYER)),
    }
    async with client_at(locations[request.param]) as made:
        yield made


async def test_whole(any_client):
    """All bytes, immutable, without a content type that a browser would show."""
    response = await any_client.get(PATH)
    assert response.status_code == 200
    assert response.content == LAYER
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-length"] == str(len(LAYER))
    assert response.headers["docker-content-digest"] == DIGEST
    assert response.headers["etag"] == f'"{DIGEST}"'
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_head(any_client):
    """The headers of GET, with any requested range."""
    get = await any_client.get(PATH)
    head = await any_client.head(PATH, headers={"Range": "bytes=0-1"})
    for response in (get, head):
        del response.headers["x-request-id"]
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=1000-", 1000, 1024), ("bytes=-24", 1000, 1024)],
)
async def test_part(any_client, value, start, stop):
    """A broken download continues where it stopped."""
    response = await any_client.get(PATH, headers={"Range": value})
    assert response.status_code == 206
    assert response.content == LAYER[start:stop]
    assert response.headers["content-length"] == str(stop - start)
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert response.headers["docker-content-digest"] == DIGEST


@pytest.mark.parametrize("value", ["bytes=0-1,4-5", "bytes=5-1", "lines=1-2", "rubbish"])
async def test_range_that_does_not_count(any_client, value):
    """It is ignored."""
    response = await any_client.get(PATH, headers={"Range": value})
    assert (response.status_code, response.content) == (200, LAYER)
    assert "content-range" not in response.headers


async def test_two_range_lines(any_client):
    """Several ranges are not supported; no client needs them."""
    headers = [("Range", "bytes=0-1"), ("Range", "bytes=4-5")]
    response = await any_client.get(PATH, headers=headers)
    assert (response.status_code, response.content) == (200, LAYER)


async def test_behind_the_end(any_client):
    """416 contains the length of the blob."""
    response = await any_client.get(PATH, headers={"Range": "bytes=1024-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */1024"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["errors"][0]["code"] == "RANGE_INVALID"


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(f'"{DIGEST}"', 206), ('"another"', 200), (f'W/"{DIGEST}"', 200)],
)
async def test_if_range(any_client, if_range, status):
    """The part only of the bytes that the client has the rest of."""
    headers = {"Range": "bytes=0-1", "If-Range": if_range}
    assert (await any_client.get(PATH, headers=headers)).status_code == status


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_not_modified(any_client, method):
    """A known digest comes before a range."""
    headers = {"If-None-Match": f'"x", "{DIGEST}"', "Range": "bytes=0-1"}
    response = await any_client.request(method, PATH, headers=headers)
    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["etag"] == f'"{DIGEST}"'


@pytest.mark.parametrize("data", [b"", b"x"])
async def test_smallest(client, storage, data):
    """An empty blob is a blob."""
    digest = put(storage, data).digest
    response = await client.get(f"/v2/hello/blobs/{digest}")
    assert (response.status_code, response.content) == (200, data)
    assert response.headers["content-length"] == str(len(data))


async def test_redirect(client_at):
    """GET is redirected and marked not to be cached; HEAD is answered here."""
    async with client_at(Redirect("https://bucket.test/x?signature=1", 1024)) as client:
        get = await client.get(PATH, headers={"Range": "bytes=0-1"})
        head = await client.head(PATH)
        known = await client.get(PATH, headers={"If-None-Match": f'"{DIGEST}"'})
    assert get.status_code == 307
    assert get.headers["location"] == "https://bucket.test/x?signature=1"
    assert get.headers["cache-control"] == "no-store"
    assert head.status_code == 200
    assert head.headers["content-length"] == "1024"
    assert head.headers["docker-content-digest"] == DIGEST
    assert known.status_code == 304


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/hello/blobs/" + digest_of(b"unknown"), 404, "BLOB_UNKNOWN"),
        ("/v2/hello/blobs/sha256:baddigeststring", 400, "DIGEST_INVALID"),
        ("/v2/hello/blobs/latest", 400, "DIGEST_INVALID"),
        (f"/v2/HELLO/blobs/{DIGEST}", 400, "NAME_INVALID"),
        (f"/v2//blobs/{DIGEST}", 400, "NAME_INVALID"),
    ],
)
async def test_refused(client, path, status, code):
    """Unknown is 404; an invalid digest or name is 400."""
    get, head = await client.get(path), await client.head(path)
    assert get.status_code == head.status_code == status
    assert get.json()["errors"][0]["code"] == code
    assert head.headers["content-length"] == str(len(get.content))
    assert head.content == b""


async def test_file_that_vanished(client_at, tmp_path):
    """Collected between being located and being opened: 404, not half a response."""
    async with client_at(LocalFile(tmp_path / "gone", 4)) as client:
        for headers in ({}, {"Range": "bytes=0-1"}):
            response = await client.get(PATH, headers=headers)
            assert response.status_code == 404
            assert response.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


async def test_slow_storage_does_not_block(client_at):
    """Docker gives up on /v2/ after 15 s: it is answered while the storage takes its time."""
    gate = threading.Event()
    answers = []
    async with (
        client_at(Redirect("https://bucket.test/x", 1), gate) as client,
        anyio.create_task_group() as tasks,
    ):

        async def ask():
            answers.append(await client.get(PATH))

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            assert (await client.get("/v2/")).status_code == 200
        assert answers == []
        gate.set()
    assert answers[0].status_code == 307
