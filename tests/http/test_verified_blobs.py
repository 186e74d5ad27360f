"""Blobs that this process has not read yet, from a directory behind a real server."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.fake_images import FakeImages
from support.serving import ABOUT, running
from support.wire.raw_client import connected, request

from nixery.http.app import create_app
from nixery.oci import digest_of
from nixery.storage import layer_key, put
from nixery.storage.filesystem import FilesystemStorage
from nixery.verified_blobs import MAX_HASHED_AT_ONCE

CLIENTS = 60
"""More than anyio has worker threads."""


class Held(FilesystemStorage):
    """Records the hashed blobs, and how many at the same time; blocks until ``go_on``."""

    def __init__(self, directory):
        super().__init__(directory)
        self.hashed = Counter()
        self.at_once = self.most = 0
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self._lock = threading.Lock()

    def verify(self, digest):
        with self._lock:
            self.hashed[digest] += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.begun.release()
        assert self.go_on.wait(30)
        with self._lock:
            self.at_once -= 1
        return super().verify(digest)


@pytest.fixture
def held(tmp_path):
    storage = Held(tmp_path / "storage")
    yield storage
    storage.go_on.set()


@pytest.fixture
def url(held):
    with running(create_app(images=FakeImages({}), storage=held, about=ABOUT)) as url:
        yield url
        held.go_on.set()


def written_before(storage, *contents):
    """As by another process; returns the paths of their blobs."""
    other = FilesystemStorage(storage._directory)
    return [path_of(put(other, content).digest) for content in contents]


def path_of(digest):
    return f"/v2/hello/blobs/{digest}"


def test_head_reads_nothing(held, url):
    """Its size is in the directory."""
    (path,) = written_before(held, b"data")
    for _ in range(2):
        answer = httpx.head(url + path)
        assert (answer.status_code, answer.headers["content-length"]) == (200, "4")
    assert httpx.head(url + path_of(digest_of(b"none"))).status_code == 404
    assert not held.hashed


def test_all_wait_for_one_hashing(held, url):
    (path,) = written_before(held, b"data")
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(httpx.get, url + path) for _ in range(CLIENTS)]
        assert held.begun.acquire(timeout=10)
        held.go_on.set()
        assert {answer.result().content for answer in answers} == {b"data"}
    assert set(held.hashed.values()) == {1}


def test_verified_blobs_never_wait(held, url):
    """However many others are to be hashed, few are at a time, and no other pull pays for them."""
    ready = path_of(put(held, b"ready").digest)
    paths = written_before(held, *(b"%d" % number for number in range(CLIENTS)))
    with ThreadPoolExecutor(CLIENTS) as clients:
        waiting = [clients.submit(httpx.get, url + path) for path in paths]
        assert held.begun.acquire(timeout=10)
        assert httpx.get(url + ready).content == b"ready"
        assert httpx.head(url + paths[0]).status_code == 200
        held.go_on.set()
        assert {answer.result().status_code for answer in waiting} == {200}
    assert held.most <= MAX_HASHED_AT_ONCE
    assert len(held.hashed) == CLIENTS


def test_a_client_that_leaves(held, url):
    """The others get the result of the task that was begun for it."""
    (path,) = written_before(held, b"data")
    with connected(url) as leaver:
        leaver.sendall(request(path))
        assert held.begun.acquire(timeout=10)
    held.go_on.set()
    assert httpx.get(url + path).content == b"data"
    assert set(held.hashed.values()) == {1}


def test_found_damaged(held, url):
    """By one GET: from then on HEAD knows it as well."""
    (path,) = written_before(held, b"data")
    digest = digest_of(b"data")
    (held._directory / layer_key(digest)).write_bytes(b"DATA")
    held.go_on.set()
    assert [httpx.get(url + path).status_code, httpx.head(url + path).status_code] == [404, 404]
