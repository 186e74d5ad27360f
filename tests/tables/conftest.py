"""A storage whose clock the test sets, and images that were asked for."""

import pytest

from nixery.storage.memory import MemoryStorage


@pytest.fixture
def storage(clock):
    return MemoryStorage(clock)
