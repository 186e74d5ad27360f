"""What becomes of a file on its way to a client when something happens meanwhile."""

import logging
import os
import threading

import httpx
import pytest
from support.serving import running
from support.wire.one_blob import PATH, SIZE, SMALL_BUFFER, registry, requests
from support.wire.opened import opened
from support.wire.raw_client import answer, connected, head, request, rest, take

from nixery.wire import sendfile
from nixery.wire.server import Server

pytestmark = pytest.mark.skipif(not sendfile.IS_AVAILABLE, reason="sendfile as on Linux")


@pytest.mark.parametrize("further", [0, 2], ids=["alone", "pipelined"])
def test_client_that_leaves(watched, logs, further):
    """The file is closed, no work continues, and the log says aborted, not failed."""
    with running(watched) as url:
        httpx.get(url + PATH)
        assert watched.ended.acquire(timeout=10)
        with connected(url) as other:  # keeps the size of the buffers the same, before and after
            other.sendall(request("/v2/"))
            assert answer(other)[0] == 200
            assert watched.ended.acquire(timeout=10)
            before = opened()
            with connected(url, SMALL_BUFFER) as client:
                client.sendall(request(PATH) * (1 + further))
                take(client, 1000)
            assert watched.ended.acquire(timeout=10)
            other.sendall(request("/v2/"))
            assert answer(other)[0] == 200
            assert not opened() - before
    line = requests(logs)[2]
    assert (line["status"], line["aborted"]) == (200, True)
    assert line["bytes"] < SIZE
    assert len(requests(logs)) == 4


def test_rubbish_during_a_transfer(watched, caplog):
    """Ends the connection, and with it the transfer: asyncio's own sendfile would hang."""
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        take(client, 1000)
        client.sendall(b"\x00\x01 no request\r\n\r\n")
        assert watched.ended.acquire(timeout=10)  # closed by the server: the buffers stay full
        received = rest(client)
        assert len(received) < SIZE // 2
        assert b"400 Bad Request" not in received
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == [
        "WARNING"
    ]


def test_file_that_shrinks(tmp_path, blob, caplog):
    """A broken connection, and an error in the log: the disk is damaged."""
    (tmp_path / "blob").write_bytes(blob)
    watched = registry(tmp_path / "blob")
    with running(watched) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        start = take(client, 1000)
        os.truncate(tmp_path / "blob", SIZE - 1_000_000)
        received = start + rest(client)
        assert b"200 OK" in start
        assert len(received) < SIZE
        assert watched.ended.acquire(timeout=10)
    assert "bytes early" in caplog.text


def test_shutdown(watched, blob, logs):
    """Graceful shutdown finishes running transfers."""
    servers, stopping = [], threading.Event()

    class Stopping(Server):
        async def startup(self, sockets=None):
            servers.append(self)
            await super().startup(sockets)

        async def shutdown(self, sockets=None):
            stopping.set()
            await super().shutdown(sockets)

    with running(watched, Stopping) as url, connected(url, SMALL_BUFFER) as client:
        client.sendall(request(PATH))
        head(client)
        start = take(client, 1000)
        servers[0].should_exit = True
        assert stopping.wait(10)
        assert start + rest(client) == blob
    assert requests(logs)[0]["bytes"] == SIZE
