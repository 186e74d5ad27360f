"""Sending a file: in pieces, to its end, and no further than the client stays."""

import os

import anyio
import anyio.lowlevel
import pytest

from nixery.http import files
from nixery.http.files import FileResponse
from nixery.http.ranges import Part

pytestmark = pytest.mark.anyio


@pytest.fixture
def opened(monkeypatch):
    """Descriptors that were opened; the test sees whether they are closed."""
    descriptors = []
    real = files._open

    def opening(path, size):
        descriptors.append(real(path, size))
        return descriptors[-1]

    monkeypatch.setattr(files, "_open", opening)
    return descriptors


def assert_closed(descriptors):
    assert descriptors
    for descriptor in descriptors:
        with pytest.raises(OSError):
            os.fstat(descriptor)


class Client:
    """The other end of ASGI: stays until it has seen so many messages."""

    def __init__(self, stays=10**6):
        self.stays = stays
        self.messages = []
        self.gone = anyio.Event()

    async def send(self, message):
        self.messages.append(message)
        if len(self.messages) >= self.stays:
            self.gone.set()
        await anyio.lowlevel.checkpoint()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)


async def test_pieces(tmp_path, monkeypatch, opened):
    """A file longer than a piece arrives whole, and its descriptor is closed."""
    monkeypatch.setattr(files, "PIECE", 10)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 3 + b"rest")
    client = Client()
    await FileResponse(path, 34, None, 200, {})({}, client.receive, client.send)
    assert client.body == path.read_bytes()
    assert [len(message["body"]) for message in client.messages[1:]] == [10, 10, 10, 4, 0]
    assert client.messages[-1]["more_body"] is False
    assert_closed(opened)


async def test_part(tmp_path, monkeypatch, opened):
    """A part ends where it should, also within a piece."""
    monkeypatch.setattr(files, "PIECE", 4)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    client = Client()
    await FileResponse(path, 10, Part(1, 8), 206, {})({}, client.receive, client.send)
    assert client.body == b"1234567"
    assert (b"content-length", b"7") in client.messages[0]["headers"]
    assert_closed(opened)


async def test_client_that_leaves(tmp_path, monkeypatch, opened):
    """A gigabyte is not read for nobody."""
    monkeypatch.setattr(files, "PIECE", 1)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    client = Client(stays=3)
    await FileResponse(path, 1000, None, 200, {})({}, client.receive, client.send)
    assert 3 <= len(client.messages) < 10
    assert_closed(opened)


async def test_file_that_shrinks(tmp_path, monkeypatch, opened):
    """Half a blob ends in an error, which breaks the connection, and never in a whole response."""
    monkeypatch.setattr(files, "PIECE", 4)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    client = Client()

    async def send(message):
        await client.send(message)
        os.truncate(path, 6)

    with pytest.RaisesGroup(EOFError):
        await FileResponse(path, 10, None, 200, {})({}, client.receive, send)
    assert all(message.get("more_body", True) for message in client.messages)
    assert_closed(opened)
