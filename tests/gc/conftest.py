"""A storage with the test's clock."""

import pytest
from support.clock import Clock
from support.stored import DAY, Stored

from nixery.storage.memory import MemoryStorage


@pytest.fixture
def clock():
    """Noon, so that an hour more or less is the same day."""
    return Clock(now=20_000 * DAY + DAY / 2)


@pytest.fixture
def storage(clock):
    return MemoryStorage(clock)


@pytest.fixture
def stored(storage):
    return Stored(storage)
