"""Reads the table that NIX_POPULARITY_URL names."""

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nixery.layers.tables import encode_popularity, parse_popularity

LARGEST = 64 << 20
"""Bytes; the counts of 100,000 packages take 3 MB."""
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of an answer."""


def load(url: str) -> bytes:
    """The table in its canonical form, from http, https and file URLs, and from paths.

    Blocks, perhaps for long. Raises what goes wrong, and ValueError for what is no table.
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
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe might never say anything
                raise ValueError("it is no regular file")
            with path.open("rb") as file:
                return _limited(file.read(LARGEST + 1))
    raise ValueError(f"its scheme is {parts.scheme}, not http, https or file")


def _download(url: str) -> bytes:
    # Loaded here: most servers have no such URL.
    import urllib3  # noqa: PLC0415

    retries = urllib3.Retry(2, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504))
    user = urllib3.util.parse_url(url).auth
    headers = urllib3.make_headers(basic_auth=user and unquote(user))
    with urllib3.PoolManager(timeout=TIMEOUT, retries=retries, headers=headers) as pool:
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
