"""Fixtures of all tests.

Real Nix: the tiny package set, and a separate store (``/nix`` is not used). All tests and runs
share the store, so that builds are reused. A test that needs something unbuilt gives the set a salt
(``Evaluation(config={"salt": salt})``); one that collects garbage or breaks the store makes another
with ``tiny_set.nix_environment(tmp_path, …)``.
"""

from uuid import uuid4

import pytest
import structlog
from support.clock import Clock
from support.demo_set import make_demo_set
from support.registry import Registry
from support.tiny_set import make_store, make_tiny_set, nix_environment, source_of

from nixery.nix import Nix
from nixery.storage.memory import MemoryStorage

pytest_plugins = ["support.proof"]


@pytest.fixture
def anyio_backend():
    """Uvicorn runs on asyncio, so tests do too."""
    return "asyncio"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage(clock):
    """A storage with the test's clock."""
    return MemoryStorage(clock)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture(autouse=True)
def logs_as_they_come():
    """Resets logging, which a program in this process may have configured."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def tiny():
    """The directory of the tiny package set."""
    return make_tiny_set()


@pytest.fixture(scope="session")
def tiny_source(tiny):
    return source_of(tiny)


@pytest.fixture(scope="session")
def nix_store():
    """A chroot store, with files under ``nix_store / "nix/store"``."""
    return make_store()


@pytest.fixture(scope="session", name="nix_environment")
def _nix_environment(nix_store, tmp_path_factory):
    """The environment of commands on that store, with ``nixery-prepare-image`` on PATH."""
    return nix_environment(nix_store, tmp_path_factory.mktemp("home"))


@pytest.fixture
def nix(nix_environment):
    return Nix(environment=nix_environment)


@pytest.fixture
def salt():
    """With another salt, nothing of the set is built yet."""
    return uuid4().hex


@pytest.fixture(scope="session")
def demo_set():
    """The directory of the demo set's small selection: real programs of Debian packages."""
    return make_demo_set()
