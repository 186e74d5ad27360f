"""A registry in this process, and one under a real server on a free port."""

import httpx
import pytest
from support.fake_images import FakeImages, stored_image
from support.serving import ABOUT, LAYER, running

from nixery.http.app import create_app
from nixery.storage.filesystem import FilesystemStorage


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


@pytest.fixture(scope="session")
def live_image(tmp_path_factory):
    """A storage in a directory, with the image."""
    storage = FilesystemStorage(tmp_path_factory.mktemp("registry"))
    return storage, stored_image(storage, LAYER)


@pytest.fixture(scope="session")
def live(live_image):
    """A client of a real server with that storage."""
    storage, image = live_image
    images = FakeImages({"hello": image, "a/manifests/b": image})
    app = create_app(images=images, storage=storage, about=ABOUT)
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client
