"""Sending chunks: all of them, but only while the client stays."""

import threading

import anyio
import anyio.lowlevel
import pytest

from nixery.errors import StorageUnavailable
from nixery.http.leaving import ClientLeft
from nixery.http.streams import StreamResponse

pytestmark = pytest.mark.anyio


class Source:
    """Yields chunks, and records which were read, where, and whether it was closed."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.taken = []
        self.threads = set()
        self.closed = False

    def __iter__(self):
        try:
            for piece in self.pieces:
                self.threads.add(threading.current_thread())
                if isinstance(piece, Exception):
                    raise piece
                self.taken.append(piece)
                yield piece
        finally:
            self.closed = True


class Client:
    """The other end of ASGI: stays until this many messages were sent."""

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

    @property
    def is_complete(self):
        return self.messages[-1].get("more_body") is False


async def respond(source, length, client):
    pieces = iter(source)  # held until the end: only an explicit close should matter
    response = StreamResponse(pieces, length, 206, {"X-Header": "value"})
    try:
        await response({}, client.receive, client.send)
    finally:
        assert source.closed
        del pieces


@pytest.mark.parametrize("pieces", [(), (b"one",), (b"one", b"two", b"x")], ids=len)
async def test_all(pieces):
    """Every piece, with the headers and the length, from threads that may block."""
    source, client = Source(*pieces), Client()
    await respond(source, len(b"".join(pieces)), client)
    assert client.body == b"".join(pieces)
    assert client.is_complete
    assert client.messages[0]["status"] == 206
    assert (b"x-header", b"value") in client.messages[0]["headers"]
    length = str(len(client.body)).encode()
    assert (b"content-length", length) in client.messages[0]["headers"]
    assert source.closed
    assert threading.main_thread() not in source.threads


async def test_client_that_leaves():
    """A gigabyte is not read for a client that has left."""
    source, client = Source(*[b"x"] * 1000), Client(stays=3)
    with pytest.raises(ClientLeft):
        await respond(source, 1000, client)
    assert 2 <= len(source.taken) < 10
    assert source.closed


async def test_error_before_the_first_piece():
    """Is an error like any other: no header has gone out."""
    source, client = Source(StorageUnavailable("the bucket does not answer")), Client()
    with pytest.raises(StorageUnavailable):
        await respond(source, 3, client)
    assert client.messages == []


async def test_error_later():
    """It breaks off: a client must not take the part for the whole."""
    source, client = Source(b"one", StorageUnavailable("gone")), Client()
    with pytest.raises(StorageUnavailable):
        await respond(source, 6, client)
    assert not client.is_complete
    assert source.closed


async def test_missing_bytes():
    """A source that ends early is an error too."""
    client = Client()
    with pytest.raises(EOFError):
        await respond(Source(b"one"), 4, client)
    assert not client.is_complete


async def test_iterator_without_close():
    """Not every iterator is a generator."""
    client = Client()
    response = StreamResponse(iter([b"a", b"b"]), 2, 200, {})
    await response({}, client.receive, client.send)
    assert client.body == b"ab"
