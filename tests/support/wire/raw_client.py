"""Requests byte by byte, for what a well-behaved client library cannot do."""

import socket
from contextlib import contextmanager, suppress
from email.parser import BytesHeaderParser
from urllib.parse import urlsplit


@contextmanager
def connected(url, receive_buffer=None):
    """A connection. With a small ``receive_buffer``, in bytes, a client holds the server up."""
    parts = urlsplit(url)
    with socket.socket() as client:
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(10)
        client.connect((parts.hostname, parts.port))
        yield client


def request(path, *headers, method="GET", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: registry.test", *headers, "", ""]
    return "\r\n".join(lines).encode()


def answer(client, *, has_body=True):
    """Status, headers and body of the next response; nothing behind it is read."""
    status, headers = head(client)
    length = int(headers["content-length"]) if has_body else 0
    return status, headers, take(client, length)


def head(client):
    """Status and headers of the next response."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"the connection ended after {received!r}"
        received += byte
    line, _, lines = received.partition(b"\r\n")
    assert line.startswith(b"HTTP/1."), f"{line!r} came before the response"
    return int(line.split()[1]), BytesHeaderParser().parsebytes(lines)


def take(client, count):
    """Reads this many bytes."""
    received = bytearray()
    while len(received) < count:
        piece = client.recv(min(1 << 20, count - len(received)))
        assert piece, f"the connection ended after {len(received)} of {count} bytes"
        received += piece
    return bytes(received)


def rest(client):
    """All bytes up to the end of the connection, also if it is aborted."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while piece := client.recv(1 << 20):
            received += piece
    return bytes(received)
