"""Marks of pulls: one per day, in the background; a failing mark fails no pull."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.clock import Clock

from nixery.errors import StorageFull
from nixery.human_units import DAY
from nixery.last_pulled import PullMarks, mark_key
from nixery.oci import Digest
from nixery.storage.memory import MemoryStorage

DIGEST = Digest("sha256:" + "a" * 64)
OTHER = Digest("sha256:" + "b" * 64)
MIDNIGHT = 20_000 * DAY


@pytest.fixture
def clock():
    return Clock(now=MIDNIGHT + 60)


@pytest.fixture
def storage(clock):
    return MemoryStorage(clock)


@pytest.fixture
def marks(storage, clock):
    return PullMarks(storage, clock, lambda work, *arguments: work(*arguments))


def test_a_pull_is_marked_with_its_day(marks, storage, clock):
    marks.note(DIGEST)
    found = storage.read(mark_key(DIGEST))
    assert found.data == b"2024-10-04\n"
    assert found.stat.modified == clock()


def test_it_is_marked_once_a_day(marks, storage, clock):
    marks.note(DIGEST)
    first = storage.stat(mark_key(DIGEST))
    clock.forward(DAY - 61)
    marks.note(DIGEST)
    assert storage.stat(mark_key(DIGEST)) == first
    clock.forward(1)
    marks.note(DIGEST)
    assert storage.stat(mark_key(DIGEST)) != first
    assert storage.read(mark_key(DIGEST)).data == b"2024-10-05\n"


def test_every_image_has_its_own_mark(marks, storage):
    marks.note(DIGEST)
    marks.note(OTHER)
    assert {stat.key for stat in storage.list("pulled/")} == {mark_key(DIGEST), mark_key(OTHER)}


def test_nothing_is_written_before_the_background_comes_to_it(storage, clock):
    waiting = []
    PullMarks(storage, clock, lambda *work: waiting.append(work)).note(DIGEST)
    assert not storage.objects
    [(work, *arguments)] = waiting
    work(*arguments)
    assert storage.stat(mark_key(DIGEST))


@pytest.mark.parametrize("error", [StorageFull("full"), OSError(5, "I/O error")])
def test_what_cannot_be_written_is_tried_again(marks, storage, monkeypatch, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(storage, "write", fail)
        marks.note(DIGEST)
    marks.note(DIGEST)
    assert storage.stat(mark_key(DIGEST))


def test_a_server_that_ends_marks_nothing_and_fails_nothing(storage, clock):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    PullMarks(storage, clock, executor.submit).note(DIGEST)
    assert not storage.objects
