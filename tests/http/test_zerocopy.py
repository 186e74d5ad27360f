"""Blobs sent by the kernel, from a real server to clients of every kind."""

import gc
import logging
import os
import ssl
import subprocess
import threading

import httpx
import pytest
from fake_images import FakeImages
from serving import ABOUT, running
from structlog.testing import capture_logs
from wire import answer, connected, head, request, rest, take

from nixery.http import sendfile
from nixery.http.app import create_app
from nixery.http.server import Server
from nixery.http.zerocopy import ZERO_COPY
from nixery.storage import LocalFile
from nixery.storage.memory import MemoryStorage

pytestmark = pytest.mark.skipif(not sendfile.IS_AVAILABLE, reason="sendfile as on Linux")

SIZE = 24 * 1024 * 1024 + 1
"""Bytes; more than the buffers of a connection hold, and several messages."""
PATH = f"/v2/hello/blobs/sha256:{'0' * 64}"
SMALL_BUFFER = 16 * 1024


class OneFile(MemoryStorage):
    """Every blob is this file."""

    def __init__(self, path):
        super().__init__()
        self.location = LocalFile(path, path.stat().st_size)

    def locate(self, _digest):
        return self.location


class Watched:
    """An application around the registry that knows how each response was sent, and its end."""

    def __init__(self, app):
        self.app = app
        self.sent = []
        self.ended = threading.Semaphore(0)

    async def __call__(self, scope, receive, send):
        async def watched(message):
            await send(message)
            self.sent.append(message["type"])

        try:
            await self.app(scope, receive, watched)
        finally:
            if scope["type"] == "http":
                self.ended.release()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("blobs") / "blob"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture(scope="module")
def blob(path):
    return path.read_bytes()


def registry(path):
    return Watched(create_app(images=FakeImages({}), storage=OneFile(path), about=ABOUT))


@pytest.fixture
def app(path):
    return registry(path)


@pytest.fixture
def logs(caplog):
    """Our lines; what is an error, or uvicorn's warning, fails the test."""
    with capture_logs() as lines, caplog.at_level(logging.INFO):
        yield lines
    assert {line["log_level"] for line in lines} <= {"info"}
    records = caplog.get_records("call")
    assert [record for record in records if record.levelno > logging.INFO] == []


def requests(logs):
    return [line for line in logs if line["event"] == "request"]


def descriptors():
    gc.collect()  # what other tests left open closes now, not between two looks
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts, whatever the names


def test_whole(app, blob, logs):
    """By the kernel, twice on one connection, and the log counts the bytes."""
    with running(app) as url, connected(url) as client:
        for _ in range(2):
            client.sendall(request(PATH))
            status, headers, body = answer(client)
            assert (status, body == blob) == (200, True)
            assert "connection" not in headers
        client.sendall(request("/v2/"))
        assert answer(client)[2] == b"{}"
    assert app.sent.count(ZERO_COPY) == 2 * 2
    assert [line["bytes"] for line in requests(logs)] == [SIZE, SIZE, 2]
    assert not any("aborted" in line for line in requests(logs))


@pytest.mark.parametrize(("version", "header"), [("1.0", "X: y"), ("1.1", "Connection: close")])
def test_last_request(app, blob, logs, version, header):
    """The connection ends behind the last byte, not before."""
    with running(app) as url, connected(url) as client:
        client.sendall(request(PATH, header, version=version))
        assert head(client)[0] == 200
        assert rest(client) == blob
    assert ZERO_COPY in app.sent
    assert requests(logs)[0]["bytes"] == SIZE


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-0", slice(1)),
        (f"bytes=5000000-{SIZE - 2}", slice(5_000_000, SIZE - 1)),
        ("bytes=-9", slice(SIZE - 9, SIZE)),
    ],
)
def test_part(app, blob, logs, value, part):
    """A range, and behind it the next response."""
    with running(app) as url, connected(url) as client:
        client.sendall(request(PATH, f"Range: {value}"))
        status, headers, body = answer(client)
        assert (status, body == blob[part]) == (206, True)
        assert headers["content-length"] == str(len(body))
        client.sendall(request("/v2/"))
        assert answer(client)[0] == 200
    assert ZERO_COPY in app.sent
    assert requests(logs)[0]["bytes"] == len(body)


def test_head_and_not_modified(app, logs):
    """Have no body; the connection can be used on."""
    with running(app) as url, connected(url) as client:
        client.sendall(request(PATH, method="HEAD"))
        status, headers, _ = answer(client, has_body=False)
        assert (status, headers["content-length"]) == (200, str(SIZE))
        client.sendall(request(PATH, f"If-None-Match: {headers['etag']}"))
        assert answer(client, has_body=False)[0] == 304
        client.sendall(request("/v2/"))
        assert answer(client)[0] == 200
    assert ZERO_COPY not in app.sent
    assert [line["bytes"] for line in requests(logs)] == [0, 0, 2]


