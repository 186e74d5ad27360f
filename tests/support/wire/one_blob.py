"""A registry with one blob, in a file, and an application around it that records what was sent."""

import threading

from nixery.http.app import create_app
from nixery.storage import LocalFile
from nixery.storage.memory import MemoryStorage
from support.fake_images import FakeImages
from support.serving import ABOUT

SIZE = 24 * 1024 * 1024 + 1
"""Bytes; more than the buffers of a connection hold, and more than is sent at once."""
PATH = f"/v2/hello/blobs/sha256:{'0' * 64}"
SMALL_BUFFER = 16 * 1024


class OneFile(MemoryStorage):
    """Every blob is this file."""

    def __init__(self, path):
        super().__init__()
        self.location = LocalFile(path, path.stat().st_size)

    def locate(self, _digest):
        return self.location


class Watched:
    """An application around the registry that knows how each response was sent, and its end."""

    def __init__(self, app):
        self.app = app
        self.sent = []
        self.ended = threading.Semaphore(0)

    async def __call__(self, scope, receive, send):
        async def watched(message):
            await send(message)
            self.sent.append(message["type"])

        try:
            await self.app(scope, receive, watched)
        finally:
            if scope["type"] == "http":
                self.ended.release()


def registry(path):
    return Watched(create_app(images=FakeImages({}), storage=OneFile(path), about=ABOUT))


def requests(logs):
    return [line for line in logs if line["event"] == "request"]
