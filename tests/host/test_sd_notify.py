"""Telling a service manager: its socket is the test's."""

import asyncio
import os
import socket

import pytest
from support.clock import Clock

from nixery.host.sd_notify import ServiceManager

pytestmark = pytest.mark.anyio


@pytest.fixture
def manager_socket(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def told(listening):
    return listening.recv(1000).decode().split("\n")


@pytest.fixture
def environ(manager_socket):
    return {"NOTIFY_SOCKET": manager_socket.getsockname()}


def test_ready_and_stopping(manager_socket, environ):
    manager = ServiceManager(environ)
    manager.ready()
    assert "READY=1" in told(manager_socket)
    manager.stopping()
    assert "STOPPING=1" in told(manager_socket)


def test_an_abstract_address():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"nixery-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        listening.settimeout(10)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert "READY=1" in told(listening)


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}], ids=["no", "dead"])
def test_a_missing_service_manager(environ):
    ServiceManager(environ).ready()


async def test_the_watchdog_is_fed_twice_in_its_time(manager_socket, environ):
    clock = Clock()
    environ |= {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}
    feeding = asyncio.create_task(ServiceManager(environ, clock.sleep).keep_alive())
    for _ in range(3):
        await clock.sleeping()
        assert told(manager_socket) == ["WATCHDOG=1"]
        clock.forward(10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    feeding.cancel()


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
    ids=["none", "another process's", "no number"],
)
async def test_no_watchdog_is_not_fed(environ, watchdog):
    await ServiceManager(environ | watchdog).keep_alive()
