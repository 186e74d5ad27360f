"""NIX_POPULARITY_URL: downloads the popularity table at the start and daily, and publishes it.

    at the start ──► found     ──► published   ──► again after a day
                 └─► not found ──► logged once ──► again after an hour

The table only improves layers. A failure stops nothing, is logged once, and leaves the current
table in use.
"""

import asyncio
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio.to_thread
import structlog

from nixery.concurrency.threads import run_abandoned
from nixery.human_units import DAY, HOUR
from nixery.layers.tables import encode_popularity, parse_popularity
from nixery.lease import Sleep
from nixery.tables.published import Published

log = structlog.get_logger()

DOWNLOAD_DEADLINE = 600.0
"""Seconds for one attempt, however slowly the response arrives."""
MAX_DOWNLOAD = 64 << 20
"""Bytes; the counts of 100,000 packages take 3 MB."""
DOWNLOAD_TIMEOUT = 30.0
"""Seconds to connect, and for each piece of the response."""


class PopularityWatch:
    def __init__(
        self,
        url: str,
        published: Published,
        load: Callable[[str], bytes],
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``load``: this module's, or another that may block and raise any exception."""
        self._url = url
        self._published = published
        self._sleep = sleep
        self._load = load
        self._fault: str | None = None
        self.looked = threading.Event()
        """Set after the first attempt, successful or not."""

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        while True:
            found = await self.check()
            self.looked.set()
            await self._sleep(DAY if found else HOUR)

    async def check(self) -> bool:
        """Whether a table was found and published."""
        try:
            async with asyncio.timeout(DOWNLOAD_DEADLINE):
                # The thread is abandoned at shutdown, because a server that never answers must not
                # delay it.
                data = await run_abandoned(lambda: self._load(self._url))
            await anyio.to_thread.run_sync(self._publish, data)
        except Exception as error:  # noqa: BLE001 - the table is optional
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


def load(url: str) -> bytes:
    """The table in its canonical form, from http, https and file URLs, and from paths.

    Blocks, possibly for long. Raises any error, and ValueError for anything but a table.
    """
    popularity = parse_popularity(_read(url))
    if popularity is None:
        raise ValueError("it is not an object of names and counts")
    return encode_popularity(popularity)


def _read(url: str) -> bytes:
    parts = urlsplit(url)
    match parts.scheme:
        case "http" | "https":
            return _download(url)
        case "file" | "":
            path = Path(unquote(parts.path))
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe might never end
                raise ValueError("it is not a regular file")
            with path.open("rb") as file:
                return _limited(file.read(MAX_DOWNLOAD + 1))
    raise ValueError(f"its scheme is {parts.scheme}, not http, https or file")


def _download(url: str) -> bytes:
    # Imported here, because most servers have no such URL.
    import urllib3  # noqa: PLC0415

    retries = urllib3.Retry(2, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504))
    user = urllib3.util.parse_url(url).auth
    headers = urllib3.make_headers(basic_auth=user and unquote(user))
    with urllib3.PoolManager(timeout=DOWNLOAD_TIMEOUT, retries=retries, headers=headers) as pool:
        answer = pool.request("GET", url, preload_content=False)
        try:
            if answer.status != 200:
                raise ValueError(f"the response is {answer.status}")
            return _limited(answer.read(MAX_DOWNLOAD + 1))
        finally:
            answer.release_conn()


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_DOWNLOAD:
        raise ValueError(f"it has more than {MAX_DOWNLOAD} bytes")
    return data


def _for_logs(text: str) -> str:
    """Removes user names, passwords and queries of URLs, which may be secret.

    Also removes addresses of objects, with which equal faults would differ.
    """
    return re.sub(r"(?<=//)[^/\s]*@|\?[^\s)'\"]*| at 0x[0-9a-f]+", "", text)
