"""Clients that leave while something is made for them."""

import logging
import socket
import threading

import anyio
import anyio.lowlevel
import httpx
import pytest
from structlog.testing import capture_logs
from support.serving import ABOUT, running

from nixery.concurrency.single_flight import SingleFlight
from nixery.errors import PackageNotFound
from nixery.http.app import create_app
from nixery.http.leaving import ClientLeft, while_connected
from nixery.storage.memory import MemoryStorage


class Client:
    """The receiving side of ASGI: an empty body, then silence until the client leaves."""

    def __init__(self):
        self.messages = ["http.request"]
        self.left = anyio.Event()

    async def receive(self):
        if self.messages:
            return {"type": self.messages.pop()}
        await self.left.wait()
        return {"type": "http.disconnect"}


@pytest.mark.anyio
async def test_result():
    """A client that stays gets the result."""

    async def work():
        await anyio.lowlevel.checkpoint()
        return "image"

    assert await while_connected(Client().receive, work) == "image"


@pytest.mark.anyio
async def test_error():
    """It is raised as itself: its readers do not handle exception groups."""

    async def work():
        raise PackageNotFound("gti")

    with pytest.raises(PackageNotFound):
        await while_connected(Client().receive, work)


@pytest.mark.anyio
async def test_client_leaves():
    """The work is cancelled."""
    client, cancelled = Client(), []

    async def work():
        client.left.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(True)

    with pytest.raises(ClientLeft):
        await while_connected(client.receive, work)
    assert cancelled


class Preparing:
    """Builds images without end; shared by all callers, as in the builder."""

    def __init__(self):
        self.flights = SingleFlight()
        self.started, self.dropped = threading.Event(), threading.Event()

    async def image(self, name, tag):
        return await self.flights.run((name, tag), lambda _flight: self.work())

    async def work(self):
        self.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.dropped.set()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_socket_closed_while_an_image_is_prepared(method, caplog):
    """Work that only this client waited for is cancelled, and is not an error."""
    images = Preparing()
    app = create_app(images=images, storage=MemoryStorage(), about=ABOUT)
    with capture_logs() as lines, caplog.at_level(logging.INFO), running(app) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port), timeout=10) as client:
            client.sendall(
                f"{method} /v2/hello/manifests/latest HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            assert images.started.wait(10)
            assert not images.dropped.is_set()
        assert images.dropped.wait(10)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["status"], line["aborted"], line["bytes"]) == (499, True, 0)
    assert {line["log_level"] for line in lines} == {"info"}
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_others_still_wait():
    """One of two clients leaves: the work continues for the other."""
    images = Preparing()
    joined = threading.Event()

    async def image(name, tag, inner=images.image):
        if images.started.is_set():
            joined.set()
        return await inner(name, tag)

    images.image = image
    app = create_app(images=images, storage=MemoryStorage(), about=ABOUT)
    with running(app) as url:
        address = httpx.URL(url)
        request = b"GET /v2/hello/manifests/latest HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection((address.host, address.port), timeout=10) as one:
            one.sendall(request)
            assert images.started.wait(10)
            with socket.create_connection((address.host, address.port), timeout=10) as other:
                other.sendall(request)
                assert joined.wait(10)
            assert httpx.get(f"{url}/v2/").status_code == 200  # the server has seen the close
            assert not images.dropped.is_set()
        assert images.dropped.wait(10)
