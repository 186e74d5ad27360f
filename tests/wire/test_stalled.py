"""Clients that read nothing of their answer any more: only they are disconnected."""

import threading

import pytest
from support.serving import running
from support.wire.one_blob import PATH, SIZE, SMALL_BUFFER, requests
from support.wire.opened import opened
from support.wire.raw_client import answer, connected, head, request, rest, take

from nixery.wire import protocol, sendfile, server
from nixery.wire.protocol import RegistryProtocol

MIB = 1 << 20


class Connections:
    """The server's, with checks of its clients that the test triggers."""

    def __init__(self):
        self.open = []

    def look(self):
        """All of them once; returns when that is done."""
        done = threading.Event()
        loop = self.open[0].loop

        def look():
            for connection in self.open:
                connection._next_look.cancel()
                connection._look()
            done.set()

        loop.call_soon_threadsafe(look)
        assert done.wait(10)


@pytest.fixture
def connections(monkeypatch):
    connections = Connections()

    class Known(RegistryProtocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            connections.open.append(self)

        def connection_lost(self, exc):
            connections.open.remove(self)
            super().connection_lost(exc)

    monkeypatch.setattr(server, "RegistryProtocol", Known)
    return connections


by_any_means = pytest.mark.parametrize(
    "is_available",
    [
        pytest.param(True, marks=pytest.mark.skipif(not sendfile.IS_AVAILABLE, reason="no Linux")),
        False,
    ],
    ids=["by the kernel", "in pieces"],
)


@by_any_means
def test_client_that_stops_reading(watched, connections, logs, monkeypatch, is_available):
    """The file is closed, and the log says aborted, not failed."""
    monkeypatch.setattr(sendfile, "IS_AVAILABLE", is_available)
    with running(watched) as url:
        before = opened()
        with connected(url, SMALL_BUFFER) as client:
            client.sendall(request(PATH))
            take(client, 1000)
            looks = 0
            while not watched.ended.acquire(timeout=0.05):
                connections.look()  # the first ones may see the server fill its buffers
                looks += 1
                assert looks < 100
            assert looks > 1
            assert len(rest(client)) < SIZE
        assert not opened() - before
    line = requests(logs)[0]
    assert (line["status"], line["aborted"]) == (200, True)


@by_any_means
@pytest.mark.usefixtures("logs")
def test_client_that_reads_slowly(watched, blob, connections, monkeypatch, is_available):
    """Has its time, however little it takes between two looks."""
    monkeypatch.setattr(sendfile, "IS_AVAILABLE", is_available)
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        received = bytearray()
        for _ in range(SIZE // MIB):
            received += take(client, MIB)  # far more than its own buffers held before
            connections.look()
        assert received + take(client, SIZE - len(received)) == blob


def test_client_that_waits(watched, connections):
    """Between two requests there is nothing to read; other limits apply there."""
    with running(watched) as url, connected(url) as client:
        for _ in range(2):
            client.sendall(request("/v2/"))
            assert answer(client)[0] == 200
            for _ in range(3):
                connections.look()


@pytest.mark.usefixtures("logs")
def test_time(watched, monkeypatch):
    """The looks come by themselves, and leave nginx's clients the time to empty its file."""
    assert (1 << 30) / protocol.STALLED_SECONDS < 300_000  # bytes a second
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.1)
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        take(client, 1000)
        assert watched.ended.acquire(timeout=10)
