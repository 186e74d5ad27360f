"""What an orchestrator asks."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from support.clock import Clock

from nixery.errors import StorageFull
from nixery.http import probes
from nixery.http.probes import RESULT_SECONDS, Probes
from nixery.wire.drain import Drain

pytestmark = pytest.mark.anyio


class Check:
    """Fails with its error, if it has one; records how often it was used."""

    def __init__(self, error=None):
        self.error = error
        self.made = 0

    async def __call__(self):
        self.made += 1
        if self.error:
            raise self.error


@pytest.fixture
def drain():
    return Drain()


async def ask(path, drain, clock=None, **checks):
    app = Starlette(routes=Probes(checks, drain, clock or Clock()).routes())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.test") as client:
        answer = await client.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


async def test_ready(drain):
    assert await ask("/readyz", drain, disk=Check()) == (200, {"disk": "ok"})


async def test_each_check_has_its_reason(drain):
    checks = {
        "disk": Check(StorageFull("the disk is almost full")),
        "nix": Check(OSError(2, "No such file or directory")),
        "storage": Check(),
    }
    assert await ask("/readyz", drain, **checks) == (
        503,
        {"disk": "the disk is almost full", "nix": "No such file or directory", "storage": "ok"},
    )


async def test_a_check_that_hangs_is_a_reason(drain, monkeypatch):
    monkeypatch.setattr(probes, "CHECK_TIMEOUT", 0.01)

    async def hang():
        await asyncio.Event().wait()

    status, reasons = await ask("/readyz", drain, nix=hang)
    assert status == 503
    assert "no answer" in reasons["nix"]


async def test_a_draining_server_is_not_ready_but_alive(drain):
    drain.begin()
    status, reasons = await ask("/readyz", drain, disk=Check())
    assert (status, reasons["disk"]) == (503, "ok")
    assert "draining" in reasons
    assert (await ask("/livez", drain))[0] == 200


async def test_many_probes_look_once_in_a_while(drain):
    check, clock = Check(), Clock()
    known = Probes({"nix": check}, drain, clock)
    for _ in range(5):
        await known.results()
    assert check.made == 1
    clock.forward(RESULT_SECONDS)
    await known.results()
    assert check.made == 2
