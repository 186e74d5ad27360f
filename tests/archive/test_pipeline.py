"""Blocks in the pipeline: kept in order, and returned after errors too."""

import threading
from contextlib import closing, nullcontext

import pytest

from nixery.archive.pipeline import Pipeline
from nixery.archive.workers import Workers
from nixery.oci import digest_of

SIZE = 100


class Recording:
    """A staged upload that keeps the written bytes, and fails at a given write."""

    def __init__(self, fails_at=None):
        self.written = []
        self._fails_at = fails_at

    def write(self, data):
        if len(self.written) == self._fails_at:
            raise OSError("no more")
        self.written.append(bytes(data))


class Marking:
    """A compression that makes ``<first byte>``."""

    kind = key = "marking"
    block = SIZE

    def compress(self, block):
        return bytes([block[0]])


class LastFirst:
    """A compression that finishes the first block only after it has begun another."""

    kind = key = "last first"
    block = SIZE

    def __init__(self):
        self._another = threading.Event()

    def compress(self, block):
        if block[0] == 0:
            assert self._another.wait(10)
        else:
            self._another.set()
        return bytes([block[0]])


class Failing:
    kind = key = "failing"
    block = SIZE

    def compress(self, block):
        raise ArithmeticError(f"cannot compress {len(block)} bytes")


def push(pipeline, count):
    block = pipeline.block
    for number in range(count):
        block[0] = number
        block = pipeline.exchange(block, number + 1)


def borrow_all(workers):
    """The blocks that the workers have to lend, by identity."""
    blocks = list(iter(lambda: workers.borrow(SIZE), None))
    assert len({id(block) for block in blocks}) == len(blocks)
    return blocks


@pytest.mark.parametrize("count", [1, 2, 3])
def test_members_are_written_in_order(count):
    staging = Recording()
    with Workers(count) as workers, closing(Pipeline(staging, Marking(), workers)) as pipeline:
        push(pipeline, 40)
        pipeline.finish()
    assert staging.written == [bytes([number]) for number in range(40)]


def test_a_block_that_takes_long_does_not_let_others_overtake():
    staging = Recording()
    with Workers(2) as workers, closing(Pipeline(staging, LastFirst(), workers)) as pipeline:
        push(pipeline, 10)
        pipeline.finish()
    assert staging.written == [bytes([number]) for number in range(10)]


def test_the_digest_is_that_of_the_stream():
    with closing(Pipeline(Recording(), Marking(), None)) as pipeline:
        push(pipeline, 2)
        assert pipeline.finish() == digest_of(b"\0" + b"\1\0")


def test_without_workers_the_caller_compresses():
    staging = Recording()
    with closing(Pipeline(staging, Marking(), None)) as pipeline:
        push(pipeline, 3)
        pipeline.finish()
    assert staging.written == [b"\0", b"\1", b"\2"]


def test_memory_is_bounded_by_the_workers():
    """A pipeline has one block, and at most those that the workers lend."""
    seen = set()
    with Workers(2) as workers, closing(Pipeline(Recording(), Marking(), workers)) as pipeline:
        block = pipeline.block
        for _ in range(100):
            seen.add(id(block))
            block = pipeline.exchange(block, 1)
        pipeline.finish()
    assert len(seen) <= 5


@pytest.mark.parametrize(
    ("staging", "compression", "error"),
    [
        (Recording(), Marking(), None),
        (Recording(fails_at=0), Marking(), OSError),
        (Recording(fails_at=7), Marking(), OSError),
        (Recording(), Failing(), ArithmeticError),
        (Recording(fails_at=0), LastFirst(), OSError),
    ],
    ids=[
        "success",
        "the first write fails",
        "a later write fails",
        "compression fails",
        "writing fails while several are pending",
    ],
)
def test_every_borrowed_block_is_given_back_once(staging, compression, error):
    with Workers(2) as workers:
        with (
            pytest.raises(error) if error else nullcontext(),
            closing(Pipeline(staging, compression, workers)) as pipeline,
        ):
            push(pipeline, 20)
            pipeline.finish()
        assert len(borrow_all(workers)) == 4


def test_an_abandoned_pipeline_gives_its_blocks_back():
    """As when a file cannot be read: finish is not called."""
    with Workers(2) as workers:
        with closing(Pipeline(Recording(), Marking(), workers)) as pipeline:
            push(pipeline, 3)
        assert len(borrow_all(workers)) == 4


def test_no_block_is_given_back_while_it_is_compressed(monkeypatch):
    """Another layer would write into it."""
    begun, given_back, early = threading.Event(), threading.Event(), []

    class Slow(Marking):
        def compress(self, block):
            if block[0] == 0:  # the pipeline's own, which is not free before another is borrowed
                assert begun.wait(10)
            else:
                begun.set()
                early.append(given_back.wait(0.2))
            return super().compress(block)

    with Workers(2) as workers:
        give_back = workers.give_back

        def watched(block):
            if block[0] == 1:
                given_back.set()
            give_back(block)

        monkeypatch.setattr(workers, "give_back", watched)
        with closing(Pipeline(Recording(), Slow(), workers)) as pipeline:
            push(pipeline, 2)
            assert begun.wait(10)
        assert given_back.is_set()
    assert early == [False]
