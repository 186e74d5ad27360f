"""Requests that failed a moment ago."""

import pytest

from nixery.cache import Failures
from nixery.errors import BuildFailed, DigestInvalid, TimedOut


@pytest.fixture
def failures(clock):
    return Failures(clock)


def test_a_failure_is_cached_for_its_lifetime(clock, failures):
    failure = BuildFailed("it broke")
    failures.put("key", failure)
    clock.forward(59)
    assert failures.get("key") is failure
    clock.forward(1)
    assert failures.get("key") is None


def test_a_timeout_is_forgotten_sooner(clock, failures):
    failures.put("key", TimedOut("too long"))
    clock.forward(30)
    assert failures.get("key") is None


def test_other_requests_are_not_refused(failures):
    failures.put("key", BuildFailed("it broke"))
    assert failures.get("other") is None


def test_failures_without_a_lifetime_are_not_cached(failures):
    failures.put("key", DigestInvalid("no digest"))
    assert failures.get("key") is None


def test_forgotten_failures_take_no_memory(clock, failures):
    for number in range(100):
        failures.put(number, BuildFailed("it broke"))
    clock.forward(61)
    failures.get("any")
    assert not failures._failures


def test_the_number_of_entries_is_limited(clock):
    """Many failing names do not cost more memory; the newest are remembered."""
    failures = Failures(clock, most=2)
    for number in range(100):
        failures.put(number, BuildFailed("it broke"))
    remembered = [number for number in range(100) if failures.get(number)]
    assert remembered == [98, 99]


def test_a_repeated_failure_is_cached_again(clock, failures):
    failures.put("key", TimedOut("too long"))
    clock.forward(20)
    failures.put("key", TimedOut("again"))
    clock.forward(20)
    assert failures.get("key").message == "again"
    clock.forward(10)
    assert failures.get("key") is None
