"""Records of the images that were built."""

import pytest
from structlog.testing import capture_logs
from support.tables.tools import asked, path

from nixery.closure import Closure, PathInfo
from nixery.errors import StorageFull
from nixery.last_pulled import mark_key
from nixery.learning import requested_images as module
from nixery.learning.requested_images import RequestedImages
from nixery.tables.request_record import RequestRecord, decode, encode

DIGEST = "sha256:" + "1" * 64


def at_once(work):
    work()


def latest(images, *count):
    return [decode(record)[0] for record in images.latest(*count)]


@pytest.fixture
def images(storage):
    return RequestedImages(storage, at_once)


def test_the_latest_come_oldest_first(images, clock):
    for name in ("git", "curl", "python3"):
        images.note(name, asked(name), [])
        clock.forward(1)
    assert latest(images) == [asked("git"), asked("curl"), asked("python3")]


def test_an_image_made_again_is_one_image_and_the_latest(images, clock):
    for name in ("git", "curl", "git"):
        images.note(name, asked(name), [])
        clock.forward(1)
    assert latest(images) == [asked("curl"), asked("git")]


def test_a_pull_from_the_caches_updates_the_time_without_a_record(images, storage, clock):
    """Its mark, which gc uses, has the time."""
    images.note("git", asked("git"), ["sha256:" + "2" * 64, DIGEST])
    clock.forward(1)
    images.note("curl", asked("curl"), [])
    clock.forward(1)
    storage.write(mark_key(DIGEST), b"today")
    assert latest(images) == [asked("curl"), asked("git")]


def test_older_ones_go(images, storage, clock):
    for name in ("git", "curl", "python3"):
        images.note(name, asked(name), [])
        clock.forward(1)
    assert latest(images, 2) == [asked("curl"), asked("python3")]
    assert {stat.key for stat in storage.list("asked/")} == {"asked/curl", "asked/python3"}


@pytest.mark.parametrize(
    "record",
    [
        b"{",
        encode(asked("git")).replace(b'"format":1', b'"format":\n1'),
        encode(asked("git")).replace(b"-git-", b"-\\ud800-"),
        encode(asked("git")).replace(b",30,", b",1" + b"0" * 400 + b","),
    ],
    ids=["no JSON", "two lines", "half a character", "a size without end"],
)
def test_unreadable_records_are_removed(images, storage, record):
    storage.write("asked/x", record)
    assert images.latest() == []
    assert not list(storage.list("asked/"))


def test_records_are_bounded(images, storage, monkeypatch):
    monkeypatch.setattr(module, "MAX_REQUEST_RECORD", 100)
    images.note("git", asked("git"), [])
    assert not list(storage.list("asked/"))


def test_a_slow_storage_gathers_no_crowd(storage, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING_RECORDS", 2)
    waiting = []
    images = RequestedImages(storage, waiting.append)
    for name in ("a", "b", "c"):
        images.note(name, asked("git"), [])
    assert len(waiting) == 2
    for work in waiting:
        work()
    images.note("d", asked("git"), [])
    assert len(waiting) == 3


@pytest.mark.parametrize("error", [StorageFull("full"), OSError("no")])
def test_a_record_that_cannot_be_stored_is_not_an_error(images, storage, monkeypatch, error):
    def write(*_):
        raise error

    monkeypatch.setattr(storage, "write", write)
    with capture_logs() as logs:
        images.note("git", asked("git"), [])
    assert [entry["event"] for entry in logs] == ["requested image is not recorded"]


def test_nor_is_a_graph_with_holes(images):
    hole = Closure((PathInfo(path("git"), 1, (path("glibc"),)),))
    with capture_logs() as logs:
        images.note("git", RequestRecord((path("git"),), hole), [])
    assert len(logs) == 1


def test_a_server_that_ends_records_nothing_more(storage):
    def ended(_):
        raise RuntimeError("cannot schedule new futures after shutdown")

    RequestedImages(storage, ended).note("git", asked("git"), [])