def test_pipeline(app, blob, logs):
    """Requests that are sent without waiting are answered one after the other."""
    with running(app) as url, connected(url) as client:
        client.sendall(request(PATH) + request(PATH, "Range: bytes=1-2") + request("/v2/"))
        assert answer(client)[2] == blob
        assert answer(client)[2] == blob[1:3]
        assert answer(client)[2] == b"{}"
    assert len(requests(logs)) == 3


def test_slow_reader(app, blob, logs):
    """Holds up nobody else, and gets everything in the end."""
    with running(app) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        assert httpx.get(url + PATH).content == blob
        assert app.ended.acquire(timeout=10)
        assert len(requests(logs)) == 1
        assert take(client, SIZE) == blob
        assert app.ended.acquire(timeout=10)
    assert [line["bytes"] for line in requests(logs)] == [SIZE, SIZE]


@pytest.mark.parametrize("further", [0, 2], ids=["alone", "pipelined"])
def test_client_that_leaves(app, logs, further):
    """The file is closed, nothing goes on for nobody, and the log says aborted, not failed."""
    with running(app) as url:
        httpx.get(url + PATH)
        assert app.ended.acquire(timeout=10)
        with connected(url) as other:  # keeps what a connection takes the same, before and after
            other.sendall(request("/v2/"))
            assert answer(other)[0] == 200
            assert app.ended.acquire(timeout=10)
            before = descriptors()
            with connected(url, SMALL_BUFFER) as client:
                client.sendall(request(PATH) * (1 + further))
                take(client, 1000)
            assert app.ended.acquire(timeout=10)
            other.sendall(request("/v2/"))
            assert answer(other)[0] == 200
            assert descriptors() == before
    line = requests(logs)[2]
    assert (line["status"], line["aborted"]) == (200, True)
    assert line["bytes"] < SIZE
    assert len(requests(logs)) == 4


def test_rubbish_during_a_transfer(app, caplog):
    """Ends the connection, and with it the transfer: asyncio's own sendfile would hang."""
    with running(app) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        take(client, 1000)
        client.sendall(b"\x00\x01 no request\r\n\r\n")
        assert app.ended.acquire(timeout=10)  # by itself: nobody makes room in the buffers
        received = rest(client)
        assert len(received) < SIZE // 2
        assert b"400 Bad Request" not in received
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == [
        "WARNING"
    ]


def test_file_that_shrinks(tmp_path, blob, caplog):
    """A broken connection, and an error that the operator sees: the disk is not to be trusted."""
    (tmp_path / "blob").write_bytes(blob)
    app = registry(tmp_path / "blob")
    with running(app) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        start = take(client, 1000)
        os.truncate(tmp_path / "blob", SIZE - 1_000_000)
        received = start + rest(client)
        assert b"200 OK" in start
        assert len(received) < SIZE
        assert app.ended.acquire(timeout=10)
    assert "bytes early" in caplog.text


def test_shutdown(app, blob, logs):
    """A server that is told to stop sends what it has begun to send."""
    servers, stopping = [], threading.Event()

    class Stopping(Server):
        async def startup(self, sockets=None):
            servers.append(self)
            await super().startup(sockets)

        async def shutdown(self, sockets=None):
            stopping.set()
            await super().shutdown(sockets)

    with running(app, Stopping) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        start = take(client, 1000)
        servers[0].should_exit = True
        assert stopping.wait(10)
        assert start + rest(client) == blob
    assert requests(logs)[0]["bytes"] == SIZE


def test_tls(app, blob, logs, tmp_path):
    """Is not the kernel's: bytes are read, encrypted and sent."""
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
    with running(app, Encrypted) as url:
        response = httpx.get(url.replace("http:", "https:") + PATH, verify=trust)
    assert response.content == blob
    assert ZERO_COPY not in app.sent
    assert requests(logs)[0]["bytes"] == SIZE


@pytest.mark.usefixtures("logs")
def test_file_system_without_sendfile():
    """Files that the kernel does not send are read; what they hold arrives all the same."""
    # Of /proc, whose files have no size: what is there is counted first.
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
def test_bytes_before_a_file(path, blob):
    """What the client is slow to take goes out before the file, and what follows it behind."""
    text = bytes(SIZE)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        headers = [(b"content-length", str(2 * SIZE + 3).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": True})
        with path.open("rb") as file:
            await send({"type": ZERO_COPY, "file": file, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with running(app) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request("/"))
        assert answer(client)[2] == text + blob + b"end"


@pytest.mark.usefixtures("logs")
def test_defaults(path, blob):
    """Without offset and count: from where the file stands to its end; HEAD sends none of it."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        file = path.open("rb")
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
