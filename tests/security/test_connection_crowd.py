"""Clients that take all the connections there are, from a server with the usual limit of 1,024."""

import hashlib
import json
import os
import resource
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from support.served import serve

pytestmark = pytest.mark.nix

LIMIT = 1024
CROWD = 1100
SIZE = 8 << 20
"""Bytes of a blob that no socket's buffers hold."""


@pytest.fixture(autouse=True)
def _many_files():
    """For this side of the connections."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def start(tmp_path, tiny, nix_environment):
    """A server with this many descriptors, and a large blob in its storage."""
    directory = tmp_path / "served"
    data = os.urandom(SIZE)
    blob = directory / "storage/layers" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)

    def start(limit):
        command = ["prlimit", f"--nofile={limit}:{limit}", "nixery", "serve"]
        return serve(nix_environment, directory, command, NIXERY_PKGS_PATH=str(tiny))

    start.blob = f"/v2/hello/blobs/sha256:{blob.name}"
    return start


class Crowd(ExitStack):
    """Connections to one server, closed at the end."""

    def __init__(self, served):
        super().__init__()
        self._address = urlsplit(served.url)

    def connect(self, sent, buffer=None):
        client = self.enter_context(socket.socket())
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(60)
        client.connect((self._address.hostname, self._address.port))
        client.sendall(sent)
        return client


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: registry.test\r\n\r\n".encode()


def rest(client):
    """All bytes until the server closes the connection, or breaks it off."""
    received = bytearray()
    try:
        while piece := client.recv(1 << 20):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def take_body(client):
    """The number of bytes of a body that arrived."""
    received = bytearray()
    while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < SIZE:
        piece = client.recv(1 << 20)
        assert piece, f"the connection ended after {len(received)} bytes"
        received += piece
    return len(received.partition(b"\r\n\r\n")[2])


def warnings(served):
    return [event for event in served.events() if event["level"] not in ("info", "debug")]


def test_half_requests(start):
    """The oldest are closed; new requests are answered; transfers continue."""
    with start(LIMIT) as served, Crowd(served) as crowd:
        digest = served.digest("hello")
        slow = crowd.connect(request(start.blob), buffer=64 << 10)
        assert slow.recv(1) == b"H"
        silent = [crowd.connect(b"GET /v2/ HTTP/1.1\r\nX-Slow: ") for _ in range(CROWD)]
        manifest = served.manifest("hello")
        assert manifest.headers["Docker-Content-Digest"] == digest
        for layer in json.loads(manifest.content)["layers"]:
            blob = served.get(f"/v2/hello/blobs/{layer['digest']}")
            assert (blob.status_code, len(blob.content)) == (200, layer["size"])
        assert rest(silent[0]) == b""
        silent[-1].sendall(b"1\r\n\r\n")
        silent[-1].sendall(request("/v2/"))
        assert silent[-1].recv(12) == b"HTTP/1.1 200"
        assert take_body(slow) == SIZE
        assert "Traceback" not in served.log.read_text()
        assert {event["event"] for event in warnings(served)} == {"too many connections"}
        assert len(warnings(served)) <= 2


def test_half_downloads(start):
    """Clients that read nothing keep their transfers; others are told to retry."""
    limit = 256
    with start(limit) as served, Crowd(served) as crowd:
        assert served.get(start.blob).status_code == 200  # hashed
        clients = [crowd.connect(request(start.blob), buffer=64 << 10) for _ in range(limit)]
        begun = []
        refused = 0
        for client in clients:
            try:
                status = client.recv(12)
            except ConnectionResetError:
                status = b""
            if status == b"HTTP/1.1 200":
                begun.append(client)
            else:
                assert status in (b"HTTP/1.1 429", b"")
                refused += 1
        assert len(begun) >= limit // 6
        assert refused
        assert {take_body(client) for client in begun} == {SIZE}
        assert served.get(start.blob).status_code == 200
        assert "Traceback" not in served.log.read_text()
