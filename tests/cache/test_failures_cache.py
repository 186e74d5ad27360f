"""Requests that failed a moment ago."""

import pytest

from nixery.cache import Failures
from nixery.errors import BuildFailed, DigestInvalid, TimedOut


@pytest.fixture
def failures(clock):
    return Failures(clock)


def test_a_failure_is_remembered_for_as_long_as_it_says(clock, failures):
    failure = BuildFailed("it broke")
    failures.remember("key", failure)
    clock.forward(59)
    assert failures.recall("key") is failure
    clock.forward(1)
    assert failures.recall("key") is None


def test_a_timeout_is_forgotten_sooner(clock, failures):
    failures.remember("key", TimedOut("too long"))
    clock.forward(30)
    assert failures.recall("key") is None


def test_other_requests_are_not_refused(failures):
    failures.remember("key", BuildFailed("it broke"))
    assert failures.recall("other") is None


def test_what_is_not_to_be_remembered_is_not(failures):
    failures.remember("key", DigestInvalid("no digest"))
    assert failures.recall("key") is None


def test_forgotten_failures_take_no_memory(clock, failures):
    for number in range(100):
        failures.remember(number, BuildFailed("it broke"))
    clock.forward(61)
    failures.recall("any")
    assert not failures._failures


def test_no_more_than_so_many(clock):
    """A crowd of names that fail costs no more memory; the newest are remembered."""
    failures = Failures(clock, most=2)
    for number in range(100):
        failures.remember(number, BuildFailed("it broke"))
    remembered = [number for number in range(100) if failures.recall(number)]
    assert remembered == [98, 99]


def test_what_fails_again_is_remembered_anew(clock, failures):
    failures.remember("key", TimedOut("too long"))
    clock.forward(20)
    failures.remember("key", TimedOut("again"))
    clock.forward(20)
    assert failures.recall("key").message == "again"
    clock.forward(10)
    assert failures.recall("key") is None
