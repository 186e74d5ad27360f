"""Connections that send no whole request, or too much: they are closed, and only they."""

import httpx
import pytest
from support.fake_images import FakeImages
from support.serving import ABOUT, running
from support.wire.raw_client import answer, connected, request, rest, take

from nixery.http.app import create_app
from nixery.storage import LocalFile
from nixery.storage.memory import MemoryStorage
from nixery.wire import protocol

SIZE = 16 * 1024 * 1024
BLOB = f"/v2/hello/blobs/sha256:{'0' * 64}"


class OneFile(MemoryStorage):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def locate(self, _digest):
        return LocalFile(self.path, SIZE)


@pytest.fixture
def url(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(bytes(SIZE))
    app = create_app(images=FakeImages({}), storage=OneFile(path), about=ABOUT)
    with running(app) as url:
        yield url


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)


WHOLE = request("/v2/")
HALF = WHOLE[:-2]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"G", HALF], ids=["nothing", "a byte", "half"])
def test_first_request(url, sent):
    """A connection that sends nothing, or only a beginning, is closed without an answer."""
    with connected(url) as client:
        client.sendall(sent)
        assert rest(client) == b""
    assert httpx.get(f"{url}/v2/").status_code == 200


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"G", HALF, b"\r\n"], ids=["a byte", "half", "an empty line"])
def test_later_request(url, sent):
    """The same after an answered request; uvicorn's keep-alive timer has stopped then."""
    with connected(url) as client:
        client.sendall(WHOLE)
        assert answer(client)[0] == 200
        client.sendall(sent)
        assert rest(client) == b""


@pytest.mark.usefixtures("impatient")
def test_endless_body(url):
    """The server does not wait for the body of a request that it has answered."""
    with connected(url) as client:
        client.sendall(request("/v2/", "Content-Length: 1000"))
        assert answer(client)[0] == 200
        client.sendall(b"x")
        assert rest(client) == b""


@pytest.mark.usefixtures("impatient")
def test_transfer_goes_on(url):
    """The deadline is for headers: it does not affect a slow download, or what follows."""
    with connected(url, 16 * 1024) as client:
        client.sendall(request(BLOB) + HALF)
        take(client, 1000)
        with connected(url) as other:
            assert rest(other) == b""  # the deadline has passed, and more than once for us
        with connected(url) as other:
            assert rest(other) == b""
        take(client, SIZE - 1000)


def test_patience(url):
    """Thirty seconds are more than any honest client needs; here it takes as long as it wants."""
    assert protocol.HEADER_SECONDS == 30
    with connected(url) as client:
        for byte in WHOLE:
            client.sendall(bytes([byte]))
        assert answer(client)[0] == 200


@pytest.mark.usefixtures("impatient")
def test_idle_between_requests(url):
    """Between requests the keep-alive time applies, which is longer."""
    with connected(url) as client:
        client.sendall(WHOLE)
        assert answer(client)[0] == 200
        with connected(url) as other:
            assert rest(other) == b""
        client.sendall(WHOLE)
        assert answer(client)[0] == 200


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /v2/ HTTP/1.1\r\nX-Long: ",
        b"GET /",
        b"\r\n",
        request("/v2/", "Transfer-Encoding: chunked") + b"0\r\nX-Trailer: ",
        request("/v2/", "Transfer-Encoding: chunked") + b"1;extension=",
    ],
    ids=["header", "path", "empty lines", "trailer", "chunk extension"],
)
def test_endless_headers(url, begin):
    """Incomplete requests are not collected without limit, whatever part of a request they are."""
    piece = (b"\r\n" if begin == b"\r\n" else b"xx") * 8192
    with connected(url) as client:
        client.sendall(begin)
        with pytest.raises(ConnectionError):
            client.sendall(piece * 1000)
    assert httpx.get(f"{url}/v2/").status_code == 200


def test_large_headers(url):
    """Headers within the limit are accepted in every request, and bodies are not included."""
    headers = ("X-Long: " + "x" * (protocol.MAX_HEADERS // 2), "Content-Length: 100000")
    with connected(url) as client:
        for _ in range(4):
            client.sendall(request("/v2/", *headers) + b"x" * 100_000)
            assert answer(client)[0] == 200


def test_requests_in_a_row(url):
    """They are answered in order, also if they arrive in one packet."""
    with connected(url) as client:
        client.sendall(WHOLE * protocol.MAX_WAITING)
        for _ in range(protocol.MAX_WAITING):
            assert answer(client)[0] == 200


def test_too_many_requests_in_a_row(url):
    """Each pending request costs memory.

    A client that sends without waiting for answers is cut off.
    """
    with connected(url) as client:
        client.sendall(WHOLE * (protocol.MAX_WAITING + 2))
        assert rest(client) == b""
    assert httpx.get(f"{url}/v2/").status_code == 200
