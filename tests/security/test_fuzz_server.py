"""Any request gets an answer other than 500, and any bytes leave the server working.

``scripts/fuzz`` tries more; see fuzzing.py.
"""

import asyncio
import json
import logging
import socket
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.fake_images import FakeImages, stored_image
from support.security.fuzzing import LARGE_INPUTS, sampled
from support.serving import ABOUT, LAYER, running

from nixery.errors import BuildFailed, Denied, TagUnknown
from nixery.http.app import create_app
from nixery.oci import Format, digest_of
from nixery.storage.memory import MemoryStorage

pytestmark = LARGE_INPUTS
STORAGE = MemoryStorage()
IMAGE = stored_image(STORAGE, LAYER)
MANIFEST, BLOB = IMAGE.manifests[Format.OCI].digest, digest_of(LAYER)
UNWELL = "a build log: \x1b[31m \ud800 \udcff \x00 \u2028 \r\n"
APP = create_app(
    images=FakeImages(
        {
            "hello": IMAGE,
            "failed": BuildFailed(UNWELL, log=[UNWELL]),
            "denied": Denied(UNWELL, cause=UNWELL),
            "unknown": TagUnknown(UNWELL),
        }
    ),
    storage=STORAGE,
    about=ABOUT,
)

METHODS = st.sampled_from(["GET"] * 6 + ["HEAD", "POST", "PUT", "OPTIONS", "DELETE", "X" * 300])
PARTS = (
    *("/", "v2", "/v2/", "hello", "failed", "denied", "unknown", "/manifests/", "/blobs/"),
    *(
        "latest",
        MANIFEST,
        BLOB,
        "/referrers/",
        "sha256:",
        "..",
        "%2e",
        "%2f",
        "%00",
        "%ff",
        "?",
        "#",
    ),
    *("/healthz", "/readyz", "/metrics", "/style.css", "/icon.svg", "a" * 300, "//", "_catalog"),
)
PATHS = st.one_of(
    st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=9).map("".join),
    st.sampled_from(["/v2/hello/manifests/latest", f"/v2/hello/blobs/{BLOB}"]),
    st.builds(
        "/v2/{}/{}/{}".format,
        st.sampled_from(["hello", "failed", "denied", "unknown", "new"]),
        st.sampled_from(["manifests", "blobs", "referrers"]),
        st.sampled_from(["latest", MANIFEST, BLOB]) | st.text(min_size=1, max_size=5),
    ),
)
LATIN = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20)


def header(*values):
    return st.sampled_from(values) | LATIN


TYPES = [form.value.manifest for form in Format]
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "accept": header(*TYPES, f"{TYPES[0]};q=0", "*/*", "text/html"),
        "range": header("bytes=0-9", "bytes=-1", "bytes=-0", "bytes=9999-", "bytes=0-1,3-4"),
        "if-range": header(f'"{BLOB}"', f'W/"{BLOB}"', "*"),
        "if-none-match": header(f'"{BLOB}"', f'W/"{MANIFEST}"', "*", '"'),
        "user-agent": header("x" * 3000, "\xff\x9b"),
        "x-request-id": header("x" * 3000, "\xff\x9b", "../x"),
        "host": header("", "["),
        "content-length": header("0", "-1", "9" * 30),
        "transfer-encoding": header("chunked"),
        "connection": header("close", "upgrade"),
        "upgrade": header("h2c", "websocket"),
        "expect": header("100-continue"),
    },
)


async def asked(method, path, headers):
    """Status, headers and body, as the application gives them to a server."""
    raw, _, query = path.encode(errors="surrogatepass").partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw.decode(errors="replace")),
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = []
    received = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return received.pop() if received else await asyncio.Future()

    async def send(message):
        sent.append(message)

    await APP(scope, receive, send)
    start, *bodies = sent
    return start["status"], start["headers"], b"".join(part.get("body", b"") for part in bodies)


@given(METHODS, PATHS, HEADERS)
@sampled(500)
@example("GET", "/v2/hello/blobs/" + BLOB, {"range": "bytes=9999-"})
@example("GET", "/v2/failed/manifests/latest", {})
def test_any_request_to_the_application(method, path, headers):
    status, answered, body = asyncio.run(asked(method, path, headers))
    assert 200 <= status < 500
    assert not any(set(b"\r\n\0") & set(name + value) for name, value in answered)
    if (
        status >= 400
        and method != "HEAD"
        and dict(answered)[b"content-type"] == b"application/json"
    ):
        for error in json.loads(body)["errors"]:
            assert error["code"]
            assert isinstance(error["message"], str)


class Faults(logging.Handler):
    """Errors that the server, or the event loop under it, logs."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.records = []

    def emit(self, record):
        self.records.append(record.getMessage())


@pytest.fixture(scope="module")
def server():
    """Its URL, and its errors."""
    faults = Faults()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(faults)
        logger.propagate = False  # a line for each broken request would hide what failed
    with running(APP) as url:
        yield url, faults
    for logger in loggers:
        logger.removeHandler(faults)
        logger.propagate = True


def written(path, *lines):
    return "\r\n".join([f"{path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


WHOLE = [
    written("GET /v2/"),
    written("HEAD /v2/hello/manifests/latest"),
    written(f"GET /v2/hello/blobs/{BLOB}", "Range: bytes=1-5"),
    written("PUT /v2/hello/blobs/uploads/", "Content-Length: 3") + b"abc",
    written("POST /v2/x", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    written("GET /v2/", "Connection: close"),
    written("GET /v2/", "Upgrade: websocket", "Connection: Upgrade"),
    b"GET /v2/\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
TOKENS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"GET ",
    b" HTTP/1.1",
    b"Content-Length: 5\r\n",
    b"0\r\n",
]
BYTES = st.lists(
    st.sampled_from(WHOLE)
    | st.sampled_from(TOKENS)
    | st.binary(max_size=20)
    | st.tuples(st.sampled_from(WHOLE), st.integers(1, 30)).map(lambda cut: cut[0][: cut[1]])
    | st.just(b"x" * 30_000),
    max_size=8,
)
ENDS = st.sampled_from(["half-close", "close", "reset"])


@given(pieces=BYTES, end=ENDS)
@sampled(100)
def test_any_bytes_on_a_socket(server, pieces, end):
    """Split and joined as they come; the next client is served, and the server reports no fault."""
    url, faults = server
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        received = b""
        with suppress(OSError):  # rubbish is answered by an end, too
            for piece in pieces:
                client.sendall(piece)
            if end == "half-close":
                client.shutdown(socket.SHUT_WR)
                while data := client.recv(1 << 16):
                    received += data
        assert b"HTTP/1.1 5" not in received
    assert httpx.get(f"{url}/v2/").content == b"{}"
    assert faults.records == []
