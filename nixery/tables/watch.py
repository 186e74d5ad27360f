"""Looks at NIX_POPULARITY_URL at the start and daily, and publishes what it finds.

    at the start ──► it is there ──► published ──► a day later
                 └─► it is not ──► said once ──► an hour later

It is a hint: whatever goes wrong there stops nothing and is said once, and the table that counted
until then goes on to count.
"""

import asyncio
import re
import threading
from collections.abc import Callable

import anyio.to_thread
import structlog

from nixery.concurrency.threads import run_abandoned
from nixery.lease import Sleep
from nixery.tables.published import Published

log = structlog.get_logger()

DAY = 86_400.0
HOUR = 3_600.0
TOO_LONG = 600.0
"""Seconds for one look, however slowly the answer comes."""


class PopularityWatch:
    def __init__(
        self,
        url: str,
        published: Published,
        load: Callable[[str], bytes],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``load``: that of ``popularity.py``, or another that blocks and may raise anything."""
        self._url = url
        self._published = published
        self._sleep = sleep
        self._load = load
        self._fault: str | None = None
        self.looked = threading.Event()
        """The first look has ended, however it ended."""

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            found = await self.look()
            self.looked.set()
            await self._sleep(DAY if found else HOUR)

    async def look(self) -> bool:
        """Whether there was a table, which then is published."""
        try:
            async with asyncio.timeout(TOO_LONG):
                # Left behind when the server ends: an address that never answers must not hold it.
                data = await run_abandoned(lambda: self._load(self._url))
            await anyio.to_thread.run_sync(self._publish, data)
        except Exception as error:  # noqa: BLE001 - it is a hint only
            self._failed(_for_logs(f"{type(error).__name__}: {error}"))
            return False
        self._fault = None
        return True

    def _publish(self, data: bytes) -> None:
        self._published.publish("popularity", data, self._published.current("popularity"))

    def _failed(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            log.warning("popularity not used", url=_for_logs(self._url), reason=fault)


def _for_logs(text: str) -> str:
    """Without names, passwords and queries of a URL, which may be secret.

    And without addresses of objects, which make the same fault look like another one.
    """
    return re.sub(r"(?<=//)[^/\s]*@|\?[^\s)'\"]*| at 0x[0-9a-f]+", "", text)
