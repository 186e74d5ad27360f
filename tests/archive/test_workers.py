"""Threads that are shared, and the blocks that they lend."""

import threading

from nixery.archive.workers import Workers


def test_a_block_has_the_requested_size():
    """Also where those given back are larger or smaller."""
    with Workers(1) as workers:
        for size in (8, 4, 8):
            blocks = [workers.borrow(size), workers.borrow(size)]
            assert [len(block) for block in blocks] == [size, size]
            assert workers.borrow(size) is None
            for block in blocks:
                workers.give_back(block)


def test_a_block_that_fits_is_lent_again():
    with Workers(1) as workers:
        lent = [workers.borrow(8), workers.borrow(8)]
        for block in lent:
            workers.give_back(block)
        assert workers.borrow(8) is lent[0]


def test_what_was_not_begun_is_dropped_at_the_end():
    """Nothing packs any more, and graceful shutdown waits for this."""
    begun, dropped = threading.Event(), threading.Event()

    def first(_):
        begun.set()
        return dropped.wait(10)

    workers = Workers(1)
    waited = workers.submit(first, memoryview(b""))
    second = workers.submit(bytes, memoryview(b""))
    second.add_done_callback(lambda _: dropped.set() if second.cancelled() else None)
    assert begun.wait(10)
    workers.close()
    assert waited.result()
    assert second.cancelled()
