"""What every test may ask for."""

import pytest

pytest_plugins = ["proof"]


@pytest.fixture
def anyio_backend():
    """Uvicorn runs on asyncio, so tests do as well."""
    return "asyncio"
