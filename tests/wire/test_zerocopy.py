"""Blobs sent by the kernel, from a real server to clients of every kind."""

import os
import socket
import ssl
import subprocess
from contextlib import suppress

import httpx
import pytest
from support.serving import running
from support.wire.one_blob import PATH, SIZE, SMALL_BUFFER, requests
from support.wire.raw_client import answer, connected, head, request, rest, take

from nixery.http import files
from nixery.wire import sendfile
from nixery.wire.server import Server
from nixery.wire.zerocopy import ZERO_COPY

pytestmark = [
    pytest.mark.skipif(not sendfile.IS_AVAILABLE, reason="sendfile as on Linux"),
    pytest.mark.machine,
]


def test_whole(watched, blob, logs, monkeypatch):
    """By the kernel, twice on one connection, and the log has the number of bytes."""
    monkeypatch.setattr(files, "SENT_AT_ONCE", SIZE // 2 + 1)
    with running(watched) as url, connected(url) as client:
        for _ in range(2):
            client.sendall(request(PATH))
            status, headers, body = answer(client)
            assert (status, body == blob) == (200, True)
            assert "connection" not in headers
        client.sendall(request("/v2/"))
        assert answer(client)[2] == b"{}"
    assert watched.sent.count(ZERO_COPY) == 2 * 2
    assert [line["bytes"] for line in requests(logs)] == [SIZE, SIZE, 2]
    assert not any("aborted" in line for line in requests(logs))


@pytest.mark.usefixtures("logs")
def test_full_segments(watched, blob):
    """Only these go out while a file does; behind it, nothing waits for more to fill one."""
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        start = take(client, 1000)  # and then nothing: the server waits for room
        assert is_corked(client)
        assert start + take(client, SIZE - 1000) == blob
        assert watched.ended.acquire(timeout=10)
        assert not is_corked(client)


@pytest.mark.parametrize(("version", "header"), [("1.0", "X: y"), ("1.1", "Connection: close")])
def test_last_request(watched, blob, logs, version, header):
    """The connection ends behind the last byte, not before."""
    with running(watched) as url, connected(url) as client:
        client.sendall(request(PATH, header, version=version))
        assert head(client)[0] == 200
        assert rest(client) == blob
    assert ZERO_COPY in watched.sent
    assert requests(logs)[0]["bytes"] == SIZE


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-0", slice(1)),
        (f"bytes=5000000-{SIZE - 2}", slice(5_000_000, SIZE - 1)),
        ("bytes=-9", slice(SIZE - 9, SIZE)),
    ],
)
def test_part(watched, blob, logs, value, part):
    """A range, and behind it the next response."""
    with running(watched) as url, connected(url) as client:
        client.sendall(request(PATH, f"Range: {value}"))
        status, headers, body = answer(client)
        assert (status, body == blob[part]) == (206, True)
        assert headers["content-length"] == str(len(body))
        client.sendall(request("/v2/"))
        assert answer(client)[0] == 200
    assert ZERO_COPY in watched.sent
    assert requests(logs)[0]["bytes"] == len(body)


def test_head_and_not_modified(watched, logs):
    """Have no body; the connection can be used on."""
    with running(watched) as url, connected(url) as client:
        client.sendall(request(PATH, method="HEAD"))
        status, headers, _ = answer(client, has_body=False)
        assert (status, headers["content-length"]) == (200, str(SIZE))
        client.sendall(request(PATH, f"If-None-Match: {headers['etag']}"))
        assert answer(client, has_body=False)[0] == 304
        client.sendall(request("/v2/"))
        assert answer(client)[0] == 200
    assert ZERO_COPY not in watched.sent
    assert [line["bytes"] for line in requests(logs)] == [0, 0, 2]


def test_pipeline(watched, blob, logs):
    """Requests that are sent without waiting are answered one after the other."""
    with running(watched) as url, connected(url) as client:
        client.sendall(request(PATH) + request(PATH, "Range: bytes=1-2") + request("/v2/"))
        assert answer(client)[2] == blob
        assert answer(client)[2] == blob[1:3]
        assert answer(client)[2] == b"{}"
    assert len(requests(logs)) == 3


def test_slow_reader(watched, blob, logs):
    """It delays no other client, and gets everything in the end."""
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        assert httpx.get(url + PATH).content == blob
        assert watched.ended.acquire(timeout=10)
        assert len(requests(logs)) == 1
        assert take(client, SIZE) == blob
        assert watched.ended.acquire(timeout=10)
    assert [line["bytes"] for line in requests(logs)] == [SIZE, SIZE]


def test_tls(watched, blob, logs, tmp_path):
    """Without the kernel: bytes are read, encrypted and sent."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )

    class Encrypted(Server):
        def __init__(self, app, on_start):
            super().__init__(app, on_start)
            self.config.ssl_keyfile, self.config.ssl_certfile = str(key), str(certificate)

    trust = ssl.create_default_context(cafile=certificate)
    with running(watched, Encrypted) as url:
        response = httpx.get(url.replace("http:", "https:") + PATH, verify=trust)
    assert response.content == blob
    assert ZERO_COPY not in watched.sent
    assert requests(logs)[0]["bytes"] == SIZE


@pytest.mark.usefixtures("logs")
def test_file_system_without_sendfile():
    """Files that the kernel cannot send are read and arrive complete."""
    # In /proc, whose files have no size, so the bytes are counted first.
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
        content = file.read()

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan" or ZERO_COPY in scope["extensions"]
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        headers = [(b"content-length", str(len(content) - 1).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        file = open("/proc/self/environ", "rb")  # noqa: PTH123, ASYNC230, SIM115 - the server's
        message = {"type": ZERO_COPY, "file": file, "offset": 1, "count": len(content) - 1}
        await send(message)
        assert file.closed

    with running(app) as url:
        assert httpx.get(url).content == content[1:]


@pytest.mark.usefixtures("logs")
def test_bytes_before_a_file(blob_file, blob):
    """Pending bytes for a slow client go out before the file, and following bytes after it."""
    text = bytes(SIZE)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        headers = [(b"content-length", str(2 * SIZE + 3).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": True})
        with blob_file.open("rb") as file:
            await send({"type": ZERO_COPY, "file": file, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with running(app) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request("/"))
        assert answer(client)[2] == text + blob + b"end"


@pytest.mark.usefixtures("logs")
def test_defaults(blob_file, blob):
    """Without offset and count: from the current position to the end; HEAD sends none of it."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        file = blob_file.open("rb")
        file.seek(SIZE - 10)
        headers = [(b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": ZERO_COPY, "file": file})

    with running(app) as url, connected(url) as client:
        client.sendall(request("/", method="HEAD") + request("/") + request("/"))
        answer(client, has_body=False)
        assert answer(client)[2] == blob[-10:]
        assert answer(client)[2] == blob[-10:]


async def lifespan(receive, send):
    for event in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{event}"
        await send({"type": f"lifespan.{event}.complete"})


def is_corked(client):
    """Whether the server, in this process, keeps back what fills no segment of this connection."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, no paths
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as other:
            if other.getpeername() == client.getsockname():
                return bool(other.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
    raise AssertionError("the server has no such connection")
