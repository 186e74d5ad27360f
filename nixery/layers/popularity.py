"""Reads the table that NIX_POPULARITY_URL names; what goes wrong there never stops a server."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from nixery.layers.tables import Popularity, parse_popularity

log = structlog.get_logger()

LARGEST = 64 << 20
"""Bytes; the counts of 100,000 packages take 3 MB."""
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of an answer."""


def load(url: str, read: Callable[[str], bytes] | None = None) -> Popularity | None:
    """The popularity published at ``url``; None, with one line in the log, if it cannot be had.

    Blocks, so a server calls it in a thread. ``read`` may raise anything.
    """
    try:
        popularity = parse_popularity((read or read_url)(url))
        reason = "it is not an object of names and counts"
    except Exception as error:  # noqa: BLE001 - it is a hint only
        popularity, reason = None, f"{type(error).__name__}: {error}"
    if popularity is None:
        log.warning("popularity not used", url=_without_user(url), reason=reason)
    return popularity


def read_url(url: str) -> bytes:
    """Of http, https and file URLs, and of paths; raises what goes wrong."""
    parts = urlsplit(url)
    match parts.scheme:
        case "http" | "https":
            return _download(url)
        case "file" | "":
            with Path(unquote(parts.path)).open("rb") as file:
                return _limited(file.read(LARGEST + 1))
    raise ValueError(f"its scheme is {parts.scheme}, not http, https or file")


def _download(url: str) -> bytes:
    # Loaded here: most servers have no such URL.
    import urllib3  # noqa: PLC0415

    retries = urllib3.Retry(3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504))
    with urllib3.PoolManager(timeout=TIMEOUT, retries=retries) as pool:
        answer = pool.request("GET", url, preload_content=False)
        try:
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}")
            return _limited(answer.read(LARGEST + 1))
        finally:
            answer.release_conn()


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    return data


def _without_user(url: str) -> str:
    """Names and passwords in a URL are not for logs."""
    return re.sub(r"//[^/]*@", "//", url)
