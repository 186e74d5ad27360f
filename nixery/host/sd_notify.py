"""Client of systemd's notification protocol: readiness, status, watchdog.

Sends datagrams of ``NAME=value`` lines to the socket in ``NOTIFY_SOCKET``. The libraries for this
are larger, and some need systemd's C library.

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

import structlog

log = structlog.get_logger()

AsyncSleep = Callable[[float], Awaitable[None]]


class ServiceManager:
    """Sends nothing if ``NOTIFY_SOCKET`` is not set."""

    def __init__(self, environ: Mapping[str, str], sleep: AsyncSleep = asyncio.sleep) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog(environ)
        self._sleep = sleep

    def ready(self) -> None:
        self._tell("READY=1", "STATUS=serving")

    def status(self, text: str) -> None:
        self._tell(f"STATUS={text}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=finishing transfers")

    async def keep_alive(self) -> None:
        """Sends watchdog keep-alives from the event loop, so that a hang is noticed."""
        while self._watchdog:
            self._tell("WATCHDOG=1")
            await self._sleep(self._watchdog / 2)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ means the zero byte of an abstract address.
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("service manager does not listen", error=str(error))


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds, or 0. The variables may be meant for another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    try:
        return int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0
