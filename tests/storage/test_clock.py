"""The bucket's clock, learned from its answers."""

from email.utils import formatdate

import pytest
from support.clock import Clock

from nixery.errors import StorageUnavailable
from nixery.storage.clock import ServerClock

NOON = 1_800_000_000


class Bucket:
    """Answers with its date; ``offset`` is how far its clock is from ours."""

    def __init__(self):
        self.local = Clock(0.0)
        self.offset = NOON
        self.asked = 0
        self.fails = False
        self.clock = ServerClock(self.ask, renew=600, local=self.local)

    def ask(self):
        self.asked += 1
        if self.fails:
            raise StorageUnavailable("no answer")
        self.clock.hear(formatdate(int(self.local.now + self.offset), usegmt=True))


@pytest.fixture
def bucket():
    return Bucket()


def test_the_time_goes_on_between_answers(bucket):
    assert abs(bucket.clock.now() - NOON) <= 1
    first = bucket.clock.now()
    bucket.local.forward(100)
    assert bucket.clock.now() == first + 100
    assert bucket.asked == 1


def test_any_answer_tells_the_time(bucket):
    """Storages hear all the time; asking is for those that have been silent."""
    bucket.ask()
    bucket.clock.now()
    assert bucket.asked == 1


def test_a_clock_is_looked_at_again(bucket):
    """Ours may run faster or slower than the bucket's."""
    bucket.clock.now()
    bucket.local.forward(601)
    bucket.offset += 30
    assert abs(bucket.clock.now() - (NOON + 631)) <= 1
    assert bucket.asked == 2


def test_time_never_goes_back(bucket):
    before = bucket.clock.now()
    bucket.local.forward(601)
    bucket.offset -= 1000
    assert bucket.clock.now() >= before


def test_half_of_a_slow_answers_time_has_passed_since(bucket):
    bucket.clock.hear(formatdate(NOON, usegmt=True), seconds=10)
    assert bucket.clock.now() == NOON + 0.5 + 5


def test_time_continues_when_the_bucket_stops_answering(bucket):
    bucket.clock.now()
    bucket.local.forward(601)
    bucket.fails = True
    assert abs(bucket.clock.now() - (NOON + 601)) <= 1


def test_a_bucket_without_dates(bucket):
    bucket.fails = True
    with pytest.raises(StorageUnavailable):
        bucket.clock.now()
    bucket.fails = False
    bucket.clock._ask = lambda: None
    with pytest.raises(StorageUnavailable, match="no Date header"):
        bucket.clock.now()
