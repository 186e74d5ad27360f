"""What every test may ask for."""

import pytest
import structlog
from support.clock import Clock
from support.registry import Registry

from nixery.storage.memory import MemoryStorage

pytest_plugins = ["support.proof"]


@pytest.fixture
def anyio_backend():
    """Uvicorn runs on asyncio, so tests do as well."""
    return "asyncio"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage(clock):
    """A storage whose clock the test sets."""
    return MemoryStorage(clock)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture(autouse=True)
def logs_as_they_come():
    """A program that a test ran in this process set up its logs, and leaves them to nobody."""
    yield
    structlog.reset_defaults()
