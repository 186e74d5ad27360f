"""A registry in this process, and one under a real server on a free port."""

import threading
from contextlib import contextmanager

import httpx
import pytest
from fake_images import FakeImages, stored_image

from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.http.server import Server, listen
from nixery.storage.filesystem import FilesystemStorage
from nixery.storage.memory import MemoryStorage

LAYER = bytes(range(256)) * 4
"""The one layer of the image that all tests know: 1024 bytes that tell their places."""
ABOUT = About(source="https://packages.test/set")


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def image(storage):
    return stored_image(storage, LAYER)


@pytest.fixture
def images(image):
    return FakeImages({"hello": image})


@pytest.fixture
def client_of():
    """A client of an application in this process, through ASGI."""

    def make(app):
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://registry.test"
        )

    return make


@pytest.fixture
async def client(storage, images, client_of):
    app = create_app(images=images, storage=storage, about=ABOUT)
    async with client_of(app) as client:
        yield client


@contextmanager
def running(app, server_class=Server):
    """The URL of the application under uvicorn on a free port of this machine."""
    started = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        server = server_class(app, on_start=lambda _url: started.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert started.wait(10)
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def live_image(tmp_path_factory):
    """A storage in a directory, and the image in it."""
    storage = FilesystemStorage(tmp_path_factory.mktemp("registry"))
    return storage, stored_image(storage, LAYER)


@pytest.fixture(scope="session")
def live(live_image):
    """A client of a registry that a real server serves from a directory."""
    storage, image = live_image
    images = FakeImages({"hello": image, "a/manifests/b": image})
    app = create_app(images=images, storage=storage, about=ABOUT)
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client
