"""Requests that failed a moment ago."""

import pytest

from nixery.cache import Failures
from nixery.errors import BuildFailed, DigestInvalid, TimedOut


@pytest.fixture
def failures(clock):
    return Failures(clock)


def test_a_failure_is_cached_for_its_lifetime(clock, failures):
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


def test_failures_without_a_lifetime_are_not_cached(failures):
    failures.remember("key", DigestInvalid("no digest"))
    assert failures.recall("key") is None


def test_forgotten_failures_take_no_memory(clock, failures):
    for number in range(100):
        failures.remember(number, BuildFailed("it broke"))
    clock.forward(61)
    failures.recall("any")
    assert not failures._failures


def test_the_number_of_entries_is_limited(clock):
    """Many failing names do not cost more memory; the newest are remembered."""
    failures = Failures(clock, most=2)
    for number in range(100):
        failures.remember(number, BuildFailed("it broke"))
    remembered = [number for number in range(100) if failures.recall(number)]
    assert remembered == [98, 99]


def test_a_repeated_failure_is_cached_again(clock, failures):
    failures.remember("key", TimedOut("too long"))
    clock.forward(20)
    failures.remember("key", TimedOut("again"))
    clock.forward(20)
    assert failures.recall("key").message == "again"
    clock.forward(10)
    assert failures.recall("key") is None
