"""A registry in this process, and one under a real server on a free port."""

import logging
import os

import httpx
import pytest
from structlog.testing import capture_logs
from support.fake_images import FakeImages, stored_image
from support.http.one_blob import SIZE, registry
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


@pytest.fixture(scope="session")
def blob_file(tmp_path_factory):
    """The file of the only blob; ``blob`` is its content, ``watched`` its registry."""
    path = tmp_path_factory.mktemp("blobs") / "blob"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture(scope="session")
def blob(blob_file):
    return blob_file.read_bytes()


@pytest.fixture
def watched(blob_file):
    return registry(blob_file)


@pytest.fixture
def logs(caplog):
    """Log lines; an error, or a warning of uvicorn, fails the test."""
    with capture_logs() as lines, caplog.at_level(logging.INFO):
        yield lines
    assert {line["log_level"] for line in lines} <= {"info"}
    records = caplog.get_records("call")
    assert [record for record in records if record.levelno > logging.INFO] == []
